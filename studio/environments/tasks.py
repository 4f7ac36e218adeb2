"""Celery tasks: thin. The rows say what is to be done."""

from __future__ import annotations

from celery import shared_task

from studio.environments.building.worker import run


@shared_task(name="environments.build", ignore_result=True)
def build(build_id: int) -> None:
    """Makes one image or virtual environment."""
    run(build_id)
