"""What a swarm says of a task, in a backend's words: nothing is called running, or ended, that is not known to be."""

from __future__ import annotations

import pytest

from runs.execution.backends.swarm import look_of_ended, name_of, secret_of, waits_for
from runs.execution.executor import Job
from studio.containers.containers import ContainerState
from studio.containers.services import Task


def task(state: str, **more) -> Task:
    fields = {"id": "t", "desired": "running", "message": "", "error": "", "host": "h", "container": "", "at": None}
    return Task(**{**fields, "state": state, "exit_code": None, **more})


def test_a_task_without_room_says_the_swarms_own_reason_and_one_on_its_way_says_nothing():
    crowded = task("pending", error="no suitable node (insufficient resources on 1 node)")
    assert waits_for(crowded) == (
        "The swarm has not started it yet: no suitable node (insufficient resources on 1 node)."
    )
    assert waits_for(task("preparing", message="preparing")) == ""


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("rejected", "The host refused the job: No such image."),
        ("orphaned", "The job's host was lost: No such image."),
        ("shutdown", "The swarm ended the job, as it does when its host is drained: No such image."),
        ("remove", "The job's service was removed: No such image."),
    ],
)
def test_a_task_that_never_ran_has_no_exit_code_and_a_sentence(state: str, words: str):
    look = look_of_ended(task(state, error="No such image"), None)
    assert (look.state, look.exit_code, look.error) == ("exited", None, words)


@pytest.mark.parametrize(("code", "signal"), [(0, ""), (7, ""), (137, "SIGKILL"), (143, "SIGTERM")])
def test_an_exit_code_that_the_manager_knows_is_believed_when_the_host_is_silent(code: int, signal: str):
    look = look_of_ended(task("failed" if code else "complete", exit_code=code, error="task: non-zero exit"), None)
    assert (look.exit_code, look.signal) == (code, signal) and bool(look.error) == bool(code)


def test_the_host_knows_best_why_a_container_ended():
    seen = ContainerState("exited", exit_code=137, oom_killed=True)
    look = look_of_ended(task("failed", exit_code=137, error="task: non-zero exit (137)"), seen)
    assert look.oom_killed and look.exit_code == 137


@pytest.mark.parametrize("run_id", ["plain_1764041234_ab12cd34", "x" * 200, "dé/../mo", "a.b", "-odd-", "UPPER_lower"])
def test_every_run_has_names_that_a_swarm_takes_and_that_tell_runs_apart(run_id: str):
    one, other = Job(run_id=run_id), Job(run_id=run_id + "y")
    names = {name_of(one), name_of(one.delivery()), name_of(other), name_of(Job(run_id=run_id, task=1))}
    assert len(names) == 4 and all(len(name) <= 63 and name.isascii() for name in names)
    assert secret_of(one) == secret_of(one.delivery()) and len(secret_of(one)) <= 64
