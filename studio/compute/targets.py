"""Compute targets: created, changed, deleted, found, and described as the API shows them."""

from __future__ import annotations

import re
from collections import Counter
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from studio.compute import engines, scaling
from studio.compute.models import ComputeTarget, Engine, Node, ScalingEvent, VmSize
from studio.compute.signals import look_again
from studio.errors import Conflict, Invalid, NotFound
from studio.workspace.models import Workspace

LOCAL = "local"
# v1's rule: 2 to 16 characters for instances were enforced by some services; 24 and then 32 by others. The longest holds.
NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{1,31}")
MAX_NODES = 100  # per cluster, as documented for v1
MAX_IDLE_SECONDS = 30 * 24 * 3600
Type = ComputeTarget.Type


def find(workspace_id: int, name: str) -> ComputeTarget | None:
    """The target by name; `local` is there for everybody and is made when first asked for."""
    if name == LOCAL:
        return local(workspace_id)
    return ComputeTarget.objects.filter(workspace_id=workspace_id, name=name).first()


def get(workspace: Workspace, name: str) -> ComputeTarget:
    """The target by name, or NotFound."""
    found = find(workspace.pk, name)
    if found is None:
        raise NotFound(f"There is no compute target {name!r} in the workspace {workspace.name}.")
    return found


def local(workspace_id: int) -> ComputeTarget:
    """This machine as a target: as many runs at a time as the site allows, each in a slot of its own."""
    from django.conf import settings

    slots = settings.LOCAL_SLOTS
    target, made = ComputeTarget.objects.get_or_create(
        workspace_id=workspace_id,
        name=LOCAL,
        defaults={
            "type": Type.LOCAL,
            "backend": Engine.Backend.PROCESS,
            "max_nodes": slots,
            "idle_seconds": 0,
            "description": "The machine that the studio's worker runs on.",
        },
    )
    if not made and target.max_nodes != slots:
        target.max_nodes = slots
        target.save(update_fields=["max_nodes"])
    return target


def listed(workspace: Workspace) -> QuerySet[ComputeTarget]:
    """All targets of a workspace by name, `local` included."""
    local(workspace.pk)
    return workspace.compute_targets.order_by("name").prefetch_related("nodes_set")  # type: ignore[no-any-return]


def create(workspace: Workspace, by: str, **wanted: Any) -> ComputeTarget:
    """Creates a target; the same name with the same settings gives the one that is there, as v1's `create` did.

    Raises Invalid naming the field, Conflict for a name that is taken by something else.
    """
    values = _checked(wanted)
    existing = ComputeTarget.objects.filter(workspace=workspace, name=values["name"]).first()
    if existing:
        return _same(existing, values)
    target = ComputeTarget(workspace=workspace, created_by=by, **values)
    _fits(target)
    try:
        with transaction.atomic():
            target.save()
            scaling.note(target, "created", f"Created with {target.min_nodes} to {target.max_nodes} nodes.")
    except IntegrityError:
        return _same(ComputeTarget.objects.get(workspace=workspace, name=values["name"]), values)
    if target.min_nodes:
        transaction.on_commit(lambda: scaling.settle(target.pk))
    return target


def _same(existing: ComputeTarget, values: dict[str, Any]) -> ComputeTarget:
    if existing.deleting_at:
        raise Conflict(f"{existing.name} is being deleted; it can be created anew when its nodes are gone.", "name")
    if existing.type != values["type"] or existing.vm_size != values["vm_size"]:
        raise Conflict(
            f"There is a {existing.type} named {existing.name} with {existing.vm_size or 'no size'} already; "
            "choose another name, or delete it first.",
            "name",
        )
    return existing


def _fits(target: ComputeTarget) -> None:
    """Refuses at once what could never start; an engine that is away now is no reason."""
    found = engines.for_backend(target.backend)
    if all(engine.available for engine in found) and (why := scaling.never_fits(target, max(target.min_nodes, 1))):
        raise Invalid(why, "vm_size")


def _checked(wanted: dict[str, Any]) -> dict[str, Any]:
    kind = wanted.get("type") or Type.CLUSTER
    if kind not in (Type.CLUSTER, Type.INSTANCE):
        raise Invalid(f"type is {kind!r}; create an AmlCompute or a ComputeInstance. `local` is always there.", "type")
    name = str(wanted.get("name") or "")
    if name.lower() == LOCAL:
        raise Invalid("`local` is this machine and always there; choose another name.", "name")
    if not NAME.fullmatch(name) or name.endswith("-"):
        raise Invalid(
            f"{name[:40]!r} can't name a compute target: use 2 to 32 letters, digits and -, beginning with a letter.",
            "name",
        )
    low, high = _range(kind, wanted.get("min_nodes"), wanted.get("max_nodes"))
    backend = wanted.get("backend") or engines.default_backend()
    if backend not in Engine.Backend.values:
        raise Invalid(f"backend is {backend!r}; it is one of {', '.join(Engine.Backend.values)}.", "backend")
    if backend == Engine.Backend.PROCESS and not engines.takes_processes():
        raise Invalid(
            "This site runs jobs in containers only (its setting ATELIER_COMPUTE_BACKEND): leave backend out.",
            "backend",
        )
    return {
        "name": name,
        "type": kind,
        "backend": backend,
        "vm_size": vm_size(wanted.get("vm_size")).name,
        "min_nodes": low,
        "max_nodes": high,
        "idle_seconds": idle_seconds(wanted.get("idle_seconds_before_scaledown")),
        "vm_priority": vm_priority(wanted.get("vm_priority")),
        "description": str(wanted.get("description") or "")[:5000],
        "tags": dict(wanted.get("tags") or {}),
        "settings": {k: v for k, v in (wanted.get("settings") or {}).items() if v is not None},
    }


def _range(kind: str, least: Any, most: Any) -> tuple[int, int]:
    """How many nodes; an instance is one node that is always on."""
    if kind == Type.INSTANCE:
        return 1, 1
    low = 0 if least is None else whole(least, "min_nodes", 0, MAX_NODES)
    if most is None:
        raise Invalid("max_nodes is missing: how many nodes may the cluster grow to?", "max_nodes")
    high = whole(most, "max_nodes", 0, MAX_NODES)
    if low > high:
        raise Invalid(f"min_nodes is {low} and max_nodes {high}; the maximum can't be below the minimum.", "min_nodes")
    return low, high


def whole(value: Any, name: str, low: int, high: int) -> int:
    """A whole number in a range, or Invalid."""
    try:
        number = int(value)
    except (TypeError, ValueError):
        number = low - 1
    if isinstance(value, bool) or not low <= number <= high:
        raise Invalid(f"{name} is {value!r}; it must be a whole number from {low} to {high:,}.", name)
    return number


def idle_seconds(value: Any) -> int:
    """How long an idle node stays; v1's default is 120 s for a cluster made by the SDK."""
    if value is None or value == "":
        return 120
    return whole(value, "idle_seconds_before_scaledown", 0, MAX_IDLE_SECONDS)


def vm_priority(value: Any) -> str:
    """dedicated or lowpriority, in any case."""
    word = str(value or ComputeTarget.Priority.DEDICATED).lower()
    if word not in ComputeTarget.Priority.values:
        raise Invalid(f"vm_priority is {value!r}; it is 'dedicated' or 'lowpriority'.", "vm_priority")
    return word


def vm_size(name: Any) -> VmSize:
    """The size by its name in any case, or Invalid with names that are close to it."""
    if not name:
        raise Invalid(
            "vm_size is missing; GET /api/v1/vm-sizes lists the sizes, for example STANDARD_D2_V2.", "vm_size"
        )
    row = VmSize.objects.filter(name__iexact=str(name)).first()
    if row is None:
        import difflib

        known = list(VmSize.objects.values_list("name", flat=True))
        close = difflib.get_close_matches(str(name).upper(), known, 3) or known[:3]
        raise Invalid(
            f"There is no size {str(name)[:64]!r} here; near it are {', '.join(close)}. "
            "An administrator can add a size in the admin.",
            "vm_size",
        )
    return row


def update(target: ComputeTarget, **wanted: Any) -> ComputeTarget:
    """Changes the scale settings, description or tags; None leaves a value as it is."""
    if target.type == Type.LOCAL:
        raise Conflict(
            "`local` is this machine; the setting ATELIER_LOCAL_SLOTS says how many runs it takes at a time."
        )
    if target.deleting_at:
        raise Conflict(f"{target.name} is being deleted.")
    given = {k: v for k, v in wanted.items() if v is not None}
    if target.type == Type.INSTANCE and ("min_nodes" in given or "max_nodes" in given):
        raise Invalid("An instance is one node that is always on; a cluster scales.", "max_nodes")
    low, high = _range(target.type, given.get("min_nodes", target.min_nodes), given.get("max_nodes", target.max_nodes))
    target.min_nodes, target.max_nodes = low, high
    if "idle_seconds_before_scaledown" in given:
        target.idle_seconds = idle_seconds(given["idle_seconds_before_scaledown"])
    if "description" in given:
        target.description = str(given["description"])[:5000]
    if "tags" in given:
        target.tags = dict(given["tags"])
    target.modified_at = timezone.now()
    target.save()
    scaling.note(target, "changed", f"Now {low} to {high} nodes, {target.idle_seconds} s idle before one leaves.")
    transaction.on_commit(lambda: scaling.settle(target.pk))
    return target


def delete(target: ComputeTarget, by: str = "") -> None:
    """Asks for the removal: runs on it end with a sentence, then its nodes go, then the row. Twice is once."""
    if target.type == Type.LOCAL:
        raise Conflict("`local` is this machine and can't be deleted.")
    if not target.deleting_at:
        who = f" by {by}" if by else ""
        ComputeTarget.objects.filter(pk=target.pk, deleting_at__isnull=True).update(deleting_at=timezone.now())
        scaling.note(target, "deleting", f"Deletion was asked for{who}.")
        target.refresh_from_db()
    runs = list(target.placements.values_list("run_id", flat=True))
    look_again.send(sender=ComputeTarget, run_ids=runs)
    transaction.on_commit(lambda: scaling.settle(target.pk))


def node_counts(nodes: list[Node]) -> dict[str, int]:
    """How many nodes in each state, with v1's names."""
    counts = Counter(node.state for node in nodes)
    return {state: counts[state] for state in ("idle", "preparing", "running", "leaving", "unusable")} | {
        "preempted": 0
    }


def as_json(target: ComputeTarget) -> dict[str, Any]:
    """A target as the API gives it."""
    nodes = list(target.nodes_set.all())
    errors = [
        {"code": "NodeUnusable", "message": n.message} for n in nodes if n.state == Node.State.UNUSABLE and n.message
    ]
    if target.error:
        errors.insert(0, {"code": "TargetFailed", "message": target.error})
    wanted = sum(n.state in (Node.State.PREPARING, Node.State.IDLE, Node.State.RUNNING) for n in nodes)
    return {
        "name": target.name,
        "type": target.type,
        "state": state_word(target, nodes),
        "provisioning_state": target.provisioning_state,
        "vm_size": target.vm_size,
        "vm_priority": target.vm_priority,
        "scale_settings": {
            "min_node_count": target.min_nodes,
            "max_node_count": target.max_nodes,
            "idle_seconds": target.idle_seconds,
        },
        "current_node_count": len(nodes),
        "target_node_count": wanted,
        "node_state_counts": node_counts(nodes),
        "allocation_state": "Resizing" if target.resizing else "Steady",
        "allocation_state_transition_time": moment(target.allocation_changed_at),
        "creation_time": moment(target.created_at),
        "modified_time": moment(target.modified_at),
        "created_by": target.created_by,
        "errors": errors,
        "backend": target.backend,
        "description": target.description,
        "tags": target.tags,
        "settings": target.settings,
    }


def state_word(target: ComputeTarget, nodes: list[Node]) -> str:
    """One word for a list: v1's instance states where it is an instance, else what the cluster does."""
    if target.deleting_at:
        return "Deleting"
    if target.type == Type.LOCAL:
        return "Running"
    if nodes and all(n.state == Node.State.UNUSABLE for n in nodes):
        return "Unusable"
    if target.type == Type.INSTANCE:
        ready = any(n.state in (Node.State.IDLE, Node.State.RUNNING) for n in nodes)
        return "Running" if ready else "Starting"
    return "Resizing" if target.resizing else "Steady"


def node_json(node: Node) -> dict[str, Any]:
    """A node as the API gives it."""
    return {
        "node_id": node.key,
        "name": node.name,
        "state": node.state,
        "run_id": node.run_id or None,
        "engine": node.engine.name,
        "cpus": node.cpus,
        "memory_bytes": node.memory_bytes,
        "gpus": len(node.gpus),
        "created_at": moment(node.created_at),
        "ready_at": moment(node.ready_at),
        "idle_since": moment(node.idle_since),
        "message": node.message,
    }


def moment(at: datetime | None) -> str | None:
    """ISO 8601 in UTC with Z."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if at else None


def event_json(event: ScalingEvent) -> dict[str, Any]:
    """A line of a target's timeline as the API gives it."""
    return {
        "at": moment(event.at),
        "kind": event.kind,
        "nodes": event.nodes,
        "node": event.node or None,
        "run_id": event.run_id or None,
        "message": event.message,
    }
