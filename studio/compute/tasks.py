"""The beat's wake-ups: scale, look at the engines, sample. Three lines each; the work is in the modules they call."""

from celery import shared_task
from django.conf import settings

from studio.compute import upkeep, usage


@shared_task(name="compute.tick", ignore_result=True)
def tick() -> None:
    """Scales every target that has something to scale, and looks after engines and leftovers."""
    upkeep.tick()


@shared_task(name="compute.sample", ignore_result=True)
def sample() -> None:
    """Samples what the placed runs use."""
    if settings.USAGE_SECONDS:
        usage.sample_all()
