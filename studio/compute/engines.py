"""What the engines have, and whether they answer: the Engine rows, refreshed from the machines themselves."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import psutil
from django.conf import settings
from django.db import connection
from django.db.models import Sum
from django.utils import timezone

from studio.compute import gpus, hosts
from studio.compute.models import Engine, Node
from studio.compute.sizes import MEMORY_FOR_NODES
from studio.containers import client
from studio.errors import StudioError

FRESH_SECONDS = 30  # a row younger than this is believed without asking


def site() -> str:
    """Names this server on an engine that several share, so that no sweep takes what belongs to another."""
    whole = f"{settings.SECRET_KEY}\0{connection.settings_dict['NAME']}"
    return hashlib.sha256(whole.encode()).hexdigest()[:12]


def default_backend() -> str:
    """Where a new cluster's nodes are: as the site set it, else Docker where an engine answers, else processes."""
    if settings.COMPUTE_BACKEND:
        return str(settings.COMPUTE_BACKEND)
    return Engine.Backend.DOCKER if client.answers() else Engine.Backend.PROCESS


def takes_processes() -> bool:
    """Whether jobs may run as processes beside the worker. Not where the site names containers: a job would have what
    the worker has, the engine's socket too."""
    return settings.COMPUTE_BACKEND in ("", Engine.Backend.PROCESS)


def this_machine() -> Engine:
    """The row of this machine's processes."""
    return _refreshed(Engine.Backend.PROCESS)


def for_backend(backend: str) -> list[Engine]:
    """The engines that carry nodes of a backend, looked at when the rows are old."""
    if backend == Engine.Backend.SWARM:
        return _hosts()
    return [_refreshed(backend)]


def _hosts() -> list[Engine]:
    """The hosts of the swarm. One that is away is looked at each time: the manager answers at once."""
    rows = list(Engine.objects.filter(backend=Engine.Backend.SWARM).order_by("name"))
    fresh = timezone.now() - timedelta(seconds=FRESH_SECONDS)
    if rows and all(row.available and row.seen_at and row.seen_at > fresh for row in rows):
        return rows
    return hosts.refresh()


def known(backend: str) -> list[Engine]:
    """The same engines as they were last seen: no question that could take its time, for transactions and pages."""
    return list(Engine.objects.filter(backend=backend).order_by("pk")) or for_backend(backend)


def _refreshed(backend: str) -> Engine:
    name = "this machine" if backend == Engine.Backend.PROCESS else "the Docker engine"
    row = Engine.objects.filter(backend=backend, name=name).first()
    if row and row.available and row.seen_at and timezone.now() - row.seen_at < timedelta(seconds=FRESH_SECONDS):
        return row
    return look(row or Engine(backend=backend, name=name))


def look(engine: Engine) -> Engine:
    """Asks the machine itself and writes what it says; an engine that does not answer keeps its figures."""
    if engine.backend == Engine.Backend.SWARM:
        return hosts.look(engine)
    now = timezone.now()
    try:
        if engine.backend == Engine.Backend.PROCESS:
            engine.cpus, engine.memory_bytes = _cores_of_this_machine(), _memory_of_this_machine()
            engine.gpus = gpus.count()
        else:
            said = client.info(engine.address or None)
            engine.cpus, engine.memory_bytes = said.cpus, said.memory
            engine.gpus = gpus.count() if said.has_nvidia_runtime else 0
    except StudioError as error:
        engine.available, engine.message = False, error.message
        engine.away_since = engine.away_since or now
    else:
        engine.available, engine.message, engine.seen_at, engine.away_since = True, "", now, None
    if engine.pk:
        engine.save()
        return engine
    row, _ = Engine.objects.update_or_create(
        backend=engine.backend,
        name=engine.name,
        defaults={
            field: getattr(engine, field)
            for field in ("address", "cpus", "memory_bytes", "gpus", "available", "message", "seen_at", "away_since")
        },
    )
    return row


def free_memory(engine: Engine) -> int:
    """Bytes that no node has been promised."""
    nodes = Node.objects.filter(engine=engine)
    if engine.backend != Engine.Backend.PROCESS:
        # A manager of a swarm is also an engine of its own: the same machine, whichever way its nodes came there.
        nodes = Node.objects.filter(engine__address=engine.address).exclude(engine__backend=Engine.Backend.PROCESS)
    promised = nodes.aggregate(all=Sum("memory_bytes"))["all"] or 0
    return int(engine.memory_bytes * MEMORY_FOR_NODES) - int(promised)


def free_gpus(engine: Engine) -> list[int]:
    """Indexes of the GPUs that no node holds."""
    taken = {index for held in Node.objects.filter(engine=engine).values_list("gpus", flat=True) for index in held}
    return [index for index in range(engine.gpus) if index not in taken]


def _cores_of_this_machine() -> int:
    """Cores that this process may use: a container's or a batch system's mask counts."""
    with suppress(AttributeError):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory_of_this_machine() -> int:
    """Bytes of memory, no more than the control group that the server is in allows."""
    total = int(psutil.virtual_memory().total)
    for file in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):
            return min(total, int(Path(file).read_text()))
    return total
