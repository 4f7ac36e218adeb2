"""The API's description, made from the table of routes: an OpenAPI document, and a page to read it on."""

from __future__ import annotations

import inspect
import re
from functools import cache
from typing import Any

import orjson
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from runs.api.routing import ROUTES, Route
from studio import __version__
from studio.workspace.models import Role

ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "field"],
            "properties": {
                "code": {
                    "enum": [
                        "invalid",
                        "unauthenticated",
                        "forbidden",
                        "not_found",
                        "conflict",
                        "too_large",
                        "unavailable",
                    ]
                },
                "message": {"type": "string", "description": "A sentence for people."},
                "field": {"type": ["string", "null"], "description": "The input at fault."},
            },
        }
    },
}
PATH_NAMES = {
    "id": "The run's (or snapshot's, explanation's …) id.",
    "ws": "The workspace's name.",
    "name": "Its name.",
    "v": "The version's number.",
    "path": "A path with / between its parts.",
}


def words(route: Route) -> str:
    """What the view's docstring says, on one line."""
    return " ".join((inspect.getdoc(route.view) or "").split())


def who(route: Route) -> str:
    """Who may call it, in words."""
    if not route.scope:
        return "Anyone who is signed in" + ("" if route.run_token else "; not a run's token")
    label = Role(route.need).label
    return f"{label} of the workspace" + ("; a run's own token too" if route.run_token else "; not a run's token")


def _body(route: Route) -> dict[str, Any] | None:
    if route.body is None:
        return None
    if isinstance(route.body, dict):
        properties = {name: {"description": str(text)} for name, text in route.body.items()}
        return {"content": {"application/json": {"schema": {"type": "object", "properties": properties}}}}
    schema = {"type": "string", "format": "binary"}
    return {"description": str(route.body), "content": {"application/octet-stream": {"schema": schema}}}


def _operation(route: Route) -> dict[str, Any]:
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "integer" if name == "v" else "string"},
         "description": PATH_NAMES.get(name, name)}
        for name in re.findall(r"\{(\w+)\}", route.path)
    ] + [
        {"name": name, "in": "query", "required": False, "schema": {"type": "string"}, "description": text}
        for name, text in route.query.items()
    ]  # fmt: skip
    found: dict[str, Any] = {
        "operationId": f"{route.view.__module__.rpartition('.')[2]}.{route.view.__name__}",
        "tags": [route.tag],
        "summary": route.summary,
        "description": f"{words(route)} Who: {who(route)}.".strip(),
        "parameters": parameters,
        "responses": {
            str(route.status): {"description": route.gives or "Done."},
            "default": {
                "description": "Refused.",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
            },
        },
    }
    body = _body(route)
    if body is not None:
        found["requestBody"] = body
    return found


@cache
def document() -> dict[str, Any]:
    """The OpenAPI 3.1 document of every registered route."""
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Atelier",
            "version": __version__,
            "description": "Lists are {items, next}: pass next as cursor for the following page. Times are ISO 8601 in "
            "UTC. A refusal is {error: {code, message, field}}. What is in another workspace is 404.",
        },
        "servers": [{"url": f"{settings.SERVER_URL}/api/v1"}],
        "security": [{"token": []}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": {"Error": ERROR},
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A personal token (atp_…) or a run's (atr_…).",
                }
            },
        },
    }


def openapi(request: HttpRequest) -> HttpResponse:
    """GET /api/v1/openapi.json. It names no one's data, so it needs no token."""
    return HttpResponse(orjson.dumps(document(), option=orjson.OPT_INDENT_2), content_type="application/json")


def docs(request: HttpRequest) -> HttpResponse:
    """GET /api/v1/docs: the same, to read. Written by our own template: no script, so it stands under the CSP."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for route in sorted(ROUTES, key=lambda route: (route.tag, route.path, route.method)):
        groups.setdefault(route.tag, []).append(
            {
                "anchor": re.sub(r"[^a-z]+", "-", f"{route.method}{route.path}".lower()).strip("-"),
                "method": route.method,
                "path": route.path,
                "summary": route.summary,
                "words": words(route),
                "who": who(route),
                "query": route.query.items(),
                "fields": route.body.items() if isinstance(route.body, dict) else (),
                "body": "" if isinstance(route.body, dict) else route.body or "",
                "gives": route.gives,
                "status": route.status,
            }
        )
    info = document()["info"]
    return render(request, "api/docs.html", {"groups": groups, "info": info, "server": settings.SERVER_URL})
