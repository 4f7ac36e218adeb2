"""kill -9 of the worker while runs are in every state, of the web server while points stream: nothing is lost."""

from __future__ import annotations

import pytest

from tests.execution.live import TICKS, ticks_of
from tests.faults.watched import BUILD_SECONDS, Watched

pytestmark = [pytest.mark.docker, pytest.mark.registry, pytest.mark.timeout(300)]
# The same code that the worker runs, in processes that end by SIGKILL when their run has come to a state.
STEP = """
import os, signal, time
from django.db import connections
from runs.execution import worker
from runs.execution.lease import keep, lease
for run_id, state in {wanted!r}.items():
    connections.close_all()
    child = os.fork()
    if child == 0:
        with lease(run_id) as run:
            while run.state != state:
                worker._one(run)
                keep(run)
                time.sleep(0.05)
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
"""
HALF_A_MINUTE_PASSES = (
    "from django.utils import timezone; from studio.environments.models import Build;"
    "Build.objects.filter(state='Building').update(leased_until=timezone.now())"
)


def test_a_worker_killed_with_a_run_in_every_state_is_not_missed(live: Watched):
    with live.cluster("one", max_nodes=1) as one:
        running = live.job(TICKS, "80", "0.1", target=one)
        live.says(running, "tick 2", BUILD_SECONDS)
        waiting = live.job(TICKS, "80", "0.001", target=one)
        live.shows(waiting, "Next on one: needs 1 node")
        cancelled, building = live.job(TICKS, "6000", "0.05"), live.dockerfile("RUN echo half-built && sleep 5")
        live.says(cancelled, "tick 2")
        live.until(building, lambda run: "\nhalf-built" in live.file_of(building, "build"), BUILD_SECONDS, "it builds")
        live.stack.kill("worker")
        live.cancel(cancelled)
        assert live.get(cancelled)["status"] == "CancelRequested"
        states = ("Starting", "Preparing", "Queued", "Running", "Finalizing")
        others = {live.job(TICKS, "80", "0.001"): state for state in states}
        live.python(STEP.format(wanted=others))
        assert {run_id: live.get(run_id)["status"] for run_id in others} == others
        live.python(HALF_A_MINUTE_PASSES)
        live.stack.revive()
        assert live.ends(cancelled)["status"] == "Canceled"
        for run_id in (running, waiting, *others):
            live.completes(run_id)
            assert ticks_of(live.log(run_id)) == live.metric(run_id, "tick") == list(range(80))
        live.completes(building)
        assert "Try 2 of 3: the worker that built this before is gone." in live.file_of(building, "build")


def test_a_web_server_killed_while_points_stream_gets_each_line_and_point_when_it_is_back(live: Watched):
    run_id = live.job(TICKS, "60", "0.05")
    live.says(run_id, "tick 2", BUILD_SECONDS)
    live.stack.kill("web")
    live.stack.revive()
    live.says(run_id, "tick 12")
    live.stack.kill("web")
    live.stack.revive()
    live.completes(run_id)
    assert ticks_of(live.log(run_id)) == live.metric(run_id, "tick") == list(range(60))


def test_a_cancel_and_a_time_limit_end_a_run_in_whatever_state_it_is(live: Watched):
    with live.cluster("other", max_nodes=1) as other:
        running = live.job(TICKS, "6000", "0.05", target=other)
        limited = live.job(TICKS, "6000", "0.05", maxRunDurationSeconds=1)
        building = live.dockerfile("RUN echo to-be-cancelled && sleep 600")
        live.says(running, "tick 2", BUILD_SECONDS)
        waiting = live.job(TICKS, "1", "0", target=other)
        live.shows(waiting, "Next on other: needs 1 node")
        live.until(
            building, lambda run: "\nto-be-cancelled" in live.file_of(building, "build"), BUILD_SECONDS, "it builds"
        )
        for run_id in (waiting, building, running):
            live.cancel(run_id)
        for run_id in (waiting, building, running):
            assert live.ends(run_id, 20)["status"] == "Canceled"
    live.fails(limited, "TimeLimitExceeded", "longer than its limit of 1 seconds (max_run_duration_seconds)")


def test_the_ways_to_end_are_told_apart_on_the_page(live: Watched):
    """What a job's memory limit does is in tests/execution/test_docker_jobs.py."""
    ends = [
        (live.job("raise SystemExit(3)"), "ExitCode", "exit code 3"),
        (live.job("import os; os.kill(os.getpid(), 11)"), "Signal", "ended by the signal SIGSEGV"),
    ]
    for run_id, code, sentence in ends:
        live.fails(run_id, code, sentence)
