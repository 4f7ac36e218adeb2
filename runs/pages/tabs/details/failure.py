"""What a failed run opens with: the sentence that says what went wrong, and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from runs.models import Run, RunTask
from runs.queries.files import file_of
from runs.states import State
from studio.errors import NotFound


@dataclass(frozen=True)
class Failure:
    """``headline`` is the last traceback line or the reason; ``ended`` how the process ended; ``find`` the log's line.

    ``log`` is empty for a run that came to no log.
    """

    title: str
    code: str
    headline: str
    ended: str
    traceback: str
    hint: str
    log: str
    find: str


BUILD_LOG = "azureml-logs/20_image_build_log.txt"
MAIN_LOG = "azureml-logs/70_driver_log.txt"

TITLES = {
    "UserError": "The script failed",
    "ExitCode": "The script ended with an error",
    "Signal": "The script was ended by a signal",
    "OutOfMemory": "The memory was not enough",
    "EnvironmentFailed": "The environment could not be built",
    "ComputeRefused": "The compute target refused the run",
    "JobNotStarted": "The job could not be started",
    "JobLost": "The job was lost",
    "NodeLost": "The node was lost",
    "NodeDrained": "The node's host was drained",
}
"""What the codes mean; another code is shown as it is."""

_MISSING_MODULE = re.compile(r"No module named '([\w.]+)'")
_MISSING_FILE = re.compile(r"No such file or directory: '([^']+)'")

Advice = Callable[[re.Match[str]], str]
HINTS: list[tuple[re.Pattern[str], Advice]] = [
    (
        _MISSING_MODULE,
        lambda found: (
            f"Add the package that provides {found[1].split('.')[0]} to the environment's pip or conda dependencies, then resubmit."
        ),
    ),
    (
        _MISSING_FILE,
        lambda found: f"Look on the Snapshot tab whether {found[1]} was submitted; an ignore file may leave it out.",
    ),
    (
        re.compile(r"OutOfMemory|MemoryError|CUDA out of memory|oom", re.IGNORECASE),
        lambda found: "Use smaller batches or less data at once, or a compute target whose nodes have more memory.",
    ),
    (
        re.compile(r"No space left on device"),
        lambda found: "The node's disk is full. Write less, or choose a compute target with a larger disk.",
    ),
    (
        re.compile(r"max_run_duration|longer than|time limit", re.IGNORECASE),
        lambda found: (
            "Raise max_run_duration_seconds in the ScriptRunConfig, or have the script save checkpoints and go on from them."
        ),
    ),
    (
        re.compile(r"unrecognized arguments|the following arguments are required|error: argument"),
        lambda found: "Compare the arguments below with what the script's argument parser expects.",
    ),
]


def hint_for(text: str) -> str:
    """The next step for a known kind of failure, empty when none is known."""
    return next((advice(found) for pattern, advice in HINTS if (found := pattern.search(text))), "")


def last_line(traceback: str) -> str:
    """The last line that is not indented: the exception's own."""
    lines = [line for line in traceback.splitlines() if line.strip() and not line[0].isspace()]
    return lines[-1].strip() if lines else ""


def _ended(task: RunTask | None) -> str:
    if task is None:
        return ""
    if task.signal:
        return f"ended by {task.signal}"
    return f"exit code {task.exit_code}" if task.exit_code is not None else ""


def _log_of(run: Run, path: str) -> str:
    try:
        return file_of(run, path).path
    except NotFound:
        return ""


def failure_of(run: Run) -> Failure | None:
    """The failure of a run that Failed or stopped responding; None for any other. Up to three queries: the job's report, its log."""
    if run.state not in (State.FAILED, State.NOT_RESPONDING):
        return None
    tasks = RunTask.objects.filter(run=run).order_by("-attempt", "index")
    task = next((t for t in tasks if t.exit_code or t.signal or t.error_message), None)
    traceback = run.error_details or (task.error_traceback if task else "")
    line = last_line(traceback)
    message = run.error_message or (task.error_message if task else "")
    # Of a distributed run the sentence says more than the line: which rank, where, and in which line of which file.
    of_a_rank = message.startswith("Rank ")
    headline = line if line and not of_a_rank and line in (message or line) else message or line
    code = run.error_code or (task.error_type if task else "") or "Failed"
    log = _log_of(run, BUILD_LOG if code == "EnvironmentFailed" else MAIN_LOG)
    return Failure(
        title=TITLES.get(code, code),
        code=code,
        headline=headline or "The run failed and left no message; its log may say more.",
        ended=_ended(task),
        traceback=traceback.strip(),
        hint=hint_for(f"{code}\n{message}\n{line}"),
        log=log,
        find=line,
    )
