"""The door to Docker, on a real engine: containers, networks, volumes."""

from __future__ import annotations

import json
import uuid

import pytest
from django.conf import settings

from studio.containers import client, containers, networks, stats, volumes
from studio.containers.containers import ContainerSpec, File
from studio.errors import Invalid, NotFound

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("docker")]


@pytest.fixture
def name():
    name = f"atelier-test-{uuid.uuid4().hex[:12]}"
    yield name
    containers.remove(name)
    networks.remove(name)
    volumes.remove(name)


def spec(name: str, *command: str, **more) -> ContainerSpec:
    return ContainerSpec(name=name, image=settings.BASE_IMAGE, command=list(command), user="10001:10001", **more)


def finished(name: str) -> containers.ContainerState:
    client.api().wait(name, timeout=60)
    return containers.inspect(name)


def test_a_container_has_no_privileges_and_its_files_are_its_own(name):
    volumes.create(name, {})
    networks.create(name, {})
    made = spec(
        name, "sh", "-c",
        "id -u; grep -E 'CapEff|NoNewPrivs' /proc/self/status; cat /run/secret; echo x > /job/mine && stat -c '%u %a' /job /run/secret; "
        "ulimit -c; cat /dev/shm/x 2>/dev/null; df -k /dev/shm | tail -1; getent hosts server.host >/dev/null && echo host; hostname; ls /var/run/docker.sock",
        volumes={"/job": name}, network=name, aliases=["friend"], hostname="rank-0", shm_bytes=8 << 20, memory_mb=64, cpus=0.5,
        extra_hosts={"server.host": "host-gateway"}, labels={"atelier.test": name},
    )  # fmt: skip
    assert containers.create(made) is True and containers.create(made) is False
    assert containers.inspect(name).status == "created"
    containers.put(
        name, [File("/job", None, 0o755, 10001, 10001), File("/run/secret", b"hidden\n", 0o400, 10001, 10001)]
    )
    containers.start(name)
    containers.start(name)
    state = finished(name)
    said = containers.logs(name).decode()
    assert (
        state.status == "exited" and state.exit_code != 0 and state.started_at and state.finished_at >= state.started_at
    )
    assert said.startswith("10001\nCapEff:\t0000000000000000\nNoNewPrivs:\t1\nhidden\n10001 755\n10001 400\n0\n")
    assert "8192" in said and "host\nrank-0\n" in said and "No such file" in said
    assert "hidden" not in json.dumps(client.api().inspect_container(name))
    assert containers.names({"atelier.test": name}) == [name]
    containers.remove(name)
    containers.remove(name)
    assert containers.inspect(name).status == "absent" and containers.logs(name) == b""
    assert networks.remove(name) and not networks.remove(name) and volumes.remove(name) and not volumes.remove(name)


def test_too_much_memory_is_told_apart_from_an_exit_code(name):
    hungry = "b = bytearray(200 << 20); print(len(b))"
    containers.create(spec(name, "python", "-c", hungry, memory_mb=48))
    containers.start(name)
    state = finished(name)
    assert state.oom_killed and state.exit_code == 137


def test_a_stop_is_polite_and_then_firm(name):
    stubborn = "trap 'echo asked' TERM; echo up; while :; do sleep 0.1; done"
    containers.create(spec(name, "sh", "-c", stubborn))
    containers.start(name)
    assert containers.inspect(name).status == "running"
    while b"up" not in containers.logs(name):
        pass
    containers.signal(name, "SIGTERM")
    containers.stop(name, grace_seconds=1)
    assert finished(name).exit_code == 137 and b"asked" in containers.logs(name)
    containers.signal(name, "SIGTERM")
    containers.stop(name)


def test_a_network_is_found_by_its_name_and_goes_with_what_is_attached(name):
    assert (
        networks.create(name, {"atelier.test": name}) is True and networks.create(name, {"atelier.test": name}) is False
    )
    assert networks.names({"atelier.test": name}) == [name] and networks.gateway(name).count(".") == 3
    containers.create(spec(name, "sleep", "60", network=name))
    containers.start(name)
    assert containers.execute(name, ["sh", "-c", "echo in; exit 3"]) == (3, b"in\n")
    assert networks.remove(name) and not networks.exists(name)
    with pytest.raises(NotFound):
        networks.gateway(name)


def test_what_a_container_uses_is_sampled(name):
    containers.create(spec(name, "sh", "-c", "while :; do :; done", memory_mb=64, cpus=0.2))
    containers.start(name)
    usage = stats.sample(name)
    assert (
        usage and 5 < usage.cpu_percent < 40 and 0 < usage.memory < usage.memory_limit == 64 << 20 and usage.pids >= 1
    )
    containers.remove(name)
    assert stats.sample(name) is None


def test_what_cannot_start_says_why(name):
    containers.create(spec(name, "no-such-program"))
    containers.start(name)
    assert finished(name).exit_code == 127 and b"no-such-program" in containers.logs(name)
    with pytest.raises(NotFound, match="no/such-image"):
        containers.create(ContainerSpec(name=name + "-other", image="no/such-image:1", command=["true"], user="1:1"))
    with pytest.raises(Invalid, match=r"(?i)cpu"):
        containers.create(spec(name + "-much", "true", cpus=10_000))
    assert client.info().cpus >= 1
