"""The Fairness tab: dashboards of the run, computed from what was uploaded, and mitigation."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse

from runs.insights import jobs
from runs.insights.fairness import disparity as disparities
from runs.insights.fairness import mitigation, store
from runs.insights.fairness import request as asked
from runs.insights.fairness.measures import MEASURES, PROBABILITY
from runs.models import Artifact, Run
from runs.pages.tab import Context, Part, Tab
from runs.pages.tabs.fairness import forms
from runs.pages.tabs.fairness.choice import dashboard_of, read
from runs.pages.tabs.fairness.figures import figure
from runs.pages.tabs.fairness.numbers import numbers
from runs.pages.tabs.fairness.panel import panel
from studio.compute.models import ComputeTarget
from studio.errors import StudioError


def context(request: HttpRequest, run: Run) -> Context:
    """The chosen dashboard (and a second one beside it) with everything it is compared by."""
    rows = store.of_run(run.id)
    shared: Context = {"dashboards": rows, "mitigating": _mitigating(run), "form": _form(run)}
    if not rows:
        return shared
    try:
        first = read(request, dashboard_of(request, run, rows))
        panels = [panel(first, _charts(run))]
        second = request.GET.get("beside")
        if second and second != first.row.pk:
            other = read(request, dashboard_of(request, run, rows, "beside"), lenient=True)
            panels.append(panel(other, _charts(run)))
    except StudioError as error:
        return {**shared, "problem": error.message}
    return {
        **shared,
        "panels": panels,
        "first": panels[0],
        "choice": first,
        "features": first.board.feature_names,
        "crossed": [first.board.feature_names[f] for f in first.features[1:]],
        "measures": MEASURES[first.prediction_type],
        "disparities": disparities.DISPARITIES[first.prediction_type],
        "has_threshold": first.board.prediction_type == PROBABILITY,
        "beside": second if len(panels) > 1 else "",
    }


def _charts(run: Run) -> str:
    return f"{forms.address(run)}figure"


def _mitigating(run: Run) -> dict[str, Any]:
    """The newest mitigation with its child runs; they are watched until all have ended."""
    newest = run.mitigations.order_by("-created_at").first()
    if newest is None:
        return {}
    children = mitigation.children_of(newest)
    return {"row": newest, "children": children, "live": any(not c.is_final for c in children)}


def _progress(request: HttpRequest, run: Run) -> Context:
    return {"mitigating": _mitigating(run)}


def _progress_version(request: HttpRequest, run: Run) -> str:
    found = _mitigating(run)
    if not found:
        return ""
    states = ",".join(f"{c.id}:{c.status}" for c in found["children"])
    return f"{found['row'].pk}:{len(found['row'].results)}:{states}"


def _form(run: Run) -> dict[str, Any]:
    """What the mitigation form offers."""
    files = Artifact.objects.filter(run=run, path__endswith=".csv").order_by("path")
    return {
        "files": list(files.values_list("path", flat=True)[:200]),
        "models": jobs.models_of(run),
        "environments": jobs.environments_of(run),
        "computes": list(
            ComputeTarget.objects.filter(workspace_id=run.workspace_id).order_by("name").values_list("name", flat=True)
        ),
        "algorithms": asked.ALGORITHMS,
        "constraints": asked.CONSTRAINTS,
        "estimators": asked.ESTIMATORS,
    }


def download(request: HttpRequest, run: Run) -> HttpResponse:
    """The dictionary as it was uploaded."""
    found = store.find(run.id, request.GET.get("d", ""))
    response = HttpResponse(store.content(found), content_type="application/json")
    response["Content-Disposition"] = 'attachment; filename="dashboard.json"'
    return response


tab = Tab(
    title="Fairness",
    template="runs/tabs/fairness.html",
    context=context,
    parts={"mitigation": Part("runs/tabs/fairness_mitigation.html", _progress, _progress_version)},
    data={"figure": figure, "numbers": numbers, "download": download},
    posts={
        "upload": forms.upload,
        "mitigate": forms.mitigate,
        "cancel": forms.cancel,
        "register": forms.register,
        "delete": forms.delete,
    },
    scripts=("js/charts.js", "js/insights.js"),
)
