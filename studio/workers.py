"""Hand a task to a worker. A message is a hint: the rows hold what is to be done, and the beat finds what was lost."""

from __future__ import annotations

import logging
from importlib import import_module
from typing import Any

from django.conf import settings

log = logging.getLogger(__name__)


def send(task: str, argument: Any, countdown: float = 0) -> None:
    """Send a task its one argument, to be taken up now or in `countdown` seconds. A broker that is away is logged."""
    # Here: the web server starts without Celery. Importing the app makes it the one that `send_task` uses.
    from celery import current_app
    from kombu.exceptions import OperationalError

    import_module(settings.CELERY_APP)
    try:
        current_app.send_task(task, args=[argument], countdown=countdown or None, ignore_result=True)
    except (OperationalError, OSError) as error:
        # The row holds the intent and the beat finds it, so nobody's request fails for it.
        log.warning("could not send %s for %s: %s", task, argument, error)
