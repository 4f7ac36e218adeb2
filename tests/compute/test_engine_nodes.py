"""Nodes on a real engine: made, used, removed, recovered, swept."""

from __future__ import annotations

import uuid

import pytest
from django.conf import settings as site

from studio.compute import engines, placing, scaling, targets, upkeep
from studio.compute.models import Node
from studio.compute.placing import Placed, Refused, Waiting
from studio.containers import containers, networks, stats, volumes
from studio.containers.containers import ContainerSpec

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("docker")]


@pytest.fixture(autouse=True)
def nothing_left(db, django_capture_on_commit_callbacks):
    """Whatever a test left on the engine is removed by the sweep, as it would be after a crash."""
    with django_capture_on_commit_callbacks(execute=True):
        yield
    Node.objects.all().delete()
    upkeep.sweep()
    assert ours() == (set(), set())


def ours():
    labels = {"atelier.site": engines.site(), "atelier.node": None}
    return set(networks.names(labels)), set(volumes.names(labels))


@pytest.fixture
def docker_cluster(cluster):
    return lambda **wanted: cluster(**{"backend": "docker", "idle_seconds_before_scaledown": 0, **wanted})


def placed(lab):
    answer = placing.place("a", lab.pk, "cpu")
    assert isinstance(answer, Placed), answer
    return answer


def test_a_cluster_grows_to_two_and_back_to_none_with_all_it_had_on_the_engine(lab, docker_cluster, settle):
    target = docker_cluster()
    assert ours() == (set(), set())
    answer = placing.place("a", lab.pk, "cpu", nodes=2)
    assert isinstance(answer, Placed)
    made = {node.network for node in answer.nodes}
    assert ours() == (made, made) and len(made) == 2
    assert answer.nodes[0].cpus <= engines.for_backend("docker")[0].cpus
    placing.release("a")
    settle(target)
    assert ours() == (set(), set())
    assert not target.nodes_set.exists()


def test_a_node_whose_volume_is_still_in_use_leaves_when_it_is_free(lab, docker_cluster, settle):
    target = docker_cluster(max_nodes=1)
    node = placed(lab).nodes[0]
    name = f"atelier-test-{uuid.uuid4().hex[:8]}"
    spec = ContainerSpec(name, site.BASE_IMAGE, ["sleep", "60"], "10001:10001", volumes={"/mnt/node": node.volume})
    containers.create(spec)
    try:
        placing.release("a")
        settle(target)
        assert list(target.nodes_set.values_list("state", flat=True)) == ["leaving"]
    finally:
        containers.remove(name)
    upkeep.tick()
    assert not target.nodes_set.exists()
    assert ours() == (set(), set())


def test_a_worker_killed_between_row_and_engine_loses_nothing(lab, docker_cluster, settle):
    target = docker_cluster(idle_seconds_before_scaledown=60)
    node = scaling.add_nodes(target, 1, "as 1 run waits")[0]  # killed here: a row, nothing on the engine
    upkeep.tick()
    node.refresh_from_db()
    assert node.state == "idle" and networks.exists(node.network)
    networks.remove(node.network)  # killed in the middle of the removal: half of it is gone
    scaling.leave([node])
    upkeep.tick()
    assert ours() == (set(), set())


def test_what_no_row_owns_is_swept_and_what_belongs_to_another_site_is_not(lab, docker_cluster):
    placing.place("a", lab.pk, "local")
    docker_cluster()
    stray, foreign = (f"atelier-test-{uuid.uuid4().hex[:8]}" for _ in "ab")
    networks.create(stray, {"atelier.site": engines.site(), "atelier.node": "gone"})
    networks.create(foreign, {"atelier.site": "another", "atelier.node": "theirs"})
    try:
        upkeep.sweep()
        assert not networks.exists(stray)
        assert networks.exists(foreign)
    finally:
        networks.remove(foreign)


def test_an_engine_that_does_not_answer_makes_nodes_unusable_and_runs_wait_with_the_reason(
    lab, docker_cluster, settings
):
    target = docker_cluster(max_nodes=1, idle_seconds_before_scaledown=60)
    placing.place("a", lab.pk, "cpu")
    address, settings.DOCKER_HOST = settings.DOCKER_HOST, "unix:///nowhere/docker.sock"
    upkeep.check_engine(target.nodes_set.get().engine)
    assert target.nodes_set.get().state == "unusable"
    answer = placing.place("b", lab.pk, "cpu")
    assert isinstance(answer, Waiting)
    assert "The Docker engine at unix:///nowhere/docker.sock does not answer" in answer.reason
    settings.DOCKER_HOST = address
    upkeep.tick()
    assert target.nodes_set.get().state == "running"
    assert isinstance(placing.place("a", lab.pk, "cpu"), Placed)


def test_an_engine_that_was_set_back_gives_its_idle_nodes_a_new_network(lab, docker_cluster, settle):
    target = docker_cluster(max_nodes=1, idle_seconds_before_scaledown=60)
    placing.place("a", lab.pk, "cpu")
    placing.release("a")
    node = target.nodes_set.get()
    networks.remove(node.network)
    Node.objects.update(state="unusable", idle_since=None)
    upkeep.tick()
    node.refresh_from_db()
    assert node.state == "idle" and networks.exists(node.network)


def test_gpus_that_the_engine_does_not_have_are_refused(lab, docker_cluster):
    target = docker_cluster()
    type(target).objects.update(vm_size="STANDARD_NC6")
    answer = placing.place("a", lab.pk, "cpu")
    assert isinstance(answer, Refused)
    assert "STANDARD_NC6 has 1 GPU; the Docker engine has none." in answer.message


def test_the_bound_of_a_node_holds_in_its_containers(lab, docker_cluster):
    docker_cluster(vm_size="STANDARD_D1_V2", max_nodes=1)
    node = placed(lab).nodes[0]
    name = f"atelier-test-{uuid.uuid4().hex[:8]}"
    containers.create(
        ContainerSpec(
            name,
            site.BASE_IMAGE,
            ["sh", "-c", "while :; do :; done"],
            "10001:10001",
            network=node.network,
            cpus=node.cpus,
            memory_mb=node.memory_bytes >> 20,
        )
    )
    try:
        containers.start(name)
        use = stats.sample(name)
        assert use is not None
        assert use.memory_limit == (node.memory_bytes >> 20) << 20
        assert use.cpu_percent < 150, "two cores would be 200"
    finally:
        containers.remove(name)


def test_deleting_a_cluster_in_use_ends_its_runs_and_clears_the_engine(lab, docker_cluster, settle, woken):
    target = docker_cluster(min_nodes=1, max_nodes=2)
    placing.place("a", lab.pk, "cpu")
    targets.delete(target, "olga")
    assert placing.withdrawn("a") is not None
    placing.release("a")
    scaling.settle(target.pk)
    assert ours() == (set(), set())
    assert targets.find(lab.pk, "cpu") is None
