"""The end of a run: what is left is delivered, logs are closed, the verdict is found, nothing stays behind."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterable

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from runs.actions import logs
from runs.execution import gang
from runs.execution.backends import BACKENDS
from runs.execution.executor import Executor, Job, Look
from runs.execution.gang_verdict import RankEnded
from runs.execution.logs import BUILD_LOG, append_output
from runs.execution.next import BEAT, NOW, Next, soon
from runs.execution.verdict import AGENT_NOT_STARTED, COMPUTE_DELETED, TIME_LIMIT, Asked, Ended, Verdict, verdict
from runs.kinds.script import spec as script_spec
from runs.lifecycle import move
from runs.models import Run, RunRank, RunTask
from runs.queue import wake
from runs.states import State
from studio.compute import placing
from studio.environments import prepare
from studio.errors import StudioError

log = logging.getLogger(__name__)
# How long uploads may go on after the script has ended: of a cancelled run, and of any other while it is heard of.
CANCELLED_UPLOAD = dt.timedelta(seconds=60)
SILENT_UPLOAD = dt.timedelta(minutes=5)
# A delivery that takes longer is given up; what it sent is kept.
DELIVERY = dt.timedelta(minutes=10)
STARTED = timezone.now()
LOOK_SECONDS, SLOW_SECONDS = 0.05, 1.0
AFTER_A_DRAIN = (
    "Submit the run again, or set max_retries to have such runs tried again on other hosts; "
    "`docker node update --availability active` brings a host back."
)
LIMITS = {"error_code": 100, "error_message": 3000, "error_details": 16_000}


def end_unstarted(run: Run, state: State, *, code: str = "", message: str = "", reason: str = "") -> Next:
    """Ends a run none of whose script has run: what was made for it goes, and it moves."""
    for row in RunTask.objects.filter(run=run):
        _backend(row).clean(gang.job_of(run, row))
    logs.close_all(run.pk)
    _leave(run)
    _final(run, Verdict(state, code, message), reason=reason or message)
    return BEAT


def finalizing(run: Run) -> Next:
    """Finalizing: one job after the other is seen to its end; then the run's end is found and written."""
    rows = list(RunTask.objects.filter(run=run, attempt=run.retries).order_by("index"))
    for row in rows:
        if row.ended_at is None:
            return _see_to_the_end(run, row)
    ends = [_ended(run, row) for row in rows]
    logs.close_all(run.pk)
    ended = [row for row in rows if _backend(row).ends_whole]
    for row in rows:
        if row not in ended:
            _backend(row).clean(gang.job_of(run, row))
    found = verdict(_asked(run), ends, _ranks(run))
    _leave(run)
    _final(run, found, reason=found.message)
    _remove(run, ended)
    return BEAT


def _remove(run: Run, rows: Iterable[RunTask]) -> None:
    """Removes jobs that nobody waits for. What a worker that is killed here or an engine that is away leaves of them is
    removed by the sweep."""
    for row in rows:
        try:
            _backend(row).clean(gang.job_of(run, row))
        except StudioError as error:
            log.info("left to the sweep: %s of the run %s (%s)", row.index, run.pk, error.message)


def _backend(row: RunTask) -> Executor:
    return BACKENDS[row.backend]


def _see_to_the_end(run: Run, row: RunTask) -> Next:
    """One look at a job that should end: it still uploads, or it has ended; then what it left is delivered."""
    job, backend = gang.job_of(run, row), _backend(row)
    look = backend.look(job)
    if look.state in ("created", "running"):
        if _gives_up(run, row):
            backend.stop(job, now=True)
        since = (timezone.now() - (row.reported_at or timezone.now())).total_seconds()
        return soon(min(SLOW_SECONDS, max(LOOK_SECONDS, since / 10)))  # an end is seen a tenth late at the most
    if look.exit_code == 0 and row.reported_at:
        return _close(row, look)
    # The agent was killed: first what it had started, which may still write, then what it had left.
    backend.stop(job, now=True)
    return _delivered(run, row, backend, job, look)


def _gives_up(run: Run, row: RunTask) -> bool:
    """Whether an upload has had its time."""
    now = timezone.now()
    if row.reported_at is None:
        return True
    if run.cancel_requested_at and now - max(run.cancel_requested_at, row.reported_at) > CANCELLED_UPLOAD:
        return True
    return now - max(row.reported_at, row.heartbeat_at or row.reported_at) > SILENT_UPLOAD


def _delivered(run: Run, row: RunTask, backend: Executor, job: Job, look: Look) -> Next:
    """Has the rest of a killed job sent by another agent in the same folder; when that fails too, by its output."""
    delivery = job.delivery()
    sent = backend.look(delivery)
    hopeless = row.started_at is None or look.exit_code == AGENT_NOT_STARTED
    if sent.state == "absent" and not hopeless:
        try:
            backend.start(gang.job_of(run, row, with_token=True).delivery())
        except StudioError:
            hopeless = True  # its folder or image is gone: there is nothing to send, or nobody to send it
        else:
            return soon(LOOK_SECONDS)
    if sent.state in ("created", "running"):
        if timezone.now() - (sent.started_at or timezone.now()) < DELIVERY:
            return soon(LOOK_SECONDS * 2)
        backend.stop(delivery, now=True)
    if hopeless or sent.exit_code != 0:
        append_output(run, row, backend.output(job))
    return _close(row, look)


def _close(row: RunTask, look: Look) -> Next:
    """Writes what the backend saw, so that the verdict can be found again when the job is gone."""
    words = {
        "seen": look.state,
        "exit_code": look.exit_code,
        "oom_killed": look.oom_killed,
        "signal": look.signal,
        "error": look.error,
    }
    RunTask.objects.filter(pk=row.pk).update(ended_at=look.finished_at or timezone.now(), seen=words)
    return NOW


def _ended(run: Run, row: RunTask) -> Ended:
    seen = row.seen or {}
    words = ""
    if not row.reported_at or seen.get("exit_code"):
        words = last_words(_backend(row).output(gang.job_of(run, row)))
    return Ended(
        index=row.index,
        node=row.node,
        reported=row.reported_at is not None,
        reported_at=row.reported_at,
        exit_code=row.exit_code,
        signal=row.signal,
        error_type=row.error_type,
        error_message=row.error_message,
        error_traceback=row.error_traceback,
        started=row.started_at is not None,
        seen=seen.get("seen", "exited"),
        agent_exit_code=seen.get("exit_code"),
        oom_killed=bool(seen.get("oom_killed")),
        seen_signal=seen.get("signal", ""),
        seen_error=seen.get("error", ""),
        memory_mb=row.job.get("memory_mb"),
        last_words=words,
    )


def _ranks(run: Run) -> list[RankEnded]:
    """How the processes of a distributed run ended; none for any other."""
    fields = (
        "rank",
        "node",
        "role",
        "ended_at",
        "exit_code",
        "signal",
        "error_type",
        "error_message",
        "error_traceback",
    )
    return [RankEnded(**row) for row in RunRank.objects.filter(run=run, attempt=run.retries).values(*fields)]


def last_words(output: bytes) -> str:
    """The last line that says something of what an agent wrote."""
    lines = [line.strip() for line in output.decode(errors="replace").splitlines() if line.strip()]
    return lines[-1][:500] if lines else ""


def _asked(run: Run) -> Asked:
    spec = script_spec.check(run.definition)
    return Asked(
        cancel_at=run.cancel_requested_at,
        said_status=run.said_status,
        said_message=run.error_message,
        time_limit=spec.max_run_duration_seconds if run.stopped_for == TIME_LIMIT else None,
        withdrawn=f"The compute target {run.compute or spec.target} was deleted while the run was on it."
        if run.stopped_for == COMPUTE_DELETED
        else "",
    )


def is_silent(run: Run) -> bool:
    """Whether the run's jobs were started, and none has been heard of for as long as an engine may be away.

    A server that was down heard nothing either: agents are given that time again from when this worker started.
    """
    rows = RunTask.objects.filter(run=run, attempt=run.retries, ended_at=None).exclude(launched_at=None)
    heard = [max(filter(None, (row.heartbeat_at, row.launched_at))) for row in rows]
    patience = dt.timedelta(seconds=settings.ENGINE_AWAY_SECONDS)
    return bool(heard) and timezone.now() - max(*heard, STARTED) > patience


def node_lost(run: Run, why: str, *, drained: bool = False) -> Next:
    """The host of a job is gone, or takes no more work: tried again when the submitter allows it, else the run ends."""
    # Nodes of a run that lost one of its hosts end with it.
    _remove(run, RunTask.objects.filter(run=run, attempt=run.retries, backend="swarm"))
    # The beat may not have seen it yet, and the next attempt must not be placed on that host.
    placing.look_at_hosts(run.pk)
    retries = script_spec.check(run.definition).max_retries
    if run.retries < retries and not run.cancel_requested_at:
        placing.release(run.pk)
        reason = f"{why} Tried again ({run.retries + 1} of {retries})."
        with transaction.atomic():
            if move(run, State.PROVISIONING, reason=reason, retries=run.retries + 1):
                logs.begin_again(run.pk, reason, but=BUILD_LOG)
        return NOW
    logs.close_all(run.pk)
    _leave(run)
    found = Verdict(State.NOT_RESPONDING, "NodeLost", why)
    if drained:
        found = Verdict(State.FAILED, "NodeDrained", f"{why} {AFTER_A_DRAIN}")
    _final(run, found, reason=why)
    return BEAT


def _leave(run: Run) -> None:
    """Gives back what others lent: the nodes, and the place among those who wait for a build."""
    prepare.no_longer_waits(run.pk)
    placing.release(run.pk)


def _final(run: Run, found: Verdict, *, reason: str) -> None:
    """The last move: with it the run's token dies."""
    if found.state in (State.FAILED, State.NOT_RESPONDING):
        error = {"error_code": found.code, "error_message": found.message, "error_details": found.details}
    else:
        error = dict.fromkeys(LIMITS, "")
    cut = {name: text[: LIMITS[name]] for name, text in error.items()}
    if move(run, found.state, reason=reason[:1000], token_digest="", **cut) and run.parent_id:
        wake(run.parent_id)
