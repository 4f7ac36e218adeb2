"""Celery tasks: thin. The rows say what is to be done."""

from __future__ import annotations

from celery import shared_task

from runs.execution import (
    samplers,  # noqa: F401 - importing it tells compute how jobs are sampled
    sweep,
    worker,
)
from runs.queue import STEP


@shared_task(name=STEP, ignore_result=True)
def step(run_id: str) -> None:
    """One step of one run."""
    worker.step(run_id)


@shared_task(name="runs.beat", ignore_result=True, expires=30)
def beat() -> None:
    """Wakes every run that is not final."""
    worker.wake_all()


@shared_task(name="runs.sweep", ignore_result=True, expires=60)
def sweep_leftovers() -> None:
    """Removes what is left of runs that are over."""
    sweep.sweep()
