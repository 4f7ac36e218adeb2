"""What a run's end was: a function of what was asked, what the agents reported and what the backend saw. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from runs.execution.gang_verdict import RankEnded, first_failure, words
from runs.states import State

# What Run.stopped_for says of a run that took too long; also the error's code.
TIME_LIMIT = "TimeLimitExceeded"
COMPUTE_DELETED = "ComputeDeleted"  # its target was deleted while it ran
# The agent's own exit codes; see atelier_jobs.agent.run.
AGENT_UNDELIVERED, AGENT_NOT_STARTED = 75, 78


@dataclass(frozen=True)
class Ended:
    """The end of one job. The first part is the agent's report, the second what the backend saw of the agent."""

    index: int = 0
    node: str = ""
    reported: bool = False
    reported_at: dt.datetime | None = None
    exit_code: int | None = None
    signal: str = ""
    error_type: str = ""
    error_message: str = ""
    error_traceback: str = ""
    started: bool = False
    seen: str = "exited"  # or "absent"
    agent_exit_code: int | None = None
    oom_killed: bool = False
    seen_signal: str = ""
    seen_error: str = ""
    memory_mb: int | None = None
    last_words: str = ""

    @property
    def went_well(self) -> bool:
        """Whether the script ended with exit code 0, and said so."""
        return self.reported and self.exit_code == 0 and not self.error_type


@dataclass(frozen=True)
class Verdict:
    """The state a run ends in; an error's `code`, `message` and `details` (the traceback) when it did not end well."""

    state: State
    code: str = ""
    message: str = ""
    details: str = ""


@dataclass(frozen=True)
class Asked:
    """What people and the script itself wanted, and what the worker had to do."""

    cancel_at: dt.datetime | None = None
    said_status: str = ""
    said_message: str = ""
    time_limit: int | None = None
    """The limit in seconds when the worker stopped the run for it, else None."""
    withdrawn: str = ""
    """Why the run's compute target was taken from it, as a sentence, when the worker stopped it for that."""


def verdict(asked: Asked, jobs: Sequence[Ended], ranks: Sequence[RankEnded] = ()) -> Verdict:
    """The run's end. Of several jobs the one that failed first speaks; of a distributed run, its first failing rank."""
    if asked.time_limit is not None:
        return Verdict(
            State.FAILED,
            TIME_LIMIT,
            f"The run was stopped as it took longer than its limit of {asked.time_limit} seconds (max_run_duration_seconds).",
        )
    if asked.withdrawn:
        return Verdict(State.FAILED, COMPUTE_DELETED, asked.withdrawn)
    if asked.cancel_at and not _all_well_before(asked.cancel_at, jobs):
        return Verdict(State.CANCELED)
    failed = sorted((job for job in jobs if not job.went_well), key=_when)
    culprit = first_failure(ranks) if failed else None
    if culprit and not any(job.oom_killed for job in failed):
        return Verdict(State.FAILED, *words(culprit))
    if failed:
        code, message, details = cause(failed[0])
        if len(jobs) > 1:
            message = f"Node {failed[0].index} ({failed[0].node}): {message}"
        return Verdict(State.FAILED, code, message, details)
    if asked.said_status == State.FAILED:
        return Verdict(State.FAILED, "UserError", asked.said_message or "The script called run.fail().")
    if asked.said_status == State.CANCELED:
        return Verdict(State.CANCELED)
    return Verdict(State.COMPLETED)


def _all_well_before(moment: dt.datetime, jobs: Sequence[Ended]) -> bool:
    """A run that was through when the cancel came is completed: its work is whole."""
    return bool(jobs) and all(job.went_well and job.reported_at and job.reported_at < moment for job in jobs)


def _when(job: Ended) -> tuple[bool, dt.datetime]:
    """Jobs that say what went wrong go before those that were merely ended with them."""
    last = dt.datetime.max.replace(tzinfo=dt.UTC)
    tells = bool(job.error_type and job.error_type != "Signal") or job.oom_killed
    return not tells, job.reported_at or last


def cause(job: Ended) -> tuple[str, str, str]:
    """(code, message, details) of one job that did not end well."""
    if job.oom_killed and job.exit_code is None and job.error_type != "OutOfMemory":
        limit = f" of {job.memory_mb:,} MB" if job.memory_mb else ""
        return (
            "OutOfMemory",
            f"The job used more memory than its limit{limit}: the kernel ended it. Use less memory, or a larger vm_size.",
            job.error_traceback,
        )
    if job.error_type in ("OutOfMemory", "Signal", "ExitCode"):
        return job.error_type, job.error_message, job.error_traceback
    if job.error_type and (job.exit_code is not None or job.agent_exit_code in (0, AGENT_UNDELIVERED)):
        return "UserError", job.error_message, job.error_traceback
    return _without_report(job)


def _without_report(job: Ended) -> tuple[str, str, str]:
    """The agent could not say how the script ended."""
    said = f" Its last words: {job.last_words}" if job.last_words else ""
    if job.seen == "absent":
        return (
            "JobLost",
            "The job vanished: its container or process was removed while the run was going on." + said,
            job.error_traceback,
        )
    if job.agent_exit_code is None:
        return "JobLost", job.seen_error or "The job vanished without an exit code.", job.error_traceback
    if not job.started and job.agent_exit_code not in (137, 143):
        return (
            "JobNotStarted",
            f"The job could not start: {(job.last_words or job.seen_error or f'exit code {job.agent_exit_code}').rstrip('.')}.",
            "",
        )
    if job.seen_signal:
        return (
            "Killed",
            f"The job was ended from outside by the signal {job.seen_signal}; the script did not end by itself.",
            job.error_traceback,
        )
    return (
        "AgentFailed",
        f"The job's agent ended with exit code {job.agent_exit_code} before the script's end was known.{said}",
        job.error_traceback,
    )
