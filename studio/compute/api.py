"""Compute over REST: /vm-sizes and /workspaces/{ws}/computes."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Body, Router
from pydantic import BaseModel, ConfigDict

from studio.compute import targets
from studio.compute.models import VmSize
from studio.workspace.access import workspace_for
from studio.workspace.models import Role

router = Router(tags=["Compute"])


class NewCompute(BaseModel):
    """A cluster or an instance. Further keys are kept and given back under `settings`; they change nothing here."""

    model_config = ConfigDict(extra="allow")

    name: str
    type: str = "AmlCompute"
    vm_size: str | None = None
    min_nodes: int | None = None
    max_nodes: int | None = None
    idle_seconds_before_scaledown: int | None = None
    vm_priority: str | None = None
    backend: str | None = None
    description: str | None = None
    tags: dict[str, Any] | None = None
    settings: dict[str, Any] | None = None


class ComputeChange(BaseModel):
    """What may change; absent or null leaves it."""

    min_nodes: int | None = None
    max_nodes: int | None = None
    idle_seconds_before_scaledown: int | None = None
    description: str | None = None
    tags: dict[str, Any] | None = None


# A password or key has no use here and must not be readable by colleagues.
SECRET_SETTINGS = ("admin_user_password", "admin_user_ssh_key")


@router.get("/vm-sizes", summary="Sizes a target can be created with")
def vm_sizes(request: HttpRequest) -> dict[str, Any]:
    """The table that the site's administrators edit."""
    items = [
        {
            "name": row.name,
            "cpus": row.cpus,
            "memory_gib": row.memory_gib,
            "gpus": row.gpus,
            "disk_gib": row.disk_gib,
            "family": row.family,
        }
        for row in VmSize.objects.all()
    ]
    return {"items": items, "next": None}


@router.get("/workspaces/{ws}/computes", summary="Compute targets of a workspace")
def list_computes(request: HttpRequest, ws: str, type: str = "") -> dict[str, Any]:
    """All targets, `local` included."""
    workspace = workspace_for(request.user, ws)
    rows = targets.listed(workspace)
    if type:
        rows = rows.filter(type=type)
    return {"items": [targets.as_json(row) for row in rows], "next": None}


@router.post("/workspaces/{ws}/computes", response={201: dict[str, Any]}, summary="Create a target")
def create_compute(request: HttpRequest, ws: str, body: Body[NewCompute]) -> tuple[int, dict[str, Any]]:
    """Creates a cluster or instance; the same again gives the one that is there."""
    workspace = workspace_for(request.user, ws, Role.CONTRIBUTOR)
    wanted = body.model_dump(exclude={"settings"} | set(body.model_extra or {}))
    wanted["settings"] = {
        key: value
        for key, value in {**(body.model_extra or {}), **(body.settings or {})}.items()
        if key not in SECRET_SETTINGS
    }
    return 201, targets.as_json(targets.create(workspace, request.user.get_username(), **wanted))


@router.get("/workspaces/{ws}/computes/{name}", summary="One target")
def get_compute(request: HttpRequest, ws: str, name: str) -> dict[str, Any]:
    """A target as it is now."""
    return targets.as_json(targets.get(workspace_for(request.user, ws), name))


@router.patch("/workspaces/{ws}/computes/{name}", summary="Change the scale settings")
def change_compute(request: HttpRequest, ws: str, name: str, body: Body[ComputeChange]) -> dict[str, Any]:
    """Changes scale settings, description or tags."""
    target = targets.get(workspace_for(request.user, ws, Role.CONTRIBUTOR), name)
    return targets.as_json(targets.update(target, **body.model_dump()))


@router.delete("/workspaces/{ws}/computes/{name}", response={202: dict[str, Any]}, summary="Delete a target")
def delete_compute(request: HttpRequest, ws: str, name: str) -> tuple[int, dict[str, Any]]:
    """Runs on it end with a sentence, its nodes go, then it is gone; until then its state is Deleting."""
    target = targets.get(workspace_for(request.user, ws, Role.CONTRIBUTOR), name)
    targets.delete(target, request.user.get_username())
    return 202, targets.as_json(target)


@router.get("/workspaces/{ws}/computes/{name}/nodes", summary="The nodes of a target")
def list_nodes(request: HttpRequest, ws: str, name: str) -> dict[str, Any]:
    """The nodes there are now and what they run."""
    target = targets.get(workspace_for(request.user, ws), name)
    rows = target.nodes_set.select_related("engine", "target")
    return {"items": [targets.node_json(row) for row in rows], "next": None}


@router.get("/workspaces/{ws}/computes/{name}/events", summary="The scaling timeline of a target")
def list_events(request: HttpRequest, ws: str, name: str, limit: int = 100) -> dict[str, Any]:
    """Newest first."""
    target = targets.get(workspace_for(request.user, ws), name)
    rows = target.events.all()[: max(1, min(limit, 1000))]
    items = [
        {
            "at": targets.moment(row.at),
            "kind": row.kind,
            "nodes": row.nodes,
            "node": row.node or None,
            "run_id": row.run_id or None,
            "message": row.message,
        }
        for row in rows
    ]
    return {"items": items, "next": None}
