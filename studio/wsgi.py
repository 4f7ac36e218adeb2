"""The web process: `granian --interface wsgi studio.wsgi:application`.

It answers as soon as it can, and loads the rest of itself behind its first answer: addresses, pages, the API, Celery.
"""

import logging
import os
import threading
from importlib import import_module
from typing import Any

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "studio.settings")
application = get_wsgi_application()

from django.conf import settings  # noqa: E402 - after Django's own start
from django.core.signals import request_finished  # noqa: E402
from django.urls import get_resolver, reverse  # noqa: E402


def _load_the_rest() -> None:
    """What would otherwise be loaded under the first visitor's hands. What can't be loaded is said by who needs it."""
    try:
        for part in get_resolver().url_patterns:
            getattr(part, "url_patterns", None)  # imports its modules
        reverse("home")
        import_module(settings.CELERY_APP)
    except Exception:  # the server goes on: each request imports what it needs, and fails by itself
        logging.getLogger(__name__).exception("could not load all of the server ahead of its use")


def _after_the_first_answer(**_: Any) -> None:
    if request_finished.disconnect(dispatch_uid="load-the-rest"):  # of several at once, one
        threading.Thread(target=_load_the_rest, name="load-the-rest", daemon=True).start()


request_finished.connect(_after_the_first_answer, weak=False, dispatch_uid="load-the-rest")
