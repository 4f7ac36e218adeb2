"""What a cluster does next, as a function of data."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from studio.compute.planner import IDLE, LEAVING, PREPARING, RUNNING, UNUSABLE, Ask, Cluster, NodeView, plan

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def cluster(**changes):
    return Cluster(**{"name": "cpu", "min_nodes": 0, "max_nodes": 4, "idle_seconds": 120, **changes})


def ask(run_id, nodes=1, priority=0, age=0):
    return Ask(run_id, nodes, priority, NOW - timedelta(seconds=age))


def node(number, state=IDLE, run_id="", idle=0):
    return NodeView(number, f"cpu-{number}", state, run_id, NOW - timedelta(seconds=idle) if state == IDLE else None)


def test_an_empty_cluster_with_no_work_stays_as_it_is():
    answer = plan(cluster(), [], [], NOW)
    assert (answer.add, answer.remove, answer.placed, answer.waiting) == (0, (), {}, {})


def test_work_makes_a_cluster_grow_by_what_it_needs_and_not_beyond_its_maximum():
    assert plan(cluster(), [], [ask("a"), ask("b", nodes=2)], NOW).add == 3
    assert plan(cluster(), [], [ask(str(i)) for i in range(9)], NOW).add == 4


def test_nodes_in_preparation_are_counted_before_more_are_added():
    assert plan(cluster(), [node(1, PREPARING)], [ask("a"), ask("b")], NOW).add == 1


def test_leaving_nodes_hold_their_share_until_they_are_gone():
    nodes = [node(1, LEAVING), node(2, LEAVING), node(3, RUNNING, "x")]
    assert plan(cluster(max_nodes=3), nodes, [ask("a")], NOW).add == 0


def test_an_unusable_node_is_replaced():
    assert plan(cluster(max_nodes=1), [node(1, UNUSABLE)], [ask("a")], NOW).add == 1


def test_the_highest_priority_goes_first_and_then_the_oldest():
    waiting = [ask("young", age=1), ask("old", age=50), ask("urgent", priority=5)]
    answer = plan(cluster(max_nodes=2), [node(1), node(2)], waiting, NOW)
    assert set(answer.placed) == {"urgent", "old"}
    assert answer.waiting["young"].position == 1


def test_a_distributed_run_gets_all_its_nodes_or_none_and_is_not_overtaken():
    waiting = [ask("pair", nodes=2, age=10), ask("single")]
    answer = plan(cluster(max_nodes=2), [node(1), node(2, RUNNING, "other")], waiting, NOW)
    assert answer.placed == {}
    assert answer.waiting["pair"].reason == "Next on cpu: needs 2 nodes, 1 of 2 idle, 1 node busy."
    assert answer.waiting["single"].reason == "Behind 1 run on cpu; the next one needs 2 nodes."


def test_a_run_is_only_grown_for_when_it_fits_whole():
    crowded = cluster(room=1, room_reason="The engine has no memory left for another node.")
    answer = plan(crowded, [], [ask("pair", nodes=2)], NOW)
    assert answer.add == 0
    assert answer.waiting["pair"].reason.endswith("The engine has no memory left for another node.")


def test_idle_nodes_leave_after_their_time_down_to_the_minimum_the_longest_idle_first():
    nodes = [node(1, idle=130), node(2, idle=500), node(3, idle=10)]
    assert plan(cluster(), nodes, [], NOW).remove == (2, 1)
    assert plan(cluster(min_nodes=2), nodes, [], NOW).remove == (2,)


def test_idle_nodes_wait_for_the_rest_of_a_distributed_run_that_can_still_come():
    nodes = [node(1, idle=500), node(2, RUNNING, "x")]
    assert plan(cluster(max_nodes=2), nodes, [ask("pair", nodes=2)], NOW).remove == ()
    stuck = cluster(max_nodes=2, room=0)
    assert plan(stuck, [node(1, idle=500)], [ask("pair", nodes=2)], NOW).remove == (1,)


def test_a_lowered_maximum_is_reached_at_once_by_idle_nodes():
    assert len(plan(cluster(max_nodes=1), [node(1), node(2), node(3, RUNNING, "x")], [], NOW).remove) == 2


def test_the_minimum_is_kept_without_work():
    assert plan(cluster(min_nodes=2), [node(1)], [], NOW).add == 1


def test_a_closed_cluster_takes_no_work_and_lets_its_idle_nodes_go():
    answer = plan(cluster(closed="cpu is being deleted."), [node(1), node(2, RUNNING, "x")], [ask("a")], NOW)
    assert answer.remove == (1,)
    assert answer.waiting["a"].reason == "cpu is being deleted."


states = st.sampled_from([PREPARING, IDLE, RUNNING, LEAVING, UNUSABLE])


@settings(deadline=None)
@given(
    st.lists(states, max_size=8),
    st.lists(st.tuples(st.integers(1, 4), st.integers(0, 2), st.integers(0, 99)), max_size=8),
    st.integers(0, 3),
    st.integers(0, 5),
    st.integers(0, 6),
)
def test_whatever_the_state_a_plan_keeps_its_promises(kinds, asks, least, more, room):
    nodes = [node(i, kind, "x" if kind == RUNNING else "") for i, kind in enumerate(kinds)]
    waiting = [ask(f"r{i}", *what) for i, what in enumerate(asks)]
    what = cluster(min_nodes=least, max_nodes=least + more, room=room)
    answer = plan(what, nodes, waiting, NOW)
    given_out = [i for ids in answer.placed.values() for i in ids]
    assert len(given_out) == len(set(given_out)), "a node serves one run"
    assert set(answer.placed) | set(answer.waiting) == {a.run_id for a in waiting}, "every run has an answer"
    assert not set(given_out) & set(answer.remove), "no node that got work leaves"
    assert all(nodes[i].state == IDLE for i in (*given_out, *answer.remove))
    assert answer.add <= room
    held = sum(n.state != UNUSABLE for n in nodes)
    assert answer.add == 0 or held + answer.add <= what.max_nodes
    assert sorted(w.position for w in answer.waiting.values()) == list(range(1, len(answer.waiting) + 1))
    for a in waiting:
        assert len(answer.placed.get(a.run_id, [0] * a.nodes)) == a.nodes
