"""The hosts of a swarm as places for nodes: found, spread over, and left alone when they take no work. Two real engines."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.conf import settings as site

from studio.compute import engines, hosts, placing, scaling, upkeep
from studio.compute.models import Engine, Node
from studio.compute.placing import Placed, Refused, Waiting
from studio.containers import networks, volumes
from tests.swarm import Swarm

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("docker")]


@pytest.fixture
def pool(lab, swarm: Swarm, settings, cluster, django_capture_on_commit_callbacks) -> Iterator:
    """Makes clusters on the swarm; afterwards nothing of them is left on either host."""
    for name, value in swarm.environment.items():
        setattr(settings, name, value)
    with django_capture_on_commit_callbacks(execute=True):
        yield lambda **wanted: cluster(**{"backend": "swarm", "idle_seconds_before_scaledown": 0, **wanted})
    Node.objects.all().delete()
    upkeep.sweep()
    marks = {"atelier.node": None}
    assert not networks.names(marks)
    assert not volumes.names(marks)
    assert not volumes.names(marks, engine=swarm.two.url)


def test_two_nodes_are_on_two_hosts_with_a_network_across_both_and_go_with_all_they_had(lab, pool, settle, swarm):
    target = pool()
    answer = placing.place("a", lab.pk, "cpu", nodes=2)
    assert isinstance(answer, Placed)
    one, two = sorted(answer.nodes, key=lambda node: node.engine)
    assert (one.engine, one.host) == ("", swarm.one.id)
    assert (two.engine, two.host) == (swarm.two.url, swarm.two.id)
    assert {one.network, two.network} == set(networks.names({"atelier.node": None})), "the manager holds both"
    assert volumes.names({"atelier.node": None}, engine=swarm.two.url) == [two.volume]
    assert volumes.names({"atelier.node": None}) == [one.volume]
    placing.release("a")
    settle(target)
    assert not target.nodes_set.exists()


def test_a_host_whose_engine_is_not_known_carries_nothing_and_says_how_to_tell(lab, pool, swarm):
    pool()
    swarm.one.docker("node", "update", "--label-rm", "atelier.engine", "two")
    try:
        hosts.refresh()
        two = Engine.objects.get(host_id=swarm.two.id)
        assert not two.available
        assert "docker node update --label-add atelier.engine=tcp://two:2376 two" in two.message
        answer = placing.place("a", lab.pk, "cpu", nodes=2)
        assert isinstance(answer, Placed)
        assert {node.host for node in answer.nodes} == {swarm.one.id}
    finally:
        swarm.one.docker("node", "update", "--label-add", f"atelier.engine={swarm.two.url}", "two")


def test_idle_nodes_leave_a_host_that_is_paused_and_none_is_added_there(lab, pool, swarm, settle):
    target = pool(min_nodes=2, idle_seconds_before_scaledown=600)
    settle(target)
    assert {node.engine.host_id for node in target.nodes_set.all()} == {swarm.one.id, swarm.two.id}
    swarm.one.docker("node", "update", "--availability", "pause", "two")
    try:
        upkeep.check_engine(Engine.objects.get(host_id=swarm.two.id))
        settle(target)
        assert [node.engine.host_id for node in target.nodes_set.all()] == [swarm.one.id] * 2
    finally:
        swarm.one.docker("node", "update", "--availability", "active", "two")


def test_nodes_of_the_managers_plain_engine_and_of_the_swarm_share_its_memory(lab, pool, cluster):
    pool(max_nodes=1)
    engine = engines.for_backend("docker")[0]
    free = engines.free_memory(engine)
    answer = placing.place("a", lab.pk, "cpu")
    assert isinstance(answer, Placed)
    assert answer.nodes[0].engine == ""
    assert engines.free_memory(engine) == free - answer.nodes[0].memory_bytes


def test_gpus_and_an_engine_that_is_in_no_swarm_are_answered_in_sentences(lab, pool, settings, swarm):
    target = pool()
    type(target).objects.update(vm_size="STANDARD_NC6")
    refused = placing.place("a", lab.pk, "cpu")
    assert isinstance(refused, Refused)
    assert "has none" in refused.message
    type(target).objects.update(vm_size="STANDARD_D2_V2")
    settings.DOCKER_HOST, settings.DOCKER_CERT_PATH = swarm.two.url, str(swarm.certificates)
    Engine.objects.update(seen_at=None)
    waits = placing.place("b", lab.pk, "cpu")
    assert isinstance(waits, Waiting)
    assert "is a worker of its swarm; set DOCKER_HOST to a manager" in waits.reason
    settings.DOCKER_HOST = f"unix://{swarm.one.socket}"


def test_a_host_that_has_left_for_good_takes_its_nodes_with_it(lab, pool, swarm, settle):
    target = pool(min_nodes=2)
    settle(target)
    gone = target.nodes_set.get(engine__host_id=swarm.two.id)
    Engine.objects.filter(pk=gone.engine_id).update(host_id="left-long-ago")
    engine = Engine.objects.get(pk=gone.engine_id)
    upkeep.check_engine(engine)
    engine.refresh_from_db()
    assert engine.is_gone
    assert engine.message == "The host two has left the swarm."
    upkeep.check_engine(engine)
    upkeep.tick()
    assert not Node.objects.filter(pk=gone.pk).exists()
    volumes.remove(gone.volume, engine=swarm.two.url)
    assert site.DOCKER_HOST and scaling.plan_for(target).add == 0
