"""The start page and a workspace's home."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET

from runs.pages.access import may_edit, workspace_of
from runs.queries import overview
from studio.htmx import respond
from studio.workspace.access import signed_in, workspaces_of


@require_GET
def start(request: HttpRequest) -> HttpResponse:
    """The person's workspaces; straight into it when there is one."""
    found = list(workspaces_of(signed_in(request)))
    if len(found) == 1:
        return redirect(f"/w/{found[0].name}/")
    return render(request, "runs/start.html", {"workspaces": found})


@require_GET
def home(request: HttpRequest, ws: str) -> HttpResponse:
    """What runs now, what ran lately, the experiments at work."""
    workspace = workspace_of(request, ws)
    running = overview.running(workspace)
    version = "-".join(f"{run.id[-8:]}{run.status}" for run in running)
    if request.GET.get("part") == "now" and request.GET.get("seen") == version:
        return HttpResponse(status=204)
    context = {
        "workspace": workspace,
        "root": f"/w/{workspace.name}",
        "can_edit": may_edit(workspace),
        "running": running,
        "version": version,
        "recent": overview.recent(workspace),
        "experiments": overview.experiments(workspace, most=8).items,
    }
    return respond(request, page="runs/home.html", fragment="runs/home_now.html", context=context)
