"""The Explanations tab: performance, data, importance and single rows of a model, as uploaded explanations tell them."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest

from runs.insights.explanations import cohorts, store
from runs.insights.explanations.importance import compare
from runs.models import Cohort, Explanation, Run
from runs.pages.tab import Context, Tab
from runs.pages.tabs.explanations import forms, panel, tables, what_if
from runs.pages.tabs.explanations.choice import CHARTS, MAX_COHORTS, MAX_POINTS, SORTS, Choice, explanation_of, read
from runs.pages.tabs.explanations.figures import figure
from studio.errors import StudioError

SHIFTS_SHOWN = 30


def context(request: HttpRequest, run: Run) -> Context:
    """The chosen explanation, and what it is compared with."""
    rows = store.of_run(run.id)
    others = _others(run, request)
    if not rows:
        return {"explanations": rows}
    shared: Context = {"explanations": rows, "others": others}
    try:
        choice = read(request, run, explanation_of(request, rows))
        return {**shared, **_chosen(choice, run, request), "comparison": _comparison(choice, run, request)}
    except StudioError as error:
        return {**shared, "problem": error.message}


def _chosen(choice: Choice, run: Run, request: HttpRequest) -> Context:
    view = choice.view
    return {
        "choice": choice,
        "view": view,
        **_addresses(choice, run, request),
        "charts": CHARTS if view.local is not None else {"bar": "Bars"},
        "sorts": SORTS,
        "most": min(50, len(view.features)),
        "cohorts": Cohort.objects.filter(run=run),
        "chosen_cohorts": {c.pk for c, _ in choice.cohorts},
        "cohort_rows": [(c, int(mask.sum()), cohorts.describe(c.filters)) for c, mask in choice.cohorts],
        "most_cohorts": MAX_COHORTS,
        "most_points": MAX_POINTS,
        "operators": cohorts.OPERATORS,
        "drawn": panel.drawn_of(choice),
        "performance": panel.performance(choice),
        "importance": panel.importance_table(choice) if view.features else None,
        "importance_size": "tall" if choice.top * (1 + len(choice.cohorts)) > 15 else "",
        "axes": panel.column_choices(choice),
        "rows": panel.rows_table(choice) if view.local is not None else None,
        "points": _points(choice, run),
        "terms": panel.terms(choice),
        "what_if": what_if.context(choice, run, request) if view.local is not None else None,
        "classes": view.classes if view.local is not None and len(view.local) > 1 else [],
    }


def _addresses(choice: Choice, run: Run, request: HttpRequest) -> Context:
    """Where the charts are."""
    base = f"{forms.address(run)}figure?{choice.query}&kind="
    terms = panel.terms(choice)
    asked = request.GET.get("term", "")
    shown = next((i for i, _ in terms if str(i) == asked), terms[0][0] if terms else 0)
    more = urlencode({k: request.GET[k] for k in ("iq", "ice", "row") if request.GET.get(k)})
    fields = [("x", "X axis", choice.x), ("y", "Y axis", choice.y), ("colour", "Colour", choice.colour)]
    if choice.plot == "histogram":
        del fields[1]
    return {
        "importance_url": f"{base}importance",
        "explorer_url": f"{base}explorer",
        "csv_url": f"{forms.address(run)}csv?{choice.query}&{more}&table=",
        "term_url": f"{base}term&term={shown}",
        "shown_term": shown,
        "ice_url": f"{base}ice&{more}",
        "axis_fields": [{"name": name, "label": label, "value": value} for name, label, value in fields],
    }


def _points(choice: Choice, run: Run) -> list[dict[str, Any]]:
    """The picked rows with the addresses of their charts."""
    if choice.view.local is None:
        return []
    base = f"{forms.address(run)}figure?{choice.query}&kind=waterfall&row="
    return [{**p, "url": f"{base}{p['row']}", "title": f"Importance in row {p['row']}"} for p in panel.points(choice)]


def _others(run: Run, request: HttpRequest) -> list[Explanation]:
    """Explanations this one can be compared with: of this run, then the newest of the experiment."""
    found = Explanation.objects.filter(run__experiment_id=run.experiment_id, features__gt=0).select_related("run")
    mine = list(found.filter(run=run).order_by("created_at"))
    return mine + list(found.exclude(run=run).order_by("-created_at")[:50])


def _comparison(choice: Choice, run: Run, request: HttpRequest) -> dict[str, Any] | None:
    """Rank shifts and correlation against the explanation ?with=…, of any run of the workspace."""
    other = panel.compared_with(choice, request.GET.get("with", ""))
    if other is None:
        return None
    found = compare(store.importances(choice.row), store.importances(other))
    return {
        "other": other,
        "found": found,
        "spearman": panel.cell(found.spearman, f"{found.spearman or 0:.3f}"),
        "kendall": panel.cell(found.kendall, f"{found.kendall or 0:.3f}"),
        "rows": [panel.shift(s) for s in found.shifts[:SHIFTS_SHOWN]],
        "more": len(found.shifts) - SHIFTS_SHOWN,
        "csv": f"{forms.address(run)}csv?{choice.query}&{urlencode({'with': other.pk})}&table=comparison",
    }


tab = Tab(
    title="Explanations",
    template="runs/tabs/explanations.html",
    context=context,
    data={"figure": figure, "csv": tables.csv},
    posts={
        "cohort": forms.save_cohort,
        "cohort-delete": forms.delete_cohort,
        "delete": forms.delete,
        "session": what_if.start,
        "what-if": what_if.ask,
        "ice": what_if.curve,
    },
    scripts=("js/charts.js", "js/insights.js"),
)
