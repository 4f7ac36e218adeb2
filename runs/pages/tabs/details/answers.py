"""The run as the API shows it, and what was submitted, as JSON to read."""

from __future__ import annotations

import orjson
from django.http import HttpRequest, HttpResponse

from runs.models import Run, raw
from runs.pages.tabs.details.masking import masked
from runs.queries import runs
from studio.errors import NotFound


def _json(document: object) -> HttpResponse:
    response = HttpResponse(
        orjson.dumps(document, option=orjson.OPT_INDENT_2 | raw.WIRE_TIMES), content_type="application/json"
    )
    response["X-Content-Type-Options"] = "nosniff"
    return response


def whole(request: HttpRequest, run: Run) -> HttpResponse:
    """GET /api/v1/runs/{id}, indented. The definition comes from the row, since the API's is not parsed."""
    return _json(runs.get(run.id) | {"definition": masked(run.definition), "warnings": run.warnings})


def definition(request: HttpRequest, run: Run) -> HttpResponse:
    """The v1 runDefinition as it was submitted, secrets masked as on the page."""
    if run.definition is None:
        raise NotFound("This run was not submitted, so it has no definition.")
    return _json(masked(run.definition))
