"""The list of experiments, and an experiment's own description and state."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from runs.pages.access import may_edit, workspace_of
from runs.queries import overview


def experiment_url(ws: str, name: str) -> str:
    """The address of an experiment's page; a slash in the name is escaped too."""
    return f"/w/{ws}/experiments/{quote(name, safe='')}/"


@require_GET
def experiments(request: HttpRequest, ws: str) -> HttpResponse:
    """Experiments by their newest run; ?q= searches names, ?archived=1 shows those put away."""
    workspace = workspace_of(request, ws)
    search, archived = request.GET.get("q", "").strip(), request.GET.get("archived") == "1"
    page = overview.experiments(workspace, search=search, archived=archived, after=request.GET.get("after", ""))
    keep = {key: value for key, value in (("q", search), ("archived", "1" if archived else "")) if value}
    context = {
        "workspace": workspace,
        "root": f"/w/{workspace.name}",
        "can_edit": may_edit(workspace),
        "experiments": page.items,
        "search": search,
        "archived": archived,
        "pager": {
            "first": "?" + urlencode(keep) if request.GET.get("after") else None,
            "next": "?" + urlencode(keep | {"after": page.next}) if page.next else None,
        },
    }
    return render(request, "runs/experiments.html", context)
