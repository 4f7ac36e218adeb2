"""A script run, state by state. Each function looks, does one verb, makes at most one move, and says when to look again.

Everything is asked anew: the rows hold intent and fact, compute holds the nodes, the backend holds the truth about the
jobs. So a worker may be killed between any two lines here, and the next one goes on.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from django.conf import settings
from django.utils import timezone

from runs.execution import ending, gang
from runs.execution.backends import BACKENDS
from runs.execution.lease import HOST
from runs.execution.logs import copy_build_log
from runs.execution.next import BEAT, NOW, Next, soon
from runs.execution.verdict import COMPUTE_DELETED, TIME_LIMIT
from runs.kinds.script import spec as script_spec
from runs.kinds.script.spec import ScriptSpec
from runs.lifecycle import move
from runs.models import Run, RunProperty, RunTask
from runs.states import State
from studio.compute import placing
from studio.compute.placing import Placed, Refused, Waiting
from studio.environments import prepare
from studio.environments.prepare import Prepared
from studio.errors import StudioError, Unavailable

# After a polite stop the agent ends the script (5 s) and sends what is there; then all is ended at once.
STOP_SECONDS = 12.0
# How often a run is looked at while something is about to happen that nobody reports.
SOON = 0.1
BUILD_LOOK_SECONDS = 1.0
# Where the agent of the (first) node says what the process was and what became of it, as v1 names them.
INFO_FILES = {
    "ProcessInfoFile": "azureml-logs/process_info.json",
    "ProcessStatusFile": "azureml-logs/process_status.json",
}
# From here on a job that has not spoken is worth a word: most fetch their snapshot in less.
SILENT_START_SECONDS = 10


def step(run: Run) -> Next:
    """One step of a script run that is not final."""
    if run.cancel_requested_at and not tasks(run):
        return ending.end_unstarted(run, State.CANCELED, reason="Cancelled before its job was started.")
    if elsewhere(run):
        if ending.is_silent(run):
            return ending.node_lost(run, "The machine whose worker started the job is not heard of any more.")
        return BEAT
    return STEPS[State(run.state)](run)


def elsewhere(run: Run) -> bool:
    """Whether the run's process is on another worker's host, which alone can look at it."""
    rows = [row for row in tasks(run) if row.backend == "process" and row.node != HOST]
    # A host that was given another name still finds its own jobs.
    return any(BACKENDS[row.backend].look(gang.job_of(run, row)).state == "absent" for row in rows)


def tasks(run: Run) -> list[RunTask]:
    """The jobs of this attempt."""
    return list(RunTask.objects.filter(run=run, attempt=run.retries).order_by("index"))


def taken_up(run: Run) -> Next:
    """NotStarted: a worker has it."""
    move(run, State.STARTING, reason="A worker has taken it up.")
    return NOW


def placed(run: Run) -> Next:
    """Starting, Provisioning: asks compute for the nodes."""
    spec = script_spec.check(run.definition)
    answer = _place(run, spec)
    if isinstance(answer, Refused):
        return ending.end_unstarted(run, State.FAILED, code="ComputeRefused", message=answer.message)
    if isinstance(answer, Waiting):
        _waits_for(run, answer.reason)
        if run.state == State.STARTING:
            move(run, State.PROVISIONING, reason=answer.reason)
        return BEAT
    names = ", ".join(node.name for node in answer.nodes)
    move(run, State.PREPARING, reason=f"Placed on {names}." if names else "", waiting_for="")
    return NOW


def _place(run: Run, spec: ScriptSpec) -> placing.Answer:
    gpus = 0  # v1 has no such parameter: a node's GPUs come with its vm_size, all of them
    return placing.place(
        run.pk, run.workspace_id, run.compute or spec.target, spec.node_count, spec.priority or 0, gpus, str(run)
    )


def _waits_for(run: Run, reason: str) -> None:
    if run.waiting_for != reason:
        Run.objects.filter(pk=run.pk).update(waiting_for=reason)
        run.waiting_for = reason


def _gang(run: Run) -> gang.Gang | Next:
    """The nodes and the environment, or what happens while one of them is missing."""
    spec = script_spec.check(run.definition)
    answer = _place(run, spec)
    if isinstance(answer, Refused):
        return ending.end_unstarted(run, State.FAILED, code="ComputeRefused", message=answer.message)
    if isinstance(answer, Waiting):
        # Its node was lost before the first line of the script: back into the queue, at its old place.
        move(run, State.PROVISIONING, reason=answer.reason, waiting_for=answer.reason)
        return BEAT
    if answer.backend == "swarm" and (why := placing.lost(run.pk)):
        # Before the first line of the script nothing is lost but the place: the other hosts may have one.
        placing.look_at_hosts(run.pk)
        placing.release(run.pk)
        move(run, State.PROVISIONING, reason=why, waiting_for=why)
        return NOW
    backend = gang.backend_of(spec, answer.backend)
    prepared = _prepare(run, spec, answer, backend)
    if prepared.state == "failed":
        copy_build_log(run, prepared.build_id)
        return ending.end_unstarted(run, State.FAILED, code="EnvironmentFailed", message=prepared.message)
    if prepared.state == "building":
        copy_build_log(run, prepared.build_id)
        _waits_for(run, prepared.message)
        if run.build_id != prepared.build_id:
            Run.objects.filter(pk=run.pk).update(build_id=prepared.build_id)
            run.build_id = prepared.build_id
        return soon(BUILD_LOOK_SECONDS)
    return gang.Gang(run, spec, answer.nodes, backend, prepared)


def _prepare(run: Run, spec: ScriptSpec, answer: Placed, backend: str) -> Prepared:
    """The environment on every engine that the run's nodes are on; the first that is not ready is the answer."""
    engines = dict.fromkeys(node.engine for node in answer.nodes) or {"": None}
    if backend == "swarm":
        # Built beside the manager; its other hosts copy it from there, or from the registry.
        engines = {"": None, **engines}
    kind: prepare.Backend = "process" if backend == "process" else "docker"
    found = Prepared("failed", message="The run has no node.")
    try:
        for engine in engines:
            found = prepare.find_or_build(
                run.workspace, spec.environment, backend=kind, engine=engine or None, for_run=run.pk
            )
            if found.state != "ready":
                break
        return found
    except Unavailable:
        raise
    except StudioError as error:
        return Prepared("failed", message=error.message)


def prepared(run: Run) -> Next:
    """Preparing: the image or virtual environment is found, or is being built."""
    found = _gang(run)
    if isinstance(found, Next):
        return found
    copy_build_log(run, found.prepared.build_id)
    image = found.prepared.image
    facts = {"_azureml.ComputeTargetType": placing.target_type(run.pk), **INFO_FILES}
    if image:
        facts["AzureML.DerivedImageName"] = found.prepared.derived_image
    RunProperty.objects.bulk_create(
        [RunProperty(run=run, key=key, value=value) for key, value in facts.items() if value], ignore_conflicts=True
    )
    try:
        gang.launch_rows(found)
    except StudioError as error:
        return ending.end_unstarted(run, State.FAILED, code="JobNotStarted", message=error.message)
    move(
        run, State.QUEUED, reason=found.prepared.message, image=image, build_id=found.prepared.build_id, waiting_for=""
    )
    return NOW


def queued(run: Run) -> Next:
    """Queued: all jobs are started, or none; the first report makes it Running."""
    rows = tasks(run)
    if run.cancel_requested_at or any(row.reported_at for row in rows):
        return _stop_or_finalize(run, rows)
    if rows[0].backend == "swarm" and (why := placing.lost(run.pk)):
        return ending.node_lost(run, why)
    if all(row.launched_at for row in rows):
        looks = [BACKENDS[row.backend].look(gang.job_of(run, row)) for row in rows]
        if any(look.state == "exited" or look.error for look in looks) and (why := _drained(run, rows)):
            return ending.node_lost(run, why, drained=True)
        if any(look.state == "exited" for look in looks):
            move(run, State.FINALIZING, reason="The job ended before the script began.")
            return NOW
        if all(look.state == "running" for look in looks):
            return _began(run, rows)
        _waits_for(run, next((look.error for look in looks if look.state == "created" and look.error), ""))
    try:
        for row in rows:
            BACKENDS[row.backend].start(gang.job_of(run, row, with_token=True))
            RunTask.objects.filter(pk=row.pk, launched_at=None).update(launched_at=timezone.now())
    except Unavailable:
        raise
    except StudioError as error:
        return ending.end_unstarted(run, State.FAILED, code="JobNotStarted", message=error.message)
    return soon(SOON)


def _began(run: Run, rows: list[RunTask]) -> Next:
    """The containers run; when every agent has said that its script does, so does the run."""
    if all(row.started_at for row in rows):
        move(run, State.RUNNING, reason="The script has begun.", waiting_for="")
        return NOW
    long_ago = timezone.now() - dt.timedelta(seconds=SILENT_START_SECONDS)
    silent = [row for row in rows if not row.heartbeat_at and row.launched_at and row.launched_at < long_ago]
    if silent:
        where = gang.server_url(silent[0].backend)
        _waits_for(
            run,
            f"The job is running and has not yet said that its script began: it fetches a large snapshot, or cannot "
            f"reach this server at {where} (settings ATELIER_SERVER_URL and SERVER_URL_FOR_CONTAINERS).",
        )
    return BEAT  # the report wakes us


def running(run: Run) -> Next:
    """Running: looks after the time limit, cancels, ends and losses."""
    rows = tasks(run)
    if why := placing.lost(run.pk):
        return ending.node_lost(run, why)
    over = _seconds_left(run)
    reason = TIME_LIMIT if over <= 0 else COMPUTE_DELETED if placing.withdrawn(run.pk) else ""
    if reason and not run.stopped_for:
        # Written before anything is stopped, so that whoever comes next knows why it was.
        Run.objects.filter(pk=run.pk).update(stopped_for=reason)
        run.stopped_for = reason
    if run.cancel_requested_at or run.stopped_for:
        return _stop_or_finalize(run, rows)
    if any(_went_wrong(row) for row in rows) and (why := _drained(run, rows)):
        return ending.node_lost(run, why, drained=True)
    if any(row.reported_at for row in rows):
        return _stop_or_finalize(run, rows)
    looks = [BACKENDS[row.backend].look(gang.job_of(run, row)) for row in rows]
    if any(look.state in ("exited", "absent") for look in looks):
        if why := _drained(run, rows):
            return ending.node_lost(run, why, drained=True)
        move(run, State.FINALIZING, reason="The job has ended.")
        return NOW
    # Reports wake us; the time limit and a job that dies silently do not.
    return soon(over) if over < settings.BEAT_SECONDS else BEAT


def _went_wrong(row: RunTask) -> bool:
    return bool(row.reported_at and (row.exit_code != 0 or row.error_type))


def _drained(run: Run, rows: list[RunTask]) -> str:
    """Why the swarm ended the jobs, when one of their hosts is being drained: then no end of theirs is the script's own."""
    return placing.drained(run.pk) if rows[0].backend == "swarm" else ""


def _limit(run: Run) -> int:
    return script_spec.check(run.definition).max_run_duration_seconds


def _seconds_left(run: Run) -> float:
    if run.started_at is None:
        return float("inf")
    return (run.started_at + dt.timedelta(seconds=_limit(run)) - timezone.now()).total_seconds()


def _stop_or_finalize(run: Run, rows: list[RunTask]) -> Next:
    """Jobs that should end are asked to, then made to; when all have ended or reported, the run is Finalizing."""
    going = []
    for row in rows:
        job, backend = gang.job_of(run, row), BACKENDS[row.backend]
        if row.reported_at is None and backend.look(job).state in ("created", "running"):
            going.append((backend, job))
    failed = any(_went_wrong(row) for row in rows)
    if not going or (not failed and not run.cancel_requested_at and not run.stopped_for):
        if not going:
            move(run, State.FINALIZING, reason="The script has ended.")
            return NOW
        return BEAT  # one of several is through; the others go on
    since = _stop_began(run, rows)
    firm = (timezone.now() - since).total_seconds() > STOP_SECONDS
    for backend, job in going:
        backend.stop(job, now=firm)
    return soon(0.25)


def _stop_began(run: Run, rows: list[RunTask]) -> dt.datetime:
    """When the first reason to stop came up: a cancel, the time limit, or a sister job that failed."""
    moments = [row.reported_at for row in rows if row.reported_at]
    if run.cancel_requested_at:
        moments.append(run.cancel_requested_at)
    if run.stopped_for == COMPUTE_DELETED:
        moments.append(placing.withdrawn(run.pk) or timezone.now())
    if run.stopped_for == TIME_LIMIT and run.started_at:
        moments.append(run.started_at + dt.timedelta(seconds=_limit(run)))
    return min(moments)


STEPS: dict[State, Callable[[Run], Next]] = {
    State.NOT_STARTED: taken_up,
    State.STARTING: placed,
    State.PROVISIONING: placed,
    State.PREPARING: prepared,
    State.QUEUED: queued,
    State.RUNNING: running,
    State.FINALIZING: ending.finalizing,
}
