"""Jobs as containers on a real engine, through a live server: bounded, unprivileged, and gone afterwards."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.conf import settings

from studio.containers import client, containers, networks, volumes
from tests.execution.live import TICKS, Live, has_all_points, ticks_of
from tests.stack import wait_for

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("stack"), pytest.mark.timeout(400)]
# The base image's own Python; only the SDK is put on top, once for all these tests.
IMAGE = {"python": {"userManagedDependencies": True, "interpreterPath": "python3"}}
BUILD_SECONDS = 240


def environment() -> dict[str, Any]:
    """An image that is ready but for the SDK."""
    return {**IMAGE, "docker": {"baseImage": settings.BASE_IMAGE}}


def submit(live: Live, source: str, *arguments: str, target: str = "local", **definition: Any) -> str:
    """A run in a container."""
    return live.submit(
        source, *arguments, environment=environment(), target=target, docker={"useDocker": True}, **definition
    )


def name_of(run_id: str) -> str:
    """The container of a run's only job."""
    return f"atelier-{run_id}-0-0"


def left_of(run_id: str) -> list[str]:
    """What the engine still holds of a run."""
    return [name for module in (containers, networks, volumes) for name in module.names({"atelier.run": run_id})]


def nothing_is_left_of(run_id: str) -> bool:
    """True as soon as the engine holds nothing of a run that is final; its end is said before its things are removed."""
    wait_for(lambda: not left_of(run_id), 20, f"the engine holds nothing of {run_id}")
    return True


def test_a_container_runs_the_script_without_privileges_and_nothing_of_it_is_left(live: Live):
    looks = (
        TICKS
        + """
import pathlib
status = dict(line.split(":", 1) for line in pathlib.Path("/proc/self/status").read_text().splitlines())
print("uid", os.getuid(), "caps", status["CapEff"].strip(), "nnp", status["NoNewPrivs"].strip(), "socket", os.path.exists("/var/run/docker.sock"))
pathlib.Path("outputs/made.txt").write_text("made")
"""
    )
    run_id = submit(live, looks, "20", "0.05", environmentVariables={"MY_SECRET": "hunter2-hunter2"})
    live.says(run_id, "tick 1", BUILD_SECONDS)
    described = json.dumps(client.api().inspect_container(name_of(run_id)))
    assert "atr_" not in described and "hunter2" not in described
    run = live.ends(run_id)
    assert run["status"] == "Completed" and run["properties"]["AzureML.DerivedImageName"].startswith("azureml/azureml_")
    log = live.log(run_id)
    assert "uid 10001 caps 0000000000000000 nnp 1 socket False" in log
    assert ticks_of(log) == live.metric(run_id, "tick") == list(range(20))
    assert live.artifact(run_id, "outputs/made.txt") == b"made" and nothing_is_left_of(run_id)


def test_a_container_that_is_killed_or_removed_is_told_apart_and_its_log_is_whole(live: Live):
    killed, removed, cancelled = (submit(live, TICKS, "6000", "0.02") for _ in range(3))
    for run_id in (killed, removed, cancelled):
        live.says(run_id, "tick 10", BUILD_SECONDS)
    containers.signal(name_of(killed), "SIGKILL")
    client.api().remove_container(name_of(removed), force=True)
    live.cancel(cancelled)
    run = live.ends(killed)
    assert run["error"]["code"] == "Killed" and "SIGKILL" in run["error"]["message"]
    run = live.ends(removed)
    assert run["error"]["code"] == "JobLost" and "removed while the run was going on" in run["error"]["message"]
    assert live.ends(cancelled)["status"] == "Canceled"
    for run_id in (killed, removed, cancelled):
        ticks = ticks_of(live.log(run_id))
        assert len(ticks) > 10 and ticks == list(range(len(ticks))) and has_all_points(live, run_id, ticks)
        assert nothing_is_left_of(run_id)


@pytest.fixture
def small(live: Live):
    """A cluster whose nodes have little memory."""
    code = "from studio.compute.models import VmSize; VmSize.objects.get_or_create(name='TESTS_SMALL', defaults=dict(cpus=1, memory_gib=0.125, gpus=0, disk_gib=1))"
    live.stack.manage("shell", "--no-imports", "-c", code)
    address = f"/workspaces/{live.stack.workspace}/computes"
    body = {
        "name": "small",
        "type": "AmlCompute",
        "vm_size": "TESTS_SMALL",
        "min_nodes": 0,
        "max_nodes": 1,
        "idle_seconds_before_scaledown": 1,
        "backend": "docker",
    }
    live.client.call("POST", address, json_body=body)
    yield "small"
    live.client.call("DELETE", f"{address}/small")
    wait_for(lambda: not networks.names({"atelier.target": "small"}), 60, "the node's network is gone")


def test_a_job_that_wants_more_memory_than_its_node_has_is_told_so(live: Live, small: str):
    hungry = "print('filling', flush=True)\nheld = [bytearray(1 << 20) for _ in range(4000)]\n"
    run_id = submit(live, hungry, target=small)
    run = live.ends(run_id, BUILD_SECONDS)
    assert run["status"] == "Failed" and run["error"]["code"] == "OutOfMemory" and "memory" in run["error"]["message"]
    assert "filling" in live.log(run_id) and nothing_is_left_of(run_id)


def test_an_image_without_python_says_so_and_a_broken_recipe_ends_the_run(live: Live):
    broken = {
        "docker": {"baseDockerfile": f"FROM {settings.BASE_IMAGE}\nRUN echo no-such-thing && exit 9\n"},
        "python": IMAGE["python"],
    }
    run_id = live.submit("print(1)", environment=broken, docker={"useDocker": True})
    run = live.ends(run_id, BUILD_SECONDS)
    assert run["status"] == "Failed" and "exit 9" in run["error"]["message"], run["error"]
    assert "no-such-thing" in live.log(run_id, "azureml-logs/20_image_build_log.txt") and nothing_is_left_of(run_id)
