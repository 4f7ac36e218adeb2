"""Jobs on two hosts of a swarm, end to end: distributed runs, what a host shows of them, and a host that is lost."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.execution.live import TICKS, USER_MANAGED, Live, ticks_of
from tests.stack import Stack, answer_of, running_stack, wait_for
from tests.swarm import Engine, Swarm

HERE = Path(__file__).parent
pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("docker"), pytest.mark.timeout(400)]
BUILD_SECONDS = 120


@pytest.fixture(scope="module")
def hosts(swarm: Swarm) -> Iterator[Stack]:
    """A server whose clusters are on the two hosts."""
    wheels = os.environ.get("ATELIER_WHEELS") or str(Path.home() / ".cache" / "atelier" / "wheels")
    settings = {"ATELIER_COMPUTE_BACKEND": "swarm", "ATELIER_ENGINE_AWAY_SECONDS": "5", "ATELIER_FIND_LINKS": wheels}
    with running_stack(reached_at=swarm.here, **swarm.environment, **settings) as stack:
        yield stack


@pytest.fixture
def live(hosts: Stack) -> Live:
    """The same, with a client."""
    return Live(hosts)


def story(stack: Stack, folder: Path, script: str, *arguments: str, **more: str) -> None:
    done = stack.run_script(HERE / script, *arguments, folder=folder, seconds=280, **more)
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
