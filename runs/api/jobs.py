"""Jobs: what an agent asks and reports with its run's token."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse

from runs.actions import jobs
from runs.api.routing import Call, route
from runs.models import Run
from studio.errors import NotFound
from studio.workspace.models import Role

TAG = "Jobs"
REPORT = {
    "event": "started | finished",
    "task": "number?; which job of a run on several nodes, 0 unless given",
    "rank": "number?; when it speaks of one process of a distributed run",
    "node": "text?",
    "exit_code": "number or null?; null when a signal ended the script",
    "signal": "text?; as SIGKILL",
    "error": "{type, message, traceback}?",
    "at": "time?",
}


def _run(call: Call) -> Run:
    run = Run.objects.select_related("workspace", "snapshot").filter(pk=call.run.id).first()
    if run is None:
        raise NotFound("The run was deleted.")
    return run


@route(
    "POST", "/runs/{id}/job/heartbeat", tag=TAG, summary="Say that the job is alive", need=Role.CONTRIBUTOR, status=204,
    query={"task": "Which job of a run on several nodes."},
)  # fmt: skip
def heartbeat(call: Call) -> Any:
    """Four a minute from each agent."""
    jobs.heartbeat(_run(call), call.number("task", 0, 0, 100))
    return HttpResponse(status=204)


@route(
    "POST",
    "/runs/{id}/job/report",
    tag=TAG,
    summary="Report the script's start or end",
    need=Role.CONTRIBUTOR,
    body=REPORT,
)
def report(call: Call) -> Any:
    """The same report again changes nothing."""
    jobs.report(_run(call), call.json(nul=True))
    return {}


@route(
    "GET", "/runs/{id}/job", tag=TAG, summary="What the job runs", need=Role.CONTRIBUTOR,
    query={"task": "Which job of a run on several nodes."},
    gives="{run_id, command, script, arguments, use_shell_command, env, snapshot_id, snapshot_url, distributed, log_path}",
)  # fmt: skip
def job(call: Call) -> Any:
    """The script or command, its arguments and variables, and where its files are."""
    run = _run(call)
    return jobs.job_of(run, run.workspace.name, run.snapshot.content_id if run.snapshot else None)
