"""Jobs on two hosts of a swarm, end to end: distributed runs, what a host shows of them, and a host that is lost."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from studio.containers import images
from studio.environments import sdk_wheel
from studio.environments.building.image import KEY_LABEL
from tests.environments.builders import definition
from tests.execution.live import TICKS, UNTIL_TOLD, USER_MANAGED, Live, ticks_of
from tests.stack import Stack, answer_of, running_stack, wait_for
from tests.swarm import Engine, Swarm

HERE = Path(__file__).parent
pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("docker"), pytest.mark.timeout(500)]
BUILD_SECONDS = 120


@pytest.fixture(scope="module")
def hosts(swarm: Swarm) -> Iterator[Stack]:
    """A server whose clusters are on the two hosts."""
    wheels = os.environ.get("ATELIER_WHEELS") or str(Path.home() / ".cache" / "atelier" / "wheels")
    told = {"ATELIER_COMPUTE_BACKEND": "swarm", "ATELIER_ENGINE_AWAY_SECONDS": "5", "ATELIER_FIND_LINKS": wheels}
    with running_stack(reached_at=swarm.here, **swarm.environment, **told) as stack:
        yield stack


@pytest.fixture
def live(hosts: Stack, swarm: Swarm) -> Iterator[Live]:
    """The same, with a client; whatever a test made is taken back after it, also when it failed."""
    made = Live(hosts)
    yield made
    take_back(made)
    with contextlib.suppress(AssertionError):  # of what is left, the test that asks tells
        wait_for(lambda: nothing_left(swarm), 60, "both hosts hold nothing")


def take_back(live: Live) -> None:
    """Deletes all clusters, which ends their runs."""
    computes = f"/workspaces/{live.stack.workspace}/computes"
    for target in live.client.call("GET", computes)["items"]:
        if target["type"] == "AmlCompute":
            live.client.call("DELETE", f"{computes}/{target['name']}")


def story(stack: Stack, folder: Path, script: str, *arguments: str, **more: str) -> None:
    done = stack.run_script(HERE / script, *arguments, folder=folder, seconds=380, **more)
    assert done.returncode == 0 and "story: ok" in done.stdout, answer_of(done) + stack.log("worker")


def left_on(engine: Engine) -> list[str]:
    """What an engine still holds of runs and nodes."""
    found = []
    for kind, words in {"container": ("-a",), "network": (), "volume": ()}.items():
        for label in ("atelier.run", "atelier.node"):
            found += engine.docker(kind, "ls", "-q", *words, "--filter", f"label={label}").split()
    return found


def nothing_left(swarm: Swarm) -> bool:
    """Whether both hosts, and the manager's lists, are as they were before."""
    kept = [*left_on(swarm.one), *left_on(swarm.two)]
    return not kept + swarm.one.docker("service", "ls", "-q").split() + swarm.one.docker("secret", "ls", "-q").split()


def test_ranks_of_every_kind_on_two_hosts_of_a_cluster_that_grows_and_shrinks(
    hosts: Stack, swarm: Swarm, tmp_path: Path
):
    story(hosts, tmp_path, "ranks.py", "rank-cluster", STORY_IMAGE=os.environ["ATELIER_BASE_IMAGE"])
    wait_for(lambda: nothing_left(swarm), 30, "both hosts hold nothing")


def cluster(live: Live, name: str, nodes: int = 2) -> str:
    """A cluster of two nodes at most; on two hosts each gets one."""
    body = {"name": name, "type": "AmlCompute", "vm_size": "STANDARD_D2_V2", "max_nodes": nodes}
    body |= {"idle_seconds_before_scaledown": 60}
    live.client.call("POST", f"/workspaces/{live.stack.workspace}/computes", json_body=body)
    return name


def hosts_of(live: Live, run_id: str, target: str) -> dict[str, str]:
    """{host: node} of the nodes that a run has."""
    nodes = live.client.call("GET", f"/workspaces/{live.stack.workspace}/computes/{target}/nodes")["items"]
    return {node["engine"]: node["name"] for node in nodes if node["run_id"] == run_id}


def submit(live: Live, target: str, source: str, *arguments: str, **definition: Any) -> str:
    """A run in the base image."""
    environment = {**USER_MANAGED, "docker": {"baseImage": os.environ["ATELIER_BASE_IMAGE"]}}
    environment["python"] = {**USER_MANAGED["python"], "interpreterPath": "python3"}
    return live.submit(source, *arguments, environment=environment, target=target, **definition)


DDP = {"framework": "PyTorch", "communicator": "Gloo", "nodeCount": 2, "pyTorch": {"processCount": 2}}


def test_what_a_host_shows_of_a_job_holds_no_secret_and_no_privilege(live: Live, swarm: Swarm):
    target = cluster(live, "shown")
    looks = TICKS + (
        "import pathlib\n"
        "status = dict(line.split(':', 1) for line in pathlib.Path('/proc/self/status').read_text().splitlines())\n"
        "print('uid', os.getuid(), 'caps', status['CapEff'].strip(), 'nnp', status['NoNewPrivs'].strip())\n"
        "print('limits', *(pathlib.Path('/sys/fs/cgroup', kind).read_text().strip() for kind in\n"
        "      ('pids/pids.max', 'memory/memory.limit_in_bytes')) if os.path.exists('/sys/fs/cgroup/pids') else ())\n"
    )
    run_id = submit(live, target, looks, "40", "0.1")
    live.says(run_id, "tick 3", BUILD_SECONDS)
    host = next(iter(hosts_of(live, run_id, target)))
    engine = swarm.one if host == "one" else swarm.two
    container = engine.docker("ps", "-q", "--filter", f"label=atelier.run={run_id}")
    service = swarm.one.docker("service", "ls", "-q", "--filter", f"label=atelier.run={run_id}")
    described = engine.docker("inspect", container) + swarm.one.docker("service", "inspect", service)
    assert "atr_" not in described and json.loads(engine.docker("inspect", container))[0]["HostConfig"]["Init"]
    assert live.ends(run_id)["status"] == "Completed"
    log = live.log(run_id)
    assert "uid 10001 caps 0000000000000000 nnp 1" in log and ticks_of(log) == list(range(40)), log
    wait_for(lambda: not swarm.one.docker("secret", "ls", "-q"), 10, "the run's secret is gone")


def on_both_hosts(live: Live, target: str) -> tuple[str, str]:
    """Two runs of two nodes that go on until they are told: one as it is, one that may be tried again once."""
    ends, again = (submit(live, target, UNTIL_TOLD, **DDP, **more) for more in ({}, {"maxRetries": 1}))
    for run_id in (ends, again):
        live.says(run_id, "tick 1", BUILD_SECONDS)
        assert set(hosts_of(live, run_id, target)) == {"one", "two"}
    return ends, again


def completes_on_one(live: Live, run_id: str, target: str) -> None:
    """The run was tried again, on the host that is left, and ends well when it is told to."""
    live.until(
        run_id,
        lambda run: run["status"] == "Running" and set(hosts_of(live, run_id, target)) == {"one"},
        120,
        "the run goes on, on one host",
    )
    events = live.client.call("GET", f"/runs/{run_id}/events")["items"]
    assert any("Tried again (1 of 1)" in event["reason"] for event in events), events
    live.enough(run_id)
    assert live.ends(run_id, 120)["status"] == "Completed"


def test_a_lost_host_ends_a_run_on_all_hosts_or_has_it_tried_again_and_is_clean_when_it_is_back(
    live: Live, swarm: Swarm
):
    target = cluster(live, "lossy", nodes=4)
    ends, again = on_both_hosts(live, target)
    swarm.two.cut()
    try:
        lost = live.ends(ends)
        assert (lost["status"], lost["error"]["code"]) == ("NotResponding", "NodeLost"), lost["error"]
        assert "The host two is down in the swarm" in lost["error"]["message"], lost["error"]
        assert not left_of(swarm.one, ends), "the rank on the other host ended with it"
        completes_on_one(live, again, target)
    finally:
        swarm.two.plug()
        swarm.has("ready")
    wait_for(lambda: not [*left_of(swarm.two, ends), *left_of(swarm.two, again)], 60, "its containers are gone")
    live.sweep()
    take_back(live)
    wait_for(lambda: not left_on(swarm.two), 60, "nothing of its nodes is left")


def test_a_host_that_is_drained_ends_a_run_or_has_it_tried_again_elsewhere_and_keeps_nothing(live: Live, swarm: Swarm):
    target = cluster(live, "drained", nodes=4)
    ends, again = on_both_hosts(live, target)
    with swarm.out_of_service(swarm.two):
        ended = live.ends(ends)
        assert (ended["status"], (ended["error"] or {}).get("code")) == ("Failed", "NodeDrained"), ended
        assert "the host two is being drained in the swarm" in ended["error"]["message"], ended["error"]
        completes_on_one(live, again, target)
        wait_for(lambda: not left_on(swarm.two), 60, "nothing is left on the drained host")


def left_of(engine: Engine, run_id: str) -> list[str]:
    """The containers of a run on one host."""
    return engine.docker("ps", "-aq", "--filter", f"label=atelier.run={run_id}").split()


def test_a_plain_engine_that_loses_its_power_ends_its_runs_or_has_them_tried_again_when_it_is_back(swarm: Swarm):
    """One of the two engines by itself, without the swarm."""
    engine = swarm.two
    told = {"DOCKER_HOST": f"unix://{engine.socket}", "ATELIER_COMPUTE_BACKEND": "docker"}
    with running_stack(reached_at=swarm.here, ATELIER_ENGINE_AWAY_SECONDS="5", **told) as stack:
        live = Live(stack)
        target = cluster(live, "plain")
        ends, again = (submit(live, target, UNTIL_TOLD, **more) for more in ({}, {"maxRetries": 1}))
        for run_id in (ends, again):
            live.says(run_id, "tick 1", BUILD_SECONDS)
        engine.kill()
        try:
            lost = live.ends(ends)
            assert (lost["status"], lost["error"]["code"]) == ("NotResponding", "NodeLost"), lost["error"]
            assert "does not answer" in lost["error"]["message"], lost["error"]
            waits = live.reaches(again, "Provisioning")
            events = live.client.call("GET", f"/runs/{again}/events")["items"]
            assert any("Tried again (1 of 1)" in event["reason"] for event in events), (waits, events)
        finally:
            engine.start()
            engine.ready()
            swarm.has("ready")
        live.reaches(again, "Running", 120)
        live.enough(again)
        assert live.ends(again, 120)["status"] == "Completed"
        assert live.log(again).count("through") == 1
        live.sweep()
        assert not left_of(engine, ends) and not left_of(engine, again)
        take_back(live)
        mine = ("--filter", f"label=atelier.target={target}")
        wait_for(lambda: not engine.docker("volume", "ls", "-q", *mine), 60, "its volumes are gone")


@contextlib.contextmanager
def registry_at(address: str, folder: Path) -> Iterator[str]:
    """Debian's docker-registry, where all hosts reach it; its address with the port."""
    with socket.create_server((address, 0)) as probe:
        place = f"{address}:{probe.getsockname()[1]}"
    config = folder / "registry.yml"
    config.write_text(
        f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {folder / 'registry'}}}}}\n"
        f"http: {{addr: '{place}'}}\n"
    )
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen([os.environ["DOCKER_REGISTRY"], "serve", str(config)], **quiet)

    def answers() -> bool:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://{place}/v2/", timeout=2) as response:
            return response.status == 200
        return False

    try:
        wait_for(answers, 20, "the registry answers")
        yield place
    finally:
        process.terminate()
        process.wait(20)


@pytest.mark.registry
def test_an_image_is_built_once_and_comes_to_the_other_host_from_the_registry(swarm: Swarm, tmp_path: Path):
    with (
        registry_at(swarm.here, tmp_path) as registry,
        running_stack(
            reached_at=swarm.here,
            **swarm.environment,
            ATELIER_COMPUTE_BACKEND="swarm",
            ATELIER_WORKSPACE_REGISTRY=registry,
        ) as stack,
    ):
        live = Live(stack)
        target = cluster(live, "fetching")
        wanted = definition("fetched", pip=["idna==3.10"], docker={"baseImage": os.environ["ATELIER_BASE_IMAGE"]})
        run_id = live.submit(TICKS, "1", "0", environment=wanted, target=target, **DDP)
        ended = live.ends(run_id, 240)
        assert ended["status"] == "Completed", (ended, live.everything(run_id))
        show = "from studio.environments.models import Build; print([[b.state, b.source] for b in Build.objects.order_by('pk')])"
        builds = stack.manage("shell", "--no-imports", "-c", show).splitlines()[-1]
        assert builds == "[['Succeeded', 'built'], ['Succeeded', 'workspace registry']]", builds
        # An image's id is the digest of its configuration, which names each layer by its digest.
        listed = [
            engine.docker("image", "ls", "--no-trunc", "--format", "{{.Repository}} {{.ID}}")
            for engine in swarm.engines
        ]
        built, fetched = ({line for line in text.splitlines() if line.startswith("azureml/")} for text in listed)
        assert built & fetched, listed
        take_back(live)
        wait_for(lambda: nothing_left(swarm), 60, "both hosts hold nothing")


def built_already() -> list[str]:
    """Images with PyTorch (the large ones) and this very SDK that tests before this one had the suite's engine build."""
    found = images.list_images({KEY_LABEL: None})
    ours = [tag for one in found if one.size > 10**9 for tag in one.tags]
    return [tag for tag in ours if tag.endswith(f":{sdk_wheel.digest()[:12]}")]


@pytest.mark.wheels
def test_horovod_and_ddp_learn_over_two_hosts_what_one_process_learns(hosts: Stack, swarm: Swarm, tmp_path: Path):
    swarm.load(*built_already())
    story(hosts, tmp_path, "horovod_2x2.py")
    wait_for(lambda: not swarm.one.docker("service", "ls", "-q"), 30, "no service is left")
