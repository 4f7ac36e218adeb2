"""Targets and nodes on this machine's processes: the same rows and plans as on an engine, without one."""

from __future__ import annotations

import pytest

from studio.compute import scaling, targets
from studio.compute.signals import look_again


@pytest.fixture
def cluster(lab, django_capture_on_commit_callbacks):
    """Makes a cluster: cluster(max_nodes=2)."""

    def make(name="cpu", **wanted):
        values = {"vm_size": "STANDARD_D2_V2", "min_nodes": 0, "max_nodes": 2, "backend": "process", **wanted}
        with django_capture_on_commit_callbacks(execute=True):
            return targets.create(lab, "olga", name=name, **values)

    return make


@pytest.fixture
def woken():
    """Ids of the runs that compute asked to look again, in order."""
    heard: list[str] = []

    def hear(sender, run_ids, **kwargs):
        heard.extend(run_ids)

    look_again.connect(hear)
    yield heard
    look_again.disconnect(hear)


@pytest.fixture
def settle():
    """Has a target do all that it can do now."""

    def now(target):
        scaling.settle(target.pk)
        target.refresh_from_db()

    return now
