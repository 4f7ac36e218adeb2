"""Celery wakes workers; it never holds state. Owned with runs/execution/tasks.py."""

from __future__ import annotations

import os

from celery import Celery
from django.conf import settings
from kombu.transport import TRANSPORT_ALIASES

from studio import beat

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "studio.settings")

TRANSPORT_ALIASES["folder"] = "studio.broker:Transport"

app = Celery("atelier")
app.set_default()
beat.install(app)


def broker() -> dict[str, object]:
    """Redis when REDIS_URL is set, else a folder: a laptop needs no broker server."""
    if settings.REDIS_URL:
        return {"broker_url": settings.REDIS_URL}
    folder = settings.HOME / "queue"
    for name in ("messages", "control", "processed"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    return {
        "broker_url": "folder://localhost",
        "broker_transport_options": {
            "data_folder_in": str(folder / "messages"),
            "data_folder_out": str(folder / "messages"),
            "control_folder": str(folder / "control"),
            "processed_folder": str(folder / "processed"),
            "store_processed": False,
        },
    }


app.conf.update(
    **broker(),
    task_ignore_result=True,
    task_default_queue="atelier",
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
    worker_hijack_root_logger=False,
    timezone="UTC",
)
app.autodiscover_tasks(["runs.execution", "studio.environments", "studio.compute"])

# A tick that comes late counts as long as a slow moment of the machine lasts; then it expires, so that ticks never pile up
# behind long work. A sample counts at its time only.
LATE_SECONDS = 30
app.conf.beat_schedule = {
    **(app.conf.beat_schedule or {}),
    **{
        task: {"task": task, "schedule": every, "options": {"expires": max(every, LATE_SECONDS)}}
        for task, every in {
            "runs.beat": settings.BEAT_SECONDS,
            "runs.sweep": 60.0,
            "environments.upkeep": 20.0,
            "compute.tick": 2.0,
        }.items()
    },
    "compute.sample": {"task": "compute.sample", "schedule": 5.0, "options": {"expires": 5}},
}
