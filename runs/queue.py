"""Wake a worker for a run, after the transaction that changed it has been committed.

A wake is a hint: the beat wakes every run that is not final, so one that is lost costs seconds and nothing else.
"""

from __future__ import annotations

from django.db import transaction

from studio import workers

STEP = "runs.step"


def wake(run_id: str, countdown: float = 0) -> None:
    """Have a worker look at the run, now or in `countdown` seconds."""
    transaction.on_commit(lambda: workers.send(STEP, run_id, countdown))
