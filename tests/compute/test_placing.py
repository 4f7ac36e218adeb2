"""What a run is told when it asks for nodes."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from studio.compute import placing, scaling, targets, upkeep
from studio.compute.models import ComputeTarget, Engine, Node, Placement
from studio.compute.placing import Placed, Refused, Waiting


@pytest.fixture(autouse=True)
def commits(django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True) as callbacks:
        yield callbacks


def states(target):
    return sorted(target.nodes_set.values_list("state", flat=True))


def release(run_id, target, settle):
    placing.release(run_id)
    settle(target)


def test_a_run_gets_the_nodes_it_asked_for_and_the_same_ones_when_it_asks_again(lab, cluster):
    target = cluster()
    answer = placing.place("a", lab.pk, "cpu", nodes=2)
    assert isinstance(answer, Placed)
    assert [node.name for node in answer.nodes] == ["cpu-1", "cpu-2"]
    assert answer.nodes[0].memory_bytes > 0
    assert placing.place("a", lab.pk, "cpu", nodes=2) == answer
    assert states(target) == ["running", "running"]


def test_a_run_behind_others_is_told_its_place_and_why(lab, cluster):
    cluster(max_nodes=1)
    assert isinstance(placing.place("a", lab.pk, "cpu"), Placed)
    assert placing.place("b", lab.pk, "cpu") == Waiting("Next on cpu: needs 1 node, 0 of 1 idle, 1 node busy.", 1)
    assert placing.place("c", lab.pk, "cpu") == Waiting("Behind 1 run on cpu.", 2)


def test_the_next_run_is_woken_when_nodes_come_free_and_gets_them(lab, cluster, settle, woken):
    target = cluster(max_nodes=1)
    placing.place("a", lab.pk, "cpu")
    placing.place("b", lab.pk, "cpu")
    release("a", target, settle)
    assert "b" in woken
    assert isinstance(placing.place("b", lab.pk, "cpu"), Placed)


def test_a_higher_priority_passes_those_who_wait(lab, cluster, settle):
    target = cluster(max_nodes=1)
    placing.place("a", lab.pk, "cpu")
    placing.place("b", lab.pk, "cpu")
    answer = placing.place("urgent", lab.pk, "cpu", priority=9)
    assert isinstance(answer, Waiting) and answer.position == 1
    release("a", target, settle)
    assert isinstance(placing.place("b", lab.pk, "cpu"), Waiting)
    assert isinstance(placing.place("urgent", lab.pk, "cpu", priority=9), Placed)


def test_a_cluster_grows_from_none_and_shrinks_to_none(lab, cluster, settle):
    target = cluster(idle_seconds_before_scaledown=0)
    placing.place("a", lab.pk, "cpu", nodes=2)
    assert targets.as_json(target)["current_node_count"] == 2
    release("a", target, settle)
    assert targets.as_json(target)["current_node_count"] == 0
    kinds = list(target.events.order_by("id").values_list("kind", flat=True))
    assert kinds == ["created", "scale_up", "ready", "ready", "assigned", "scale_down", "removed", "removed"]


def test_idle_nodes_stay_for_their_time(lab, cluster, settle):
    target = cluster(idle_seconds_before_scaledown=60)
    placing.place("a", lab.pk, "cpu")
    release("a", target, settle)
    assert states(target) == ["idle"]
    Node.objects.update(idle_since=timezone.now() - timedelta(seconds=61))
    upkeep.tick()
    assert states(target) == []


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        ({"target_name": "nowhere"}, "There is no compute target 'nowhere' in this workspace; there is cpu, local."),
        ({"nodes": 3}, "The run needs 3 nodes and cpu has at most 2"),
        ({"gpus": 1}, "The run needs 1 GPUs on each node; a node of cpu (STANDARD_D2_V2) has 0."),
    ],
)
def test_what_can_never_run_is_refused_with_a_sentence(lab, cluster, wanted, sentence):
    cluster()
    answer = placing.place("a", lab.pk, **{"target_name": "cpu", **wanted})
    assert isinstance(answer, Refused)
    assert answer.message.startswith(sentence)
    assert not Placement.objects.exists()


def test_local_takes_as_many_runs_as_it_has_slots_and_leaves_no_node_behind(lab, settings):
    settings.LOCAL_SLOTS = 2
    assert isinstance(placing.place("a", lab.pk, "local"), Placed)
    assert isinstance(placing.place("b", lab.pk, "local"), Placed)
    assert isinstance(placing.place("c", lab.pk, "local"), Waiting)
    placing.release("a")
    assert isinstance(placing.place("c", lab.pk, "local"), Placed)
    for run_id in "abc":
        placing.release(run_id)
    assert not Node.objects.exists()


def test_a_distributed_run_on_local_shares_the_slots(lab, settings):
    settings.LOCAL_SLOTS = 4
    answer = placing.place("a", lab.pk, "local", nodes=3)
    assert isinstance(answer, Placed)
    assert len(answer.nodes) == 3


def test_deleting_a_target_ends_its_runs_with_a_sentence_and_then_it_is_gone(lab, cluster, settle, woken):
    target = cluster(max_nodes=1)
    placing.place("a", lab.pk, "cpu")
    placing.place("b", lab.pk, "cpu")
    targets.delete(target, "olga")
    assert {"a", "b"} <= set(woken)
    assert placing.withdrawn("a") is not None and placing.withdrawn("b") is None
    answer = placing.place("b", lab.pk, "cpu")
    assert answer == Refused("The compute target cpu was deleted; submit the run to another one.")
    release("a", target, lambda t: scaling.settle(t.pk))
    assert not ComputeTarget.objects.filter(name="cpu").exists()


def test_room_that_another_cluster_only_keeps_warm_is_given_up_for_work(lab, cluster, settle):
    engine = Engine.objects.create(
        backend="process", name="this machine", cpus=2, memory_bytes=10 * 1024**3, seen_at=timezone.now()
    )
    first = cluster("first", max_nodes=1, idle_seconds_before_scaledown=600)
    placing.place("a", lab.pk, "first")
    release("a", first, settle)
    assert states(first) == ["idle"]
    second = cluster("second", max_nodes=1)
    assert isinstance(placing.place("b", lab.pk, "second"), Placed)
    assert states(first) == []
    answer = placing.place("c", lab.pk, "first")
    assert isinstance(answer, Waiting)
    assert answer.reason == (
        "Next on first: needs 1 node. A node takes 7.0 GiB of memory; this machine has 2.0 GiB that no other node holds."
    )
    assert engine.nodes.get().target == second


def test_a_node_lost_with_its_engine_is_unusable_until_the_engine_is_back(lab, cluster, settings):
    settings.ENGINE_AWAY_SECONDS = 60
    settings.DOCKER_HOST = "unix:///nowhere/docker.sock"
    target = cluster()
    placing.place("a", lab.pk, "cpu")
    engine = Engine.objects.get()
    Engine.objects.filter(pk=engine.pk).update(backend="docker", name="the Docker engine")
    engine.refresh_from_db()
    upkeep.check_engine(engine)
    assert states(target) == ["unusable"]
    assert "does not answer" in targets.as_json(target)["errors"][0]["message"]
    assert placing.lost("a") == ""
    Engine.objects.update(away_since=timezone.now() - timedelta(seconds=61))
    assert placing.lost("a").startswith("cpu-1 was lost: The Docker engine at unix:///nowhere/docker.sock")
    Engine.objects.update(backend="process", name="this machine")
    upkeep.check_engine(Engine.objects.get())
    assert states(target) == ["running"]
    assert placing.lost("a") == ""


def test_nodes_given_back_on_a_host_that_is_away_or_takes_no_work_are_no_idle_ones(lab, cluster):
    target = cluster()
    placing.place("a", lab.pk, "cpu", nodes=2)
    one, two = target.nodes_set.order_by("number")
    away = Engine.objects.create(name="away", backend="swarm", available=False, message="It is down.")
    drained = Engine.objects.create(name="drained", backend="swarm", takes_work=False)
    for node, engine in ((one, away), (two, drained)):
        Node.objects.filter(pk=node.pk).update(engine=engine)
    placing.release("a")
    assert states(target) == ["leaving", "unusable"] and not target.nodes_set.exclude(run_id="").exists()


def test_what_a_killed_process_left_half_made_is_finished_by_the_next_look(lab, cluster, settle):
    target = cluster()
    with_rows_only = scaling.add_nodes(target, 1, "as 1 run waits")
    assert states(target) == ["preparing"]
    settle(target)
    assert states(target) == ["idle"]
    Node.objects.filter(pk=with_rows_only[0].pk).update(state="leaving", idle_since=None)
    settle(target)
    assert states(target) == []


def test_an_instance_is_one_node_that_is_always_on(lab, cluster):
    target = cluster("mine", type="ComputeInstance", max_nodes=None)
    shown = targets.as_json(target)
    assert (shown["state"], shown["current_node_count"]) == ("Running", 1)
    assert isinstance(placing.place("a", lab.pk, "mine"), Placed)


def test_a_process_that_was_killed_while_it_scaled_holds_others_up_for_seconds_only(lab, cluster):
    target = cluster()
    soon = timezone.now() + scaling.LEASE
    ComputeTarget.objects.filter(pk=target.pk).update(leased_until=soon)
    assert isinstance(placing.place("a", lab.pk, "cpu"), Waiting)
    assert states(target) == []
    ComputeTarget.objects.filter(pk=target.pk).update(leased_until=timezone.now())
    assert isinstance(placing.place("a", lab.pk, "cpu"), Placed)
    assert scaling.LEASE.total_seconds() <= 30
