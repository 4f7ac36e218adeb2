"""An experiment's runs: filter, sort, choose columns, chart a metric over them, act on several at once."""

from __future__ import annotations

import hashlib
from typing import Any
from urllib.parse import quote

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from runs import charts
from runs.actions import experiments
from runs.insights import summaries
from runs.models import Experiment, ExperimentTag, Run
from runs.pages import rows as table
from runs.pages.access import experiment_of, may_edit
from runs.pages.bulk import apply
from runs.pages.views.experiments import experiment_url
from runs.queries import runs as listing
from runs.states import State, is_final
from studio.errors import Invalid, StudioError
from studio.workspace.models import Role

LIMIT = 50
CHARTED = 500
OPERATORS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<=", "eq": "="}


def filters_of(request: HttpRequest, experiment: Experiment) -> listing.Filters:
    """The filters of the address; Invalid names the one that can't be."""
    query = request.GET
    found = listing.Filters(
        workspace_id=experiment.workspace_id,
        experiment_id=experiment.pk,
        statuses=[status for status in query.getlist("status") if status],
        tags=[tag.strip() for tag in query.getlist("tag") if tag.strip()],
        parent=None if query.get("children") == "1" else "",
        archived=query.get("archived") == "1",
    )
    if name := query.get("metric", "").strip():
        found.extra.append(_metric_condition(experiment.pk, name, query))
    if text := query.get("q", "").strip():
        found.extra.append(
            ("(LOWER(r.display_name) LIKE %s ESCAPE '!' OR LOWER(r.id) LIKE %s ESCAPE '!')", [_like(text)] * 2)
        )
    return found


def _like(text: str) -> str:
    escaped = text.lower().replace("!", "!!").replace("%", "!%").replace("_", "!_")
    return f"%{escaped}%"


def _metric_condition(experiment_id: int, name: str, query: QueryDict) -> tuple[str, list[Any]]:
    operator = OPERATORS.get(query.get("op", "ge"))
    if operator is None:
        raise Invalid(f"{query.get('op')!r} is no comparison; there are {', '.join(OPERATORS)}.", "op")
    # The experiment is said twice so that the few runs of a rare value are found by the index of the metric's values.
    exists = (
        "EXISTS (SELECT 1 FROM runs_metricseries f WHERE f.run_id = r.id AND f.experiment_id = %s AND f.name = %s "
        "AND f.\"column\" = ''"
    )
    if not query.get("value", "").strip():
        return f"{exists})", [experiment_id, name]
    try:
        value = float(query.get("value", ""))
    except ValueError:
        raise Invalid(f"{query['value'][:40]!r} is no number to compare the metric {name!r} with.", "value") from None
    return f"{exists} AND f.last {operator} %s)", [experiment_id, name, value]


def _columns(request: HttpRequest, known: list[str]) -> list[str]:
    chosen = request.GET.getlist("metrics")
    if chosen or request.GET.get("columns"):
        return [name for name in dict.fromkeys(chosen) if name]
    return known[: table.UNASKED]


@require_GET
def experiment_page(request: HttpRequest, ws: str, name: str) -> HttpResponse:
    """The table of runs; ?part=table is its live piece."""
    experiment = experiment_of(request, ws, name)
    problem, page = None, listing.Page([], None)
    order = request.GET.get("order") or "-created_at"
    try:
        page = listing.page(
            filters_of(request, experiment), order=order, limit=LIMIT, cursor=request.GET.get("cursor") or None
        )
    except StudioError as error:
        problem = error.message
    ids = [item["id"] for item in page.items]
    known = table.metric_names(ids)
    columns = _columns(request, known)
    rows = table.rows_of(ids, columns)
    version = _version(rows)
    if request.GET.get("part") == "table" and request.GET.get("seen") == version:
        return HttpResponse(status=204)
    query = request.GET.copy()
    for key in ("part", "seen", "cursor"):
        query.pop(key, None)
    context = {
        "workspace": experiment.workspace,
        "root": f"/w/{experiment.workspace.name}",
        "base": experiment_url(ws, experiment.name),
        "experiment": experiment,
        "tags": dict(ExperimentTag.objects.filter(experiment=experiment).order_by("key").values_list("key", "value")),
        "can_edit": may_edit(experiment.workspace),
        "rows": rows,
        "columns": [{"name": column, "order": f"metric:{column}"} for column in columns],
        "known": sorted(set(known) | set(columns)),
        "chosen": set(columns),
        "fairness": summaries.columns(ids, request.GET.get("fair_measure"), request.GET.get("fair_metric")),
        "states": [str(state) for state in State],
        "operators": OPERATORS,
        "order": order,
        "problem": problem,
        "filtered": any(query.get(key) for key in ("status", "tag", "metric", "q", "archived", "children")),
        "live": any(not is_final(row.run.state) for row in rows),
        "version": version,
        "query": query.urlencode(),
        "chart": query.get("chart") or (columns[0] if columns else ""),
        "pager": {
            "first": f"?{query.urlencode()}" if request.GET.get("cursor") else None,
            "next": f"?{_with(query, cursor=page.next)}" if page.next else None,
        },
    }
    return render(
        request, "runs/experiment_table.html" if request.GET.get("part") == "table" else "runs/experiment.html", context
    )


def _with(query: QueryDict, **more: Any) -> str:
    changed = query.copy()
    for key, value in more.items():
        changed[key] = value
    return changed.urlencode()


def _version(rows: list[table.Row]) -> str:
    facts = "|".join(f"{row.run.id}{row.run.status}{row.metrics}{row.tags}" for row in rows)
    return hashlib.sha256(facts.encode()).hexdigest()[:16]


@require_GET
def experiment_figure(request: HttpRequest, ws: str, name: str) -> HttpResponse:
    """A metric's last value over the newest runs that pass the filters, in the order in which they were made."""
    experiment = experiment_of(request, ws, name)
    metric = request.GET.get("chart", "")
    if not metric:
        raise Invalid("Name a metric: add ?chart=<name> to the address.", "chart")
    page = listing.page(filters_of(request, experiment), limit=CHARTED)
    rows = [
        row
        for row in table.rows_of([i["id"] for i in page.items], [metric])
        if _number(row.metrics.get(metric)) is not None
    ]
    rows.reverse()
    root = f"/w/{experiment.workspace.name}/runs/"
    made = charts.points(
        [row.run.number for row in rows],
        [_number(row.metrics[metric]) for row in rows],
        names=[row.run.display_name or row.run.id for row in rows],
        links=[f"{root}{quote(row.run.id, safe='')}/" for row in rows],
        x_title="Run number",
        y_title=metric,
    )
    response = HttpResponse(charts.dumps(made), content_type="application/json")
    response["Cache-Control"] = "no-store"
    return response


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and value == value else None


@require_POST
def bulk(request: HttpRequest, ws: str, name: str) -> HttpResponse:
    """Cancel, tag, archive or bring back the ticked runs; each that can't is said why."""
    experiment = experiment_of(request, ws, name, Role.CONTRIBUTOR)
    ids = request.POST.getlist("run")
    found = list(Run.objects.filter(experiment=experiment, pk__in=ids))
    back = request.POST.get("back", "")
    address = experiment_url(ws, experiment.name) + (f"?{QueryDict(back).urlencode()}" if back else "")
    if not found:
        messages.warning(request, "Tick the runs first.")
        return redirect(address)
    done, refused = apply(request.POST.get("do", ""), found, request.POST, request.user.get_username())
    if done:
        messages.success(request, done)
    for sentence in refused[:5]:
        messages.warning(request, sentence)
    return redirect(address)


@require_POST
def edit_experiment(request: HttpRequest, ws: str, name: str) -> HttpResponse:
    """Describe it, archive it, bring it back."""
    experiment = experiment_of(request, ws, name, Role.CONTRIBUTOR)
    try:
        words = _change(experiment, request)
    except StudioError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, words)
    return redirect(experiment_url(ws, experiment.name))


def _change(experiment: Experiment, request: HttpRequest) -> str:
    if "description" in request.POST:
        experiments.change(experiment, description=request.POST["description"])
        return "Saved."
    if request.POST.get("do") == "archive":
        experiments.archive(experiment)
        return f"{experiment.name} is archived; it is in the list of archived experiments."
    experiments.activate(experiment)
    return f"{experiment.name} is active again."
