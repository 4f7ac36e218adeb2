"""Compute's pages: the list, one target with its nodes and timeline, the queue, what a run uses."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from studio.compute import engines, scaling, targets, usage
from studio.compute.models import ComputeTarget, Engine, Node, Placement, UsageSample, VmSize
from studio.compute.plot import Plot, plot
from studio.errors import StudioError
from studio.htmx import respond
from studio.workspace.access import signed_in, workspace_for
from studio.workspace.models import Role, Workspace

FIELDS = ("min_nodes", "max_nodes", "idle_seconds_before_scaledown", "description")


@require_GET
def computes(request: HttpRequest, ws: str) -> HttpResponse:
    """All targets of the workspace, and the engines behind them."""
    workspace = workspace_for(signed_in(request), ws)
    rows = [(target, targets.as_json(target)) for target in targets.listed(workspace)]
    context = {
        "workspace": workspace,
        "rows": rows,
        "engines": Engine.objects.filter(nodes__target__workspace=workspace).distinct(),
        "may_create": _may(workspace, Role.CONTRIBUTOR),
    }
    return respond(request, page="compute/list.html", fragment="compute/_list.html", context=context)


def _may(workspace: Workspace, role: Role) -> bool:
    return bool((workspace.role or 0) >= role)  # type: ignore[attr-defined]  # set by workspace_for


@require_http_methods(["GET", "POST"])
def new_compute(request: HttpRequest, ws: str) -> HttpResponse:
    """The form for a cluster or an instance; what is wrong is said beside the field."""
    user = signed_in(request)
    workspace = workspace_for(user, ws, Role.CONTRIBUTOR)
    backends = [
        (kind, label) for kind, label in Engine.Backend.choices if kind != "process" or engines.takes_processes()
    ]
    values: dict[str, Any] = {"type": "AmlCompute", "vm_size": "STANDARD_D2_V2", "min_nodes": "0", "max_nodes": "2"}
    error = None
    if request.method == "POST":
        values = {key: str(value).strip() for key, value in request.POST.items() if key != "csrfmiddlewaretoken"}
        try:
            made = targets.create(workspace, user.get_username(), **{k: v or None for k, v in values.items()})
        except StudioError as refused:
            error = refused
        else:
            messages.success(request, f"{made.name} can take runs now.")
            return redirect("compute", ws=ws, name=made.name)
    context = {
        "workspace": workspace,
        "sizes": VmSize.objects.all(),
        "values": values,
        "error": error,
        "backends": backends,
    }
    return render(request, "compute/new.html", context, status=error.status if error else 200)


@require_GET
def compute(request: HttpRequest, ws: str, name: str) -> HttpResponse:
    """One target: its scale, nodes, queue, timeline and utilisation; refreshed while something moves."""
    workspace = workspace_for(signed_in(request), ws)
    target = targets.get(workspace, name)
    return respond(
        request, page="compute/target.html", fragment="compute/_target.html", context=_of_target(workspace, target)
    )


def _of_target(workspace: Workspace, target: ComputeTarget) -> dict[str, Any]:
    nodes = list(target.nodes_set.select_related("engine", "target"))
    events = list(target.events.all()[:100])
    return {
        "workspace": workspace,
        "target": target,
        "shown": targets.as_json(target),
        "nodes": nodes,
        "note": _share_note(target),
        "hosts": _hosts(target),
        "waiting": target.placements.filter(placed_at__isnull=True),
        "labels": dict(target.placements.values_list("run_id", "label")),
        "events": events,
        "node_count": _node_count(target),
        "plots": [_drawn(chart) for chart in usage.of_target(target.pk)],
        "may_change": _may(workspace, Role.CONTRIBUTOR) and target.type != ComputeTarget.Type.LOCAL,
        "is_cluster": target.type == ComputeTarget.Type.CLUSTER,
    }


def _hosts(target: ComputeTarget) -> list[Engine]:
    """The hosts that may carry the target's nodes, with how many they carry; none where there is but one place."""
    if target.backend != Engine.Backend.SWARM:
        return []
    own = Count("nodes", filter=Q(nodes__target=target))
    return list(Engine.objects.filter(backend=target.backend).annotate(own_nodes=own).order_by("name"))


def _share_note(target: ComputeTarget) -> str:
    """What a node really gets, when the engine has less than the size says; the reason when it can't be asked."""
    if target.type == ComputeTarget.Type.LOCAL:
        return ""
    try:
        found = engines.known(target.backend)
        away = [engine.message for engine in found if not engine.available]
        if away and len(away) == len(found):
            return away[0]
        return " ".join(filter(None, (scaling.share(target, engine).note for engine in found)))
    except StudioError as error:
        return error.message


def _node_count(target: ComputeTarget) -> Plot:
    events = list(target.events.order_by("-id").values_list("at", "nodes")[:200])[::-1]
    return plot("Nodes", "nodes", [("nodes", [e[0] for e in events], [float(e[1]) for e in events])], steps=True)


def _drawn(chart: usage.Chart) -> Plot:
    return plot(chart.title, chart.unit, [(line.name, line.x, line.y) for line in chart.lines])


@require_POST
def change_compute(request: HttpRequest, ws: str, name: str) -> HttpResponse:
    """Changes the scale settings."""
    workspace = workspace_for(signed_in(request), ws, Role.CONTRIBUTOR)
    target = targets.get(workspace, name)
    try:
        targets.update(target, **{key: request.POST.get(key) or None for key in FIELDS})
    except StudioError as refused:
        messages.error(request, refused.message)
    else:
        messages.success(request, f"{target.name} scales from {target.min_nodes} to {target.max_nodes} nodes.")
    return redirect("compute", ws=ws, name=name)


@require_POST
def delete_compute(request: HttpRequest, ws: str, name: str) -> HttpResponse:
    """Asks for the removal of a target; runs on it end."""
    user = signed_in(request)
    workspace = workspace_for(user, ws, Role.CONTRIBUTOR)
    target = targets.get(workspace, name)
    try:
        targets.delete(target, user.get_username())
    except StudioError as refused:
        messages.error(request, refused.message)
        return redirect("compute", ws=ws, name=name)
    messages.success(request, f"{name} is being deleted; runs on it end.")
    return redirect("computes", ws=ws)


@require_GET
def queue(request: HttpRequest, ws: str) -> HttpResponse:
    """Every run that waits, in order, with its position and the reason; and what runs where."""
    workspace = workspace_for(signed_in(request), ws)
    rows = Placement.objects.filter(target__workspace=workspace).select_related("target")
    waiting = rows.filter(placed_at__isnull=True).order_by("target__name", "-priority", "asked_at", "run_id")
    running = rows.filter(placed_at__isnull=False).order_by("target__name", "-placed_at")
    held: dict[str, list[Node]] = {}
    for node in Node.objects.filter(target__workspace=workspace).exclude(run_id="").select_related("target"):
        held.setdefault(node.run_id, []).append(node)
    context = {
        "workspace": workspace,
        "waiting": waiting,
        "running": [(row, held.get(row.run_id, [])) for row in running],
    }
    return respond(request, page="compute/queue.html", fragment="compute/_queue.html", context=context)


@require_GET
def run_usage(request: HttpRequest, ws: str, run_id: str) -> HttpResponse:
    """What a run's jobs use: a fragment for its Details, a page of its own without JavaScript."""
    workspace = workspace_for(signed_in(request), ws)
    plots = [_drawn(chart) for chart in usage.of_run(workspace.pk, run_id)]
    live = Placement.objects.filter(target__workspace=workspace, run_id=run_id, placed_at__isnull=False).exists()
    samples = UsageSample.objects.filter(workspace_id=workspace.pk, run_id=run_id).count()
    context = {"workspace": workspace, "run_id": run_id, "plots": plots, "live": live, "samples": samples}
    return respond(request, page="compute/usage.html", fragment="compute/_usage.html", context=context)
