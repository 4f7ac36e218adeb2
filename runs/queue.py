"""Wake a worker for a run, after the transaction that changed it has been committed.

A wake is a hint: the beat wakes every run that is not final, so one that is lost costs seconds and nothing else.
"""

from __future__ import annotations

import logging

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

log = logging.getLogger(__name__)
STEP = "runs.step"


def _send(run_id: str, countdown: float) -> None:
    try:
        current_app.send_task(STEP, args=[run_id], countdown=countdown or None, ignore_result=True)
    except (OperationalError, OSError) as error:
        # The broker is away: the row holds the intent and the beat finds it, so nobody's request fails for it.
        log.warning("could not wake %s: %s", run_id, error)


def wake(run_id: str, countdown: float = 0) -> None:
    """Have a worker look at the run, now or in `countdown` seconds."""
    transaction.on_commit(lambda: _send(run_id, countdown))
