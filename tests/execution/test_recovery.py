"""Whatever is killed in mid-run: the right end, every line, every point, and nothing left behind."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.execution.live import TICKS, Live, alive, has_all_points, ticks_of
from tests.stack import wait_for

pytestmark = [pytest.mark.xdist_group("stack"), pytest.mark.timeout(180)]


@pytest.fixture(autouse=True)
def whole(live: Live) -> Iterator[None]:
    """Each test leaves the server as it found it: with all of its processes."""
    yield
    live.stack.revive()


def agent_of(live: Live, run_id: str) -> psutil.Process:
    """The agent of a process job: the child of its wrapper."""
    wrapper = int((live.folder(run_id) / ".run" / "started").read_text())
    return psutil.Process(wrapper).children()[0]


def has_lost_nothing(live: Live, run_id: str, count: int) -> None:
    """All lines and all points, each once and in order."""
    assert ticks_of(live.log(run_id)) == list(range(count)), live.everything(run_id)
    assert live.metric(run_id, "tick") == list(range(count)), live.everything(run_id)
    assert not live.folder(run_id).exists()


def test_a_worker_killed_in_mid_run_is_not_missed(live: Live):
    run_id = live.submit(TICKS, "40", "0.05")
    live.says(run_id, "tick 2")
    live.stack.kill("worker")
    agent = agent_of(live, run_id)
    agent.wait(60)  # the job ends while nobody looks
    assert live.get(run_id)["status"] == "Running"
    live.stack.revive()
    assert live.ends(run_id)["status"] == "Completed"
    has_lost_nothing(live, run_id, 40)


@pytest.mark.parametrize("state", ["Preparing", "Queued", "Finalizing"])
def test_a_worker_killed_in_each_state_leaves_a_run_that_the_next_one_ends(live: Live, state: str, tmp_path: Path):
    """The rows are put where a worker that is killed there leaves them: its lease is its own, its process is gone."""
    live.stack.stop("worker")
    go = tmp_path / "go"
    waits = f"import os, time\nfrom azureml.core import Run\nRun.get_context().log('tick', 0)\nprint('tick', 0, flush=True)\nwhile not os.path.exists({str(go)!r}): time.sleep(0.02)"
    run_id = live.submit(waits)
    # The same code that the worker runs, in a process that ends by SIGKILL when the run is in that state.
    step = (
        "import os, signal\n"
        "from runs.execution import worker, lease\n"
        "from runs.execution.lease import lease as hold, keep\n"
        f"with hold({run_id!r}) as run:\n"
        f"    while run.state != {state!r}:\n"
        "        worker._one(run)\n"
        "        keep(run)\n"
        "        if run.state == 'Running' and not os.path.exists(%r): open(%r, 'w')\n"
        % (str(go), str(go))
        + "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    with pytest.raises(AssertionError):
        live.stack.manage("shell", "--no-imports", "-c", step)
    assert live.get(run_id)["status"] == state
    go.touch()
    live.stack.revive()
    assert live.ends(run_id)["status"] == "Completed"
    has_lost_nothing(live, run_id, 1)


def test_a_web_server_that_is_away_gets_every_line_and_point_when_it_is_back(live: Live):
    run_id = live.submit(TICKS, "60", "0.05")
    live.says(run_id, "tick 2")
    live.stack.kill("web")
    time.sleep(1.0)  # what the script does meanwhile is what the test is about
    live.stack.revive()
    assert live.ends(run_id)["status"] == "Completed"
    has_lost_nothing(live, run_id, 60)


def test_a_script_that_ends_while_the_server_is_away_is_told_of_afterwards(live: Live):
    run_id = live.submit(TICKS, "20", "0.05")
    live.says(run_id, "tick 2")
    live.stack.kill("web")
    output = live.folder(run_id) / "azureml-logs" / "70_driver_log.txt"
    wait_for(lambda: "through" in output.read_text(), 30, "the script is through")
    live.stack.kill("worker")
    live.stack.revive()
    assert live.ends(run_id)["status"] == "Completed"
    has_lost_nothing(live, run_id, 20)


def test_an_agent_that_is_killed_leaves_all_its_script_had_written(live: Live):
    run_id = live.submit(TICKS, "600", "0.05")
    live.says(run_id, "tick 5")
    script = agent_of(live, run_id).children()[0]
    agent_of(live, run_id).kill()
    run = live.ends(run_id)
    assert run["status"] == "Failed" and run["error"]["code"] == "Killed" and "SIGKILL" in run["error"]["message"]
    ticks = ticks_of(live.log(run_id))
    assert len(ticks) > 5 and ticks == list(range(len(ticks))) and has_all_points(live, run_id, ticks)
    wait_for(lambda: not alive(script.pid), 5, "the script has ended too")
    assert not live.folder(run_id).exists()


def test_a_job_of_which_everything_is_killed_is_lost_and_said_so(live: Live):
    run_id = live.submit(TICKS, "600", "0.05")
    live.says(run_id, "tick 3")
    wrapper = psutil.Process(int((live.folder(run_id) / ".run" / "started").read_text()))
    for process in [wrapper, *wrapper.children(recursive=True)]:
        process.kill()
    run = live.ends(run_id)
    assert run["status"] == "Failed" and run["error"]["code"] == "JobLost" and "vanished" in run["error"]["message"]
    ticks = ticks_of(live.log(run_id))
    assert ticks[:4] == [0, 1, 2, 3] and has_all_points(live, run_id, ticks) and not live.folder(run_id).exists()


def test_a_cancel_that_comes_while_no_worker_is_there_counts_when_one_is(live: Live):
    live.stack.kill("worker")
    never = live.submit(TICKS, "600", "0.05")
    live.cancel(never)
    assert live.get(never)["status"] == "CancelRequested"
    live.stack.revive()
    assert live.ends(never)["status"] == "Canceled" and live.states(never) == ["NotStarted", "Canceled"]


def test_two_workers_do_each_run_once(live: Live):
    from scripts.supervisor import worker_command

    second = live.stack.supervisor.add("second", worker_command(threads=4))
    try:
        runs = [live.submit("print('once', flush=True)") for _ in range(4)]
        for run_id in runs:
            assert live.ends(run_id)["status"] == "Completed" and live.log(run_id) == "once\n"
    finally:
        live.stack.supervisor.children.remove(second)
        assert second.process
        os.kill(second.process.pid, signal.SIGTERM)
        second.process.wait(30)
