"""One worker at a time, and a killed one does not stand in the way."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
import threading

import psutil
import pytest
from django.utils import timezone

from runs.execution.lease import HOST, is_dead, keep, lease, me
from runs.models import Run
from tests import builders


def test_a_run_is_held_by_one_and_free_afterwards(lab):
    run = builders.run(lab)
    with lease(run.pk) as held:
        assert held is not None and keep(held)
        with lease(run.pk) as second:
            assert second is None
    with lease(run.pk) as again:
        assert again is not None
    assert Run.objects.get(pk=run.pk).leased_by == ""


def test_a_run_that_is_gone_is_nobodys(db):
    with lease("no-such-run") as held:
        assert held is None


def test_the_lease_of_a_worker_that_was_killed_on_this_host_ends_with_it(lab):
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    holder = f"{HOST}/{process.pid}/{psutil.Process(process.pid).create_time():.2f}/1"
    run = builders.run(lab, leased_by=holder, leased_until=timezone.now() + dt.timedelta(hours=1))
    with lease(run.pk) as held:
        assert held is None
    process.kill()
    process.wait()
    with lease(run.pk) as held:
        assert held is not None


def test_a_lease_ends_with_its_time_and_its_late_holder_notices(lab):
    run = builders.run(lab, leased_by="elsewhere/1/1.0/1", leased_until=timezone.now() + dt.timedelta(hours=1))
    with lease(run.pk) as held:
        assert held is None
    Run.objects.filter(pk=run.pk).update(leased_until=timezone.now() - dt.timedelta(seconds=1))
    with lease(run.pk) as held:
        assert held is not None
        Run.objects.filter(pk=run.pk).update(leased_by="elsewhere/1/1.0/1")
        assert not keep(held)
    assert Run.objects.get(pk=run.pk).leased_by == "elsewhere/1/1.0/1"


@pytest.mark.parametrize("holder", ["", "odd", "another-host/1/0.0/1", f"{HOST}/x/y/z"])
def test_of_a_holder_that_cannot_be_judged_nothing_is_said(holder):
    assert is_dead(holder) is False


def test_threads_of_a_worker_hold_their_own_leases():
    names = []
    thread = threading.Thread(target=lambda: names.append(me()))
    thread.start()
    thread.join()
    assert names != [me()] and not is_dead(me())
