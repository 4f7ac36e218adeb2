"""What jobs use, sampled from a real process tree."""

from __future__ import annotations

import sys
import time

import pytest
from django.utils import timezone

from runs.execution import gang, samplers
from runs.execution.backends import BACKENDS
from runs.execution.executor import Job
from runs.execution.lease import HOST
from runs.models import RunTask
from runs.states import State
from studio.compute import placing, usage
from studio.compute.models import UsageSample
from tests import builders

# A child burns a core and holds 50 MB: the tree counts, not the first process alone.
BUSY = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'x = bytearray(50_000_000)\\nprint(1, flush=True)\\nwhile True: pass'])"


@pytest.fixture
def busy(lab):
    """A run whose job burns a core."""
    run = builders.run(lab, state=State.RUNNING, kind="script", compute="local", definition={"script": "t.py"})
    job = Job(run_id=run.pk, node=HOST, command=(sys.executable, "-c", BUSY))
    RunTask.objects.create(run=run, backend="process", node=HOST, job=gang.kept(job), launched_at=timezone.now())
    backend = BACKENDS["process"]
    backend.start(job)
    deadline = time.monotonic() + 20
    while b"1" not in backend.output(job):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    yield run
    backend.stop(job, now=True)
    backend.clean(job)


def test_a_process_trees_use_is_sampled_and_kept_with_its_target(busy, lab):
    assert samplers.sample is usage.SAMPLERS["process"]
    placing.place(busy.pk, lab.pk, "local")
    assert usage.sample_all() == 1
    kept = UsageSample.objects.get()
    assert (kept.run_id, kept.workspace_id, kept.node) == (busy.pk, lab.pk, HOST)
    assert kept.cpu_percent > 0
    assert kept.memory_bytes > 50_000_000
    assert usage.sample_all() == 0, "not again before its time"
    placing.release(busy.pk)


def test_a_job_that_ended_gives_no_sample(lab):
    run = builders.run(lab, state=State.RUNNING, kind="script", definition={"script": "t.py"})
    job = Job(run_id=run.pk, node=HOST, command=("true",))
    RunTask.objects.create(run=run, backend="process", node=HOST, job=gang.kept(job), launched_at=timezone.now())
    assert [look() for look in samplers.sample(run.pk)] == [None]
    assert samplers.sample("no-such-run") == []
