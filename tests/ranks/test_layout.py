"""Who is which rank, and what it is told."""

import json

import pytest

from atelier_jobs.ranks.layout import Layout, Rank, of_json, ranks_of, shared_variables, variables_of


def layout(kind, nodes, per_node=1, hosts=None, **more):
    return Layout(kind, nodes, per_node, tuple(hosts or [f"node-{i}" for i in range(nodes)]), **more)


def test_ranks_fill_a_node_before_the_next_begins():
    two = layout("mpi", 2, 2)
    assert [r.rank for r in ranks_of(two, 0)] == [0, 1]
    assert ranks_of(two, 1) == [Rank(2, 0, 1, "worker", 2), Rank(3, 1, 1, "worker", 3)]


def test_pytorch_is_told_v1s_variables():
    two = layout("pytorch", 2, 2)
    assert variables_of(two, ranks_of(two, 1)[1]) == {
        "MASTER_ADDR": "node-0",
        "MASTER_PORT": "6105",
        "WORLD_SIZE": "4",
        "NODE_RANK": "1",
        "RANK": "3",
        "LOCAL_RANK": "1",
        "LOCAL_WORLD_SIZE": "2",
    }


def test_mpi_is_told_where_the_master_is():
    two = layout("mpi", 2, 1)
    assert shared_variables(two)["AZ_BATCH_MASTER_NODE"] == "node-0:6105"
    assert variables_of(two, ranks_of(two, 1)[0])["OMPI_COMM_WORLD_RANK"] == "1"


def test_tensorflow_is_told_the_cluster_and_its_task():
    three = layout("tensorflow", 3, workers=2, parameter_servers=1)
    config = json.loads(variables_of(three, ranks_of(three, 2)[0])["TF_CONFIG"])
    assert config["cluster"] == {"worker": ["node-0:2222", "node-1:2222"], "ps": ["node-2:2222"]}
    assert config["task"] == {"type": "ps", "index": 0}


def test_one_machine_carries_all_nodes_and_still_says_which_node_a_rank_is_on():
    alone = layout("pytorch", 2, 2, hosts=["127.0.0.1"], master_port=40000)
    ranks = ranks_of(alone, 0)
    assert [(r.rank, r.node, r.local_rank) for r in ranks] == [(0, 0, 0), (1, 0, 1), (2, 1, 0), (3, 1, 1)]
    assert variables_of(alone, ranks[3])["MASTER_ADDR"] == "127.0.0.1"


def test_tensorflow_tasks_that_share_a_machine_have_ports_of_their_own():
    alone = layout("tensorflow", 2, hosts=["127.0.0.1"], workers=2, ports=(7001, 7002))
    config = json.loads(variables_of(alone, ranks_of(alone, 0)[0])["TF_CONFIG"])
    assert config["cluster"] == {"worker": ["127.0.0.1:7001", "127.0.0.1:7002"]}


@pytest.mark.parametrize(("nodes", "per_node"), [(1, 1), (2, 3), (5, 2)])
def test_every_rank_is_on_one_node(nodes, per_node):
    shape = of_json({"kind": "mpi", "nodes": nodes, "processes_per_node": per_node}, [f"n{i}" for i in range(nodes)])
    ranks = [r.rank for task in range(nodes) for r in ranks_of(shape, task)]
    assert ranks == list(range(nodes * per_node))
