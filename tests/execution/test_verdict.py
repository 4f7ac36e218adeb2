"""How a run's end is found: a table of what happened and what people read."""

from __future__ import annotations

import datetime as dt

import pytest

from runs.execution.verdict import Asked, Ended, verdict
from runs.states import State

T = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
WELL = {"reported": True, "reported_at": T, "exit_code": 0, "started": True, "agent_exit_code": 0}
RAISED = {**WELL, "exit_code": 1, "error_type": "ValueError", "error_message": "ValueError: no such column: Diabetes",
          "error_traceback": "Traceback …"}  # fmt: skip
DIED = {"started": True, "agent_exit_code": 137, "seen_signal": "SIGKILL"}


@pytest.mark.parametrize(
    ("job", "code", "words"),
    [
        (RAISED, "UserError", "ValueError: no such column: Diabetes"),
        ({**WELL, "exit_code": 3, "error_type": "ExitCode", "error_message": "The script ended with exit code 3."}, "ExitCode", "code 3"),
        ({**WELL, "exit_code": None, "signal": "SIGSEGV", "error_type": "Signal", "error_message": "ended by the signal SIGSEGV"}, "Signal", "SIGSEGV"),
        ({**DIED, "oom_killed": True, "memory_mb": 2048}, "OutOfMemory", "limit of 2,048 MB"),
        ({**WELL, "exit_code": None, "error_type": "OutOfMemory", "error_message": "more memory than it may"}, "OutOfMemory", "more memory"),
        (DIED, "Killed", "from outside by the signal SIGKILL"),
        ({"started": True, "seen": "absent"}, "JobLost", "was removed while the run was going on"),
        ({"started": True, "seen_error": "The machine was restarted while the job ran."}, "JobLost", "machine was restarted"),
        ({"agent_exit_code": 127, "last_words": "exec: python: not found"}, "JobNotStarted", "python: not found"),
        ({"started": True, "agent_exit_code": 1, "last_words": "OSError: disk"}, "AgentFailed", "OSError: disk"),
        # Another agent delivered a traceback, but how the script ended nobody saw.
        ({**DIED, "reported": True, "reported_at": T, "error_type": "KeyError", "error_message": "KeyError: old"}, "Killed", "SIGKILL"),
    ],
)  # fmt: skip
def test_each_way_to_fail_has_its_own_code_and_sentence(job, code, words):
    found = verdict(Asked(), [Ended(**job)])
    assert (found.state, found.code) == (State.FAILED, code)
    assert words in found.message


def test_a_script_that_ends_well_completes_and_one_that_says_it_failed_has_failed():
    assert verdict(Asked(), [Ended(**WELL)]).state == State.COMPLETED
    said = verdict(Asked(said_status="Failed", said_message="AUC too low"), [Ended(**WELL)])
    assert (said.state, said.message) == (State.FAILED, "AUC too low")
    # What it says of success counts for nothing when it then fails.
    assert verdict(Asked(said_status="Completed"), [Ended(**RAISED)]).state == State.FAILED


def test_a_cancel_counts_unless_the_work_was_whole_before_it():
    assert verdict(Asked(cancel_at=T), [Ended(**WELL)]).state == State.CANCELED
    assert verdict(Asked(cancel_at=T + dt.timedelta(seconds=1)), [Ended(**WELL)]).state == State.COMPLETED
    assert verdict(Asked(cancel_at=T), [Ended(**DIED)]).state == State.CANCELED
    assert verdict(Asked(cancel_at=T), []).state == State.CANCELED


def test_a_time_limit_is_said_with_its_seconds():
    found = verdict(Asked(time_limit=5), [Ended(**WELL)])
    assert found.state == State.FAILED and "limit of 5 seconds" in found.message


def test_of_several_jobs_the_first_that_tells_why_speaks_and_is_named():
    ended_with_it = {
        **WELL,
        "exit_code": None,
        "signal": "SIGTERM",
        "error_type": "Signal",
        "error_message": "SIGTERM",
        "reported_at": T,
    }
    guilty = {**RAISED, "reported_at": T + dt.timedelta(seconds=1), "index": 1, "node": "cpu-2"}
    found = verdict(Asked(), [Ended(**ended_with_it), Ended(**guilty)])
    assert found.message == "Node 1 (cpu-2): ValueError: no such column: Diabetes" and found.details == "Traceback …"
