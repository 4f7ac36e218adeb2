"""What every request passes: the API skips what only pages need, and errors become sentences once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.db import DataError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from studio.errors import Invalid, NotFound, StudioError, Unauthenticated, full_disk

API = "/api/"
Handler = Callable[[HttpRequest], HttpResponse]


def api_error(error: StudioError) -> JsonResponse:
    """The wire form of a refusal."""
    response = JsonResponse({"error": error.as_dict()}, status=error.status)
    if error.status == 401:
        response["WWW-Authenticate"] = "Bearer"
    return response


class ApiFirst:
    """Answer token requests under /api/ without sessions, CSRF, CSP and messages: they are the hot path.

    A browser's session may call the API too; such a request (no Authorization header) takes the long way, so that
    CSRF is checked for it. The web server's own door (studio.wsgi) answers token requests before they come here.
    """

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info.startswith(API) and "HTTP_AUTHORIZATION" in request.META:
            response = in_words(request, _resolved)
            response["X-Content-Type-Options"] = "nosniff"
            return response
        return self.get_response(request)


def _resolved(request: HttpRequest) -> HttpResponse:
    """Resolve and call the view, as Django's own handler does."""
    from django.urls import resolve

    match = resolve(request.path_info)
    request.resolver_match = match
    return match.func(request, *match.args, **match.kwargs)  # type: ignore[no-any-return]


def in_words(request: HttpRequest, get_response: Callable[[HttpRequest], Any]) -> Any:
    """What `get_response` answers, and a refusal in JSON where it raises one."""
    from django.core.exceptions import BadRequest, RequestDataTooBig
    from django.http import Http404

    try:
        return get_response(request)
    except StudioError as error:
        return api_error(error)
    except Http404:
        error_ = {"code": "not_found", "message": f"There is nothing at {request.path}.", "field": None}
        return JsonResponse({"error": error_}, status=404)
    except (BadRequest, RequestDataTooBig) as error:
        return JsonResponse({"error": {"code": "invalid", "message": str(error), "field": None}}, status=400)


class Sentences:
    """Translate a StudioError that a page's view raised; the API's JSON when the path is the API's."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if "\x00" in request.path_info or "%00" in request.META.get("QUERY_STRING", ""):
            # No name here holds a NUL, and PostgreSQL refuses one in the middle of a query.
            return render(
                request, "error.html", {"error": NotFound("There is nothing here that you can see.")}, status=404
            )
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Django calls this for what a view raised; anything but our own errors goes on as it was."""
        if isinstance(error, DataError):
            # A form's text that the database can't hold: nothing was written.
            error = Invalid(
                "A text in this form is too long, or holds a character that can't be kept (NUL). Shorten it."
            )
        error = full_disk(error) or error
        if not isinstance(error, StudioError):
            return None
        if request.path_info.startswith(API):
            return api_error(error)
        if isinstance(error, Unauthenticated):
            return redirect_to_login(request.get_full_path())
        return render(request, "error.html", {"error": error}, status=error.status)
