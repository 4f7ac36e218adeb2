"""Registries that go away: before the look-up, in mid-push, in mid-pull. The run gets its image all the same."""

from __future__ import annotations

import pytest

from tests.faults.conftest import Registry
from tests.faults.watched import Watched

pytestmark = [pytest.mark.docker, pytest.mark.registry, pytest.mark.timeout(300)]
RANDOM = "RUN head -c 4M /dev/urandom > /random"


def test_away_before_the_look_up(live: Watched):
    run_id = live.dockerfile("RUN echo away-before")
    live.completes(run_id)
    log = live.file_of(run_id, "build")
    assert "The workspace registry 127.0.0.1:5000 does not answer; going on without it" in log
    assert "The global registry 127.0.0.1:5001 does not answer; going on without it" in log
    assert "Could not be kept in the workspace registry 127.0.0.1:5000" in log


def test_away_in_mid_push(live: Watched, workspace_registry: Registry):
    workspace_registry.start_behind_a_cut("up", 1_000_000)
    run_id = live.dockerfile("RUN echo mid-push", RANDOM)
    live.completes(run_id)
    log = live.file_of(run_id, "build")
    assert "Not in the workspace registry" in log and "Could not be kept in the workspace registry" in log


def test_away_in_mid_pull(live: Watched, workspace_registry: Registry):
    workspace_registry.start()
    first = live.dockerfile("RUN echo mid-pull")
    image = live.completes(first)["properties"]["AzureML.DerivedImageName"]
    assert "Kept in the workspace registry" in live.file_of(first, "build")
    workspace_registry.kill()
    workspace_registry.start_behind_a_cut("down", 300_000)
    live.forget(image)
    second = live.dockerfile("RUN echo mid-pull")
    live.completes(second)
    log = live.file_of(second, "build")
    assert "The workspace registry 127.0.0.1:5000 does not answer; going on without it" in log, log
