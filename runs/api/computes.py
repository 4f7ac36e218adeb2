"""Compute targets: listed, created, changed, deleted; their nodes and timelines; the table of sizes."""

from __future__ import annotations

from typing import Any

from runs.api.routing import Call, route
from studio.compute import targets
from studio.compute.models import ComputeTarget, VmSize
from studio.errors import Invalid
from studio.workspace.models import Role, Workspace

TAG = "Compute"
NEW = {
    "name": "text",
    "type": "AmlCompute | ComputeInstance",
    "vm_size": "text; one of GET /vm-sizes",
    "min_nodes": "number?; 0 unless given",
    "max_nodes": "number",
    "idle_seconds_before_scaledown": "number?; 120 unless given",
    "vm_priority": "dedicated | lowpriority?",
    "backend": "docker | process?; where the site runs nodes unless given",
    "description": "text?",
    "tags": "object?",
    "…": "further keys are kept, and given back under settings; they change nothing on one's own machines",
}
CHANGE = {key: NEW[key] for key in ("min_nodes", "max_nodes", "idle_seconds_before_scaledown", "description", "tags")}
# A password or key has no use here and must not be readable by colleagues.
SECRET_SETTINGS = ("admin_user_password", "admin_user_ssh_key")


def _workspace(call: Call) -> Workspace:
    return Workspace.objects.get(pk=call.workspace_id)


def _target(call: Call, name: str) -> ComputeTarget:
    return targets.get(_workspace(call), name)


def _whole(body: dict[str, Any], key: str, kind: type | tuple[type, ...]) -> None:
    if body.get(key) is not None and not isinstance(body[key], kind):
        raise Invalid(f"{key} is of the wrong type: {str(body[key])[:40]!r}.", key)


@route("GET", "/vm-sizes", tag=TAG, summary="Sizes a target can be created with", gives="{items}")
def vm_sizes(call: Call) -> Any:
    """The table that the site's administrators edit."""
    fields = ("name", "cpus", "memory_gib", "gpus", "disk_gib", "family")
    return {"items": list(VmSize.objects.values(*fields)), "next": None}


@route(
    "GET", "/workspaces/{ws}/computes", tag=TAG, summary="Compute targets of a workspace", gives="{items}",
    query={"type": "AmlCompute, ComputeInstance or local."},
)  # fmt: skip
def list_computes(call: Call) -> Any:
    """All targets, `local` included."""
    rows = targets.listed(_workspace(call))
    if kind := call.text("type"):
        rows = rows.filter(type=kind)
    return {"items": [targets.as_json(row) for row in rows], "next": None}


@route(
    "POST", "/workspaces/{ws}/computes", tag=TAG, summary="Create a target", need=Role.CONTRIBUTOR, run_token=False,
    body=NEW, gives="Compute", status=201,
)  # fmt: skip
def create_compute(call: Call) -> Any:
    """Creates a cluster or instance, ready at once; the same again gives the one that is there."""
    body = call.json()
    for key in ("tags", "settings"):
        _whole(body, key, dict)
    wanted = {key: body.pop(key) for key in NEW if key in body}
    further = {**(body.pop("settings", None) or {}), **body}
    wanted["settings"] = {key: value for key, value in further.items() if key not in SECRET_SETTINGS}
    return targets.as_json(targets.create(_workspace(call), call.by, **wanted))


@route("GET", "/workspaces/{ws}/computes/{name}", tag=TAG, summary="One target", gives="Compute")
def get_compute(call: Call, name: str) -> Any:
    """A target as it is now."""
    return targets.as_json(_target(call, name))


@route(
    "PATCH", "/workspaces/{ws}/computes/{name}", tag=TAG, summary="Change the scale settings", need=Role.CONTRIBUTOR,
    run_token=False, body=CHANGE, gives="Compute",
)  # fmt: skip
def change_compute(call: Call, name: str) -> Any:
    """Changes scale settings, description or tags; absent or null leaves a value."""
    body = call.json()
    _whole(body, "tags", dict)
    if unknown := [key for key in body if key not in CHANGE]:
        raise Invalid(f"{unknown[0][:80]!r} can't be changed; {', '.join(CHANGE)} can.", unknown[0][:80])
    return targets.as_json(targets.update(_target(call, name), **body))


@route(
    "DELETE", "/workspaces/{ws}/computes/{name}", tag=TAG, summary="Delete a target", need=Role.CONTRIBUTOR,
    run_token=False, gives="Compute", status=202,
)  # fmt: skip
def delete_compute(call: Call, name: str) -> Any:
    """Runs on it end with a sentence, its nodes go, then it is gone; until then its state is Deleting."""
    target = _target(call, name)
    targets.delete(target, call.by)
    return targets.as_json(target)


@route("GET", "/workspaces/{ws}/computes/{name}/nodes", tag=TAG, summary="The nodes of a target", gives="{items}")
def list_nodes(call: Call, name: str) -> Any:
    """The nodes there are now and what they run."""
    rows = _target(call, name).nodes_set.select_related("engine", "target")
    return {"items": [targets.node_json(row) for row in rows], "next": None}


@route(
    "GET", "/workspaces/{ws}/computes/{name}/events", tag=TAG, summary="The scaling timeline of a target",
    query={"limit": "100 unless given, at most 1,000."}, gives="{items}",
)  # fmt: skip
def list_events(call: Call, name: str) -> Any:
    """Newest first."""
    rows = _target(call, name).events.all()[: call.number("limit", 100, 1, 1000)]
    return {"items": [targets.event_json(row) for row in rows], "next": None}
