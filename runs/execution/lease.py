"""One worker at a time steps a run. A lease is a time and a name in the run's row; it ends with its time, or at once
when the process that holds it is found dead on this host."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import socket
import threading
from collections.abc import Iterator

import psutil
from django.db.models import Q
from django.utils import timezone

from runs.models import Run

# Longer than any verb takes; another host's worker that was killed holds its runs this long.
LEASE = dt.timedelta(seconds=60)
HOST = socket.gethostname()


def me() -> str:
    """host/process/when it started: a number alone may be somebody else's tomorrow. The thread tells tasks apart."""
    pid = os.getpid()
    return f"{HOST}/{pid}/{psutil.Process(pid).create_time():.2f}/{threading.get_ident()}"


def is_dead(holder: str) -> bool:
    """Whether a lease's holder was a process of this host that is gone. Of other hosts nobody here can tell."""
    try:
        host, pid, created, _ = holder.split("/")
        if host != HOST:
            return False
        return abs(psutil.Process(int(pid)).create_time() - float(created)) > 0.1
    except psutil.NoSuchProcess:
        return True
    except ValueError:
        return False


@contextlib.contextmanager
def lease(run_id: str) -> Iterator[Run | None]:
    """The run, held for this block; None when it is gone or another worker has it."""
    holder = me()
    run = _take(run_id, holder)
    try:
        yield run
    finally:
        if run is not None:
            Run.objects.filter(pk=run_id, leased_by=holder).update(leased_until=None, leased_by="")


def _take(run_id: str, holder: str) -> Run | None:
    run = Run.objects.filter(pk=run_id).first()
    if run is None:
        return None
    now = timezone.now()
    free = Q(leased_until=None) | Q(leased_until__lt=now)
    if run.leased_by and is_dead(run.leased_by):
        free |= Q(leased_by=run.leased_by)
    if not Run.objects.filter(free, pk=run_id).update(leased_until=now + LEASE, leased_by=holder):
        return None
    return Run.objects.select_related("workspace", "experiment").filter(pk=run_id).first()


def keep(run: Run) -> bool:
    """Lengthens the lease for another step and reads the row anew; False when it was lost to another worker."""
    held = Run.objects.filter(pk=run.pk, leased_by=me()).update(leased_until=timezone.now() + LEASE)
    if held:
        run.refresh_from_db()
    return bool(held)
