"""Celery tasks: thin. The rows say what is to be done."""

from __future__ import annotations

import threading

from celery import shared_task
from django.conf import settings

from studio.environments import queue
from studio.environments.building.worker import run

# Builds take minutes; the other threads of a worker are left to the runs, which need theirs for moments.
_slots = threading.BoundedSemaphore(max(1, settings.BUILDS_AT_ONCE))
BUSY_SECONDS = 2


@shared_task(name="environments.build", ignore_result=True)
def build(build_id: int) -> None:
    """Makes one image or virtual environment, if this worker has a place for it now."""
    if not _slots.acquire(blocking=False):
        build.apply_async(args=[build_id], countdown=BUSY_SECONDS)
        return
    try:
        run(build_id)
    finally:
        _slots.release()


@shared_task(name="environments.upkeep", ignore_result=True, expires=30)
def upkeep() -> None:
    """Takes up builds whose worker is gone, ends those that nobody waits for."""
    queue.upkeep()
