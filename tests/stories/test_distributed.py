"""Distributed runs end to end, through the SDK against a live server: on this machine, in containers, with Horovod."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.stack import Stack, answer_of, running_stack
from tests.stories import left
from tests.stories.test_stories import GIVEN

HERE = Path(__file__).parent
# What scripts/wheels.sh has built: Horovod is on no index for this PyTorch.
WHEELS = Path(os.environ.get("ATELIER_WHEELS") or Path.home() / ".cache" / "atelier" / "wheels")


def run(stack: Stack, folder: Path, script: str | Path, *arguments: str, **more: str) -> str:
    done = stack.run_script(HERE / script, *arguments, folder=folder, seconds=280, **more)
    assert done.returncode == 0 and "story: ok" in done.stdout, answer_of(done) + stack.log("worker")
    return done.stdout


@pytest.mark.once
@pytest.mark.xdist_group("stack")
def test_ranks_of_every_kind_on_this_machine(stack: Stack, tmp_path: Path):
    run(stack, tmp_path, "ranks.py", "local")


@pytest.mark.xdist_group("stack")
def test_a_cluster_deleted_in_use_and_runs_that_cannot_be_placed_say_so(stack: Stack, tmp_path: Path):
    run(stack, tmp_path, "compute_faults.py")


@pytest.mark.docker
@pytest.mark.xdist_group("stack")
def test_ranks_of_every_kind_in_containers_of_a_cluster_that_grows_and_shrinks(stack: Stack, tmp_path: Path):
    with left.nothing_of("rank-cluster"):
        run(stack, tmp_path, "ranks.py", "rank-cluster", STORY_IMAGE=os.environ["ATELIER_BASE_IMAGE"])


@pytest.mark.docker
@pytest.mark.wheels
def test_horovod_and_pytorch_on_two_nodes_of_a_cluster(tmp_path: Path):
    """Beside it, tests/stories/test_swarm.py has the same on two hosts and compares the loss with that of one process."""
    given = GIVEN / "distributed" / "submit.py"
    script, cluster = (given, "story-mpi") if given.exists() else (HERE / "horovod_2x2.py", "horovod")
    with running_stack(ATELIER_FIND_LINKS=str(WHEELS)) as stack, left.nothing_of(cluster):
        run(stack, tmp_path, script)
