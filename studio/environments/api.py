"""Environments over REST: /workspaces/{ws}/environments and the builds of a workspace."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Body, Router
from pydantic import BaseModel

from studio.environments import logs, queries, register
from studio.workspace.access import workspace_for
from studio.workspace.models import Role

router = Router(tags=["Environments"])


class NewEnvironment(BaseModel):
    """An environment as it stands in a run's definition; `definition.name` names it."""

    definition: dict[str, Any]


@router.get("/workspaces/{ws}/environments", summary="Environments of a workspace")
def list_environments(request: HttpRequest, ws: str) -> dict[str, Any]:
    """The latest version of each, curated ones included."""
    workspace = workspace_for(request.user, ws)
    return {"items": [record.as_json() for record in register.listed(workspace)], "next": None}


@router.post("/workspaces/{ws}/environments", response={201: dict[str, Any]}, summary="Register an environment")
def register_environment(request: HttpRequest, ws: str, body: Body[NewEnvironment]) -> tuple[int, dict[str, Any]]:
    """The next version; the same content as the latest gives the latest. A registry's password is kept encrypted."""
    workspace = workspace_for(request.user, ws, Role.CONTRIBUTOR)
    return 201, register.register(workspace, body.definition, request.user.get_username()).as_json()


@router.get("/workspaces/{ws}/environments/{name}", summary="One environment")
def get_environment(request: HttpRequest, ws: str, name: str, version: str = "") -> dict[str, Any]:
    """The latest version, or the one asked for."""
    return register.get(workspace_for(request.user, ws), name, version).as_json()


@router.get("/workspaces/{ws}/environments/{name}/versions", summary="Versions of an environment")
def list_versions(request: HttpRequest, ws: str, name: str) -> dict[str, Any]:
    """Newest first."""
    found = register.versions(workspace_for(request.user, ws), name)
    return {"items": [record.as_json() for record in found], "next": None}


@router.get("/workspaces/{ws}/builds", summary="Builds of environments")
def list_builds(request: HttpRequest, ws: str, limit: int = 100) -> dict[str, Any]:
    """Newest first: those that runs of this workspace started or waited for."""
    found = queries.builds(workspace_for(request.user, ws))[: max(1, min(limit, 1000))]
    return {"items": [queries.build_json(build) for build in found], "next": None}


@router.get("/workspaces/{ws}/builds/{build_id}", summary="One build")
def get_build(request: HttpRequest, ws: str, build_id: int) -> dict[str, Any]:
    """A build as it is now."""
    return queries.build_json(queries.build(workspace_for(request.user, ws), build_id))


@router.get("/workspaces/{ws}/builds/{build_id}/log", summary="The log of a build", response=None)
def get_build_log(request: HttpRequest, ws: str, build_id: int, offset: int = 0) -> HttpResponse:
    """Bytes from `offset` on; X-Log-Size says how many there are by now, X-Log-Complete whether more will come."""
    found = queries.build(workspace_for(request.user, ws), build_id)
    log = logs.build_log(found.pk, max(0, offset))
    response = HttpResponse(log.data, content_type="text/plain; charset=utf-8")
    response["X-Log-Size"] = str(log.size)
    response["X-Log-Complete"] = "1" if log.complete else "0"
    return response
