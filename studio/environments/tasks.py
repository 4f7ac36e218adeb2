"""Celery tasks: thin. The rows say what is to be done."""

from __future__ import annotations

import logging
import threading
from typing import Any

from celery import shared_task
from celery.signals import worker_ready
from django.conf import settings

from studio.environments import queue, sdk_wheel
from studio.environments.building.worker import run
from studio.errors import StudioError

log = logging.getLogger(__name__)

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


@worker_ready.connect(dispatch_uid="environments.sdk")
def prepare_the_sdk(**_: Any) -> None:
    """Builds the SDK's wheel on this host while nobody waits for it: it takes seconds, and the first run needs it."""
    threading.Thread(target=_prepare_the_sdk, name="sdk-wheel", daemon=True).start()


def _prepare_the_sdk() -> None:
    try:
        sdk_wheel.unpacked()
    except (StudioError, OSError) as error:
        # The first run that needs it tries again, and says to its owner what is wrong.
        log.warning("the SDK's wheel could not be prepared: %s", error)
