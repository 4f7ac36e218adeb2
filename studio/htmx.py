"""A page or its fragment from one view, and toasts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def respond(
    request: HttpRequest, *, page: str, fragment: str | None = None, context: Mapping[str, Any], status: int = 200
) -> HttpResponse:
    """Render `fragment` for an htmx request that swaps a part, else the whole `page`, from the same context."""
    htmx = getattr(request, "htmx", None)
    part = fragment is not None and htmx and not htmx.boosted and not htmx.history_restore_request
    response = render(request, fragment if part and fragment else page, dict(context), status=status)
    response["Vary"] = "HX-Request, Cookie"
    return response


def toast(response: HttpResponse, message: str, tone: str = "ok") -> HttpResponse:
    """Have the page show `message` for a moment; `tone` is ok, busy or bad."""
    # JSON's own escapes keep the header ASCII whatever the names in the message are.
    response["HX-Trigger"] = json.dumps({"toast": {"message": message, "tone": tone}})
    return response
