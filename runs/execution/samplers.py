"""How the jobs of a run are sampled on each backend; compute asks through its table and knows no jobs."""

from __future__ import annotations

import contextlib
import time
from functools import partial

import psutil

from runs.execution import gang
from runs.execution.backends.process import MARK
from runs.execution.backends.swarm import SwarmExecutor
from runs.execution.executor import Job
from runs.execution.lease import HOST
from runs.models import Run, RunTask
from studio.compute import usage
from studio.compute.usage import JobUse
from studio.containers import stats

CPU_SECONDS = 0.2  # between the two readings of a process tree's CPU time


def _jobs(run_id: str) -> list[tuple[RunTask, Job]]:
    """The jobs of the run's present attempt that have not ended."""
    run = Run.objects.filter(pk=run_id).first()
    if run is None:
        return []
    rows = RunTask.objects.filter(run=run, attempt=run.retries, launched_at__isnull=False, ended_at=None)
    return [(row, gang.job_of(run, row)) for row in rows.order_by("index")]


def sample(run_id: str) -> list[usage.Look]:
    """A look at each job of the run, on whatever backend its row names."""
    looks = {"docker": _container, "swarm": _task}
    return [partial(looks.get(row.backend, _tree), job) for row, job in _jobs(run_id)]


def _task(job: Job) -> JobUse | None:
    """The container of a swarm's task, which has a name that only the swarm knows."""
    return _container(job, SwarmExecutor().container(job))


def _container(job: Job, name: str | None = None) -> JobUse | None:
    use = stats.sample(job.name if name is None else name, engine=job.engine) if name != "" else None
    if use is None:
        return None
    return JobUse(
        node=job.node,
        cpu_percent=use.cpu_percent,
        memory_bytes=use.memory,
        memory_limit=use.memory_limit,
        disk_read=use.disk_read,
        disk_written=use.disk_written,
        network_received=use.network_received,
        network_sent=use.network_sent,
    )


def _tree(job: Job) -> JobUse | None:
    """All processes with the job's mark on this host. Processes have no network of their own: it is not counted."""
    if job.node != HOST:
        return None
    found = [process for process in psutil.process_iter() if _is_of(process, job.name)]
    if not found:
        return None
    began = time.monotonic()
    before = {process.pid: _cpu_seconds(process) for process in found}
    time.sleep(CPU_SECONDS)
    seconds = time.monotonic() - began
    # A process that ended in between takes its time with it: its share of this sample is lost, not negative.
    used = sum(max(0.0, _cpu_seconds(process) - before[process.pid]) for process in found)
    memory = read = written = 0
    for process in found:
        with contextlib.suppress(psutil.Error, OSError):
            memory += process.memory_info().rss
        with contextlib.suppress(psutil.Error, OSError, AttributeError):
            counters = process.io_counters()
            read, written = read + counters.read_bytes, written + counters.write_bytes
    return JobUse(job.node, used / seconds * 100, memory, disk_read=read, disk_written=written)


def _is_of(process: psutil.Process, name: str) -> bool:
    try:
        return process.environ().get(MARK) == name
    except (psutil.Error, OSError):
        return False  # gone, or another user's


def _cpu_seconds(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except (psutil.Error, OSError):
        return 0.0
    return float(times.user + times.system)


usage.SAMPLERS.update(process=sample, docker=sample, swarm=sample)
