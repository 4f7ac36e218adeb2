"""Distributed runs end to end, through the SDK against a live server: on this machine, in containers, with Horovod."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from studio.containers import networks, volumes
from tests.stack import Stack, answer_of, running_stack

HERE = Path(__file__).parent
# What scripts/wheels.sh has built: Horovod is on no index for this PyTorch.
WHEELS = Path(os.environ.get("ATELIER_WHEELS") or Path.home() / ".cache" / "atelier" / "wheels")


def run(stack: Stack, folder: Path, script: str, *arguments: str, **more: str) -> str:
    done = stack.run_script(HERE / script, *arguments, folder=folder, seconds=280, **more)
    assert done.returncode == 0 and "story: ok" in done.stdout, answer_of(done) + stack.log("worker")
    return done.stdout


@pytest.mark.xdist_group("stack")
def test_ranks_of_every_kind_on_this_machine(stack: Stack, tmp_path: Path):
    run(stack, tmp_path, "ranks.py", "local")


@pytest.mark.xdist_group("stack")
def test_a_cluster_deleted_in_use_and_runs_that_cannot_be_placed_say_so(stack: Stack, tmp_path: Path):
    run(stack, tmp_path, "compute_faults.py")


@pytest.mark.docker
@pytest.mark.xdist_group("stack")
def test_ranks_of_every_kind_in_containers_of_a_cluster_that_grows_and_shrinks(stack: Stack, tmp_path: Path):
    # By the cluster's own mark: other tests have nodes on the same engine.
    marked = {"atelier.node": None, "atelier.target": "rank-cluster"}
    before = set(networks.names(marked)), set(volumes.names(marked))
    run(stack, tmp_path, "ranks.py", "rank-cluster", STORY_IMAGE=os.environ["ATELIER_BASE_IMAGE"])
    after = set(networks.names(marked)), set(volumes.names(marked))
    assert after[0] <= before[0] and after[1] <= before[1], "nodes are gone with all they had"


@pytest.mark.docker
@pytest.mark.wheels
@pytest.mark.xdist_group("stack-2")
def test_horovod_on_two_nodes_of_two_learns_what_one_process_learns(tmp_path: Path):
    """And PyTorch's own DistributedDataParallel over gloo on two nodes, in the same image."""
    with running_stack(ATELIER_FIND_LINKS=str(WHEELS)) as stack:
        run(stack, tmp_path, "horovod_2x2.py")
