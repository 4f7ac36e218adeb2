"""The run page: its tabs, the pieces that refresh themselves, and the data behind charts and previews."""

from __future__ import annotations

from urllib.parse import quote

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_http_methods

from runs.models import Run
from runs.pages.access import may_edit, run_of
from runs.pages.tab import Context, Part
from runs.pages.tabs import TABS
from runs.queries.tree import ancestors
from studio.errors import NotFound
from studio.htmx import respond
from studio.workspace.models import Role


def _heading(request: HttpRequest, run: Run) -> Context:
    return {"base": run_url(run)}


def _heading_version(request: HttpRequest, run: Run) -> str:
    return f"{run.status}"


def _actions(request: HttpRequest, run: Run) -> Context:
    return {"base": run_url(run), "can_edit": may_edit(run.workspace)}


COMMON: dict[str, Part] = {
    "heading": Part("runs/parts/heading.html", _heading, _heading_version),
    "actions": Part("runs/parts/actions.html", _actions, _heading_version),
}
"""The pieces that stand on every tab."""


def run_url(run: Run) -> str:
    """The address of the run's page."""
    return f"/w/{run.workspace.name}/runs/{quote(run.id, safe='')}/"


def _part(request: HttpRequest, run: Run, part: Part) -> HttpResponse:
    """One piece: 204 while the browser has seen what there is and more may come."""
    version = part.version(request, run)
    if request.GET.get("seen") == version and not run.is_final:
        return HttpResponse(status=204)
    context = {
        "run": run,
        "root": f"/w/{run.workspace.name}",
        "base": run_url(run),
        "version": version,
        "heading_version": version,
        "can_edit": may_edit(run.workspace),
        **part.context(request, run),
    }
    response = render(request, part.template, context)
    response["Cache-Control"] = "no-store"
    return response


@require_GET
def run_page(request: HttpRequest, ws: str, run_id: str, tab: str = "details") -> HttpResponse:
    """A tab as a page, alone for htmx, or one of its pieces (?part=)."""
    if tab not in TABS:
        raise NotFound(f"A run has no tab {tab!r}.")
    run, chosen = run_of(request, ws, run_id), TABS[tab]
    if name := request.GET.get("part"):
        part = chosen.parts.get(name) or COMMON.get(name)
        if part is None:
            raise NotFound(f"The tab {chosen.title} has no part {name!r}.")
        return _part(request, run, part)
    base = run_url(run)
    context = {
        "workspace": run.workspace,
        "run": run,
        "root": f"/w/{run.workspace.name}",
        "base": base,
        "tab": chosen,
        "tabs": [
            {"title": t.title, "url": base if key == "details" else f"{base}{key}/", "current": key == tab}
            for key, t in TABS.items()
        ],
        "ancestors": ancestors(run),
        "can_edit": may_edit(run.workspace),
        "heading_version": _heading_version(request, run),
        "versions": {key: part.version(request, run) for key, part in chosen.parts.items()},
        **chosen.context(request, run),
    }
    return respond(request, page="runs/run.html", fragment=chosen.template, context=context)


@require_http_methods(["GET", "HEAD", "POST"])
def tab_data(request: HttpRequest, ws: str, run_id: str, tab: str, name: str) -> HttpResponseBase:
    """The other answers of a tab: figure JSON, CSV, a file; and what its forms do."""
    posted = request.method == "POST"
    known = TABS.get(tab)
    answer = (known.posts if posted else known.data).get(name) if known else None
    run = run_of(request, ws, run_id, Role.CONTRIBUTOR if posted else Role.READER)
    if answer is None:
        raise NotFound(f"The tab {tab!r} has no {name!r}.")
    return answer(request, run)
