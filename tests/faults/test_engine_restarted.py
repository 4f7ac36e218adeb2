"""The engine is updated, or crashes, while it builds and while jobs run: SIGTERM and kill -9, with and without live-restore."""

from __future__ import annotations

import signal

import pytest

from tests.execution.live import TICKS, has_all_points, ticks_of
from tests.faults.watched import BUILD_SECONDS, Watched

pytestmark = [pytest.mark.docker, pytest.mark.registry, pytest.mark.timeout(300)]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=lambda how: how.name)
def test_in_mid_build_it_costs_a_try_and_leaves_nothing_of_the_first(live: Watched, how: signal.Signals):
    run_id = live.dockerfile(f"RUN echo begun {how.name} && sleep 4")
    live.until(run_id, lambda run: f"\nbegun {how.name}" in live.file_of(run_id, "build"), BUILD_SECONDS, "it builds")
    live.engine.end(how)
    live.shows(run_id, "The Docker engine")
    live.engine.start()
    live.completes(run_id)
    assert "Another try follows" in live.file_of(run_id, "build")


def test_with_live_restore_jobs_do_not_notice_it(live: Watched):
    live.engine.end(signal.SIGTERM)
    live.engine.start(live_restore=True)
    try:
        run_id = live.job(TICKS, "60", "0.1")
        live.says(run_id, "tick 2", BUILD_SECONDS)
        live.engine.restart(signal.SIGKILL)
        live.engine.restart(signal.SIGTERM)
        live.completes(run_id)
        assert ticks_of(live.log(run_id)) == live.metric(run_id, "tick") == list(range(60))
    finally:
        live.engine.end(signal.SIGTERM)
        live.engine.start()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=lambda how: how.name)
def test_without_live_restore_the_job_ends_and_the_page_says_that_it_was_ended_from_outside(
    live: Watched, how: signal.Signals
):
    run_id = live.job(TICKS, "6000", "0.02")
    live.says(run_id, "tick 5", BUILD_SECONDS)
    live.engine.end(how)
    if how == signal.SIGKILL:  # asked to end, it ends its containers first, and their agents may tell of it in time
        live.shows(run_id, f"The Docker engine at {live.engine.url} does not answer")
    live.engine.start()
    run = live.ends(run_id)
    # Whether the agent has still told of its script's end, or only the engine of the container's.
    assert run["status"] == "Failed" and run["error"]["code"] in ("Signal", "Killed"), live.everything(run_id)
    assert "ended by the signal SIG" in live.run_page(run_id) or "ended from outside" in live.run_page(run_id)
    ticks = ticks_of(live.log(run_id))
    assert len(ticks) > 5 and ticks == list(range(len(ticks))) and has_all_points(live, run_id, ticks)
    live.sweep()  # the run may have been over before its engine was there to be asked for the removal


def test_a_script_that_ends_while_the_engine_is_away_is_completed_when_it_is_back(live: Watched):
    run_id = live.job(TICKS, "20", "0.1")
    live.says(run_id, "tick 2", BUILD_SECONDS)
    live.engine.end(signal.SIGKILL)  # the container lives on: its shim is a process of its own
    live.until(
        run_id, lambda run: run["status"] == "Finalizing" or "through" in live.log(run_id), 60, "the script is through"
    )
    live.shows(run_id, f"The Docker engine at {live.engine.url} does not answer")
    live.engine.start()
    live.completes(run_id)
    assert ticks_of(live.log(run_id)) == live.metric(run_id, "tick") == list(range(20))
