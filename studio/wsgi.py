"""The web process: `granian --interface wsgi studio.wsgi:application`.

It answers as soon as it can, and loads the rest of itself behind its first answer, or soon, when nobody asks this one of
several processes: addresses, pages, the API, Celery.
Token requests of the API pass a door of their own; all others are Django's.
"""

import gc
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterable
from functools import cache
from http import HTTPStatus
from importlib import import_module
from typing import Any

from django.core.handlers.exception import response_for_exception
from django.core.handlers.wsgi import WSGIRequest
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "studio.settings")
_django = get_wsgi_application()

from django.conf import settings  # noqa: E402 - after Django's own start
from django.core.signals import request_finished  # noqa: E402
from django.db import connection  # noqa: E402
from django.http import HttpRequest  # noqa: E402
from django.urls import get_resolver, resolve, reverse  # noqa: E402
from django.utils.log import log_response  # noqa: E402

from studio.middleware import in_words  # noqa: E402

StartResponse = Callable[..., Any]
# A thread that comes back from the database waits so long for one that computes (Python's own figure is 5 ms, and a list
# comes back three times): beside four writers a search took 36 ms, and takes 24, with as many points written.
sys.setswitchinterval(0.001)
_PLACE = "/api/v1/"
_STATUS = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}
_PLAIN = [("Content-Type", "application/json"), ("X-Content-Type-Options", "nosniff")]


def application(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    """One request. An answer that is whole is returned as a list: the web server sends it in one piece with its length,
    where it asks an iterator for each piece from another thread."""
    if not _loading:
        return _django(environ, start_response)  # type: ignore[no-any-return]  # its end starts loading the rest
    if "HTTP_AUTHORIZATION" in environ and environ["PATH_INFO"].startswith("/api/"):
        return _api(environ, start_response)
    return _whole(_django(environ, start_response))


def _whole(response: Any) -> Iterable[bytes]:
    if getattr(response, "streaming", True):
        return response  # type: ignore[no-any-return]
    body = [response.content]
    response.close()
    return body


# -- the API's door ---------------------------------------------------------------------------------------------------


def _api(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    """What Django's handler does around a view, as far as a token request needs it: no middleware, no signals."""
    try:
        request = WSGIRequest(environ)
    except UnicodeDecodeError:
        return _whole(_django(environ, start_response))
    try:
        found = in_words(request, _answer)
    except Exception as error:  # noqa: BLE001 - becomes a 500, said in the log, as Django has it
        found = response_for_exception(request, error)
    finally:
        connection.close_if_unusable_or_obsolete()
    if isinstance(found, tuple):
        status, body = found
        start_response(_STATUS[status], _PLAIN)
        return [body]
    if found.status_code >= 500:
        log_response("%s: %s", found.reason_phrase, request.path, response=found, request=request)
    found["X-Content-Type-Options"] = "nosniff"
    start_response(f"{found.status_code} {found.reason_phrase}", list(found.items()))
    return _whole(found)


def _answer(request: HttpRequest) -> Any:
    """A status and JSON where that is all, else a response."""
    if request.path_info.startswith(_PLACE):
        rest = request.path_info[len(_PLACE) :]
        for pattern, gate in _first():
            if match := pattern.match(rest):
                return gate.plain(request, match.groupdict())
    match_ = resolve(request.path_info)
    plain = getattr(match_.func, "plain", None)
    return plain(request, match_.kwargs) if plain else match_.func(request, *match_.args, **match_.kwargs)


@cache
def _first() -> Any:
    """The addresses asked for most, which need no walk through the table; loaded with the first that is."""
    import_module("runs.api.urls")  # registers them
    return import_module("runs.api.routing").first()


# -- loading the rest -------------------------------------------------------------------------------------------------
_loading: list[threading.Thread] = []


def _load_the_rest() -> None:
    """What would otherwise be loaded under the first visitor's hands. What can't be loaded is said by who needs it."""
    try:
        for part in get_resolver().url_patterns:
            getattr(part, "url_patterns", None)  # imports its modules
        reverse("home")
        import_module(settings.CELERY_APP)
    except Exception:  # the server goes on: each request imports what it needs, and fails by itself
        logging.getLogger(__name__).exception("could not load all of the server ahead of its use")
    # What is loaded stays: looking through it for garbage would stop all threads for a tenth of a second now and then.
    gc.collect()
    gc.freeze()


SOON = 3.0  # seconds: by then the process that was asked first is done with this


def _after_the_first_answer(**_: Any) -> None:
    if request_finished.disconnect(dispatch_uid="load-the-rest"):  # of several at once, one
        thread = threading.Thread(target=_load_the_rest, name="load-the-rest", daemon=True)
        thread.start()
        _loading.append(thread)


request_finished.connect(_after_the_first_answer, weak=False, dispatch_uid="load-the-rest")
_soon = threading.Timer(SOON, _after_the_first_answer)
_soon.daemon = True
_soon.start()
