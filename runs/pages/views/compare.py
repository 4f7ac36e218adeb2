"""Several runs side by side: what they were given, what came of it, what differs, their curves overlaid."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from runs import charts
from runs.insights import summaries
from runs.models import MetricSeries, Run, RunTag
from runs.pages.access import workspace_of
from runs.pages.tabs.metrics.answers import number_or_none
from runs.pages.tabs.metrics.picking import options
from runs.queries import curves
from runs.queries.arguments import named
from runs.queries.latest import last_value
from studio.errors import Invalid
from studio.template_tags import duration, number
from studio.workspace.models import Workspace

MOST = 200
CURVES_OF = 20
DRAWN = 6
METRICS = 400

Line = dict[str, Any]


def runs_asked(request: HttpRequest, workspace: Workspace) -> list[Run]:
    """The runs of ?run=…&run=… in that order; those that are gone are left out."""
    ids = list(dict.fromkeys(request.GET.getlist("run")))
    if len(ids) > MOST:
        raise Invalid(f"{len(ids)} runs can't stand side by side; pick at most {MOST}.", "run")
    found = Run.objects.filter(workspace=workspace).select_related("experiment", "snapshot").in_bulk(ids)
    return [found[key] for key in ids if key in found]


def _line(name: str, values: Sequence[Any], show: Callable[[Any], str] = str) -> Line:
    """A row: one cell for each run; it differs when two of them do."""
    shown = ["–" if value is None or value == "" else show(value) for value in values]
    return {"name": name, "cells": shown, "differs": len(set(shown)) > 1}


def _environment(run: Run) -> str:
    environment = (run.definition or {}).get("environment") or {}
    name, version = environment.get("name") or "", environment.get("version") or ""
    return f"{name} {version}".strip()


def _facts(runs: Sequence[Run]) -> list[Line]:
    seconds = [
        (run.ended_at - run.started_at).total_seconds() if run.ended_at and run.started_at else None for run in runs
    ]
    return [
        _line("Status", [run.status for run in runs]),
        _line("Experiment", [run.experiment.name for run in runs]),
        _line("Created by", [run.submitted_by for run in runs]),
        _line("Created", [run.created_at.strftime("%Y-%m-%d %H:%M:%S") for run in runs]),
        _line("Duration", seconds, duration),
        _line("Compute", [run.compute for run in runs]),
        _line("Environment", [_environment(run) for run in runs]),
        _line("Image", [run.image for run in runs]),
        _line("Script", [(run.definition or {}).get("script") for run in runs]),
        _line("Snapshot", [run.snapshot.content_id[:12] if run.snapshot else None for run in runs]),
    ]


def _mappings(columns: Sequence[dict[str, Any]], flag: str = "yes") -> list[Line]:
    names = list(dict.fromkeys(name for column in columns for name in column))
    return [_line(name, [(column[name] or flag) if name in column else None for column in columns]) for name in names]


def _metrics(runs: Sequence[Run]) -> tuple[list[Line], list[str]]:
    """Last values by metric, the best marked low and high; and the names that are curves in two or more runs."""
    series = MetricSeries.objects.filter(run__in=runs, column="", kind__in=("scalar", "list")).order_by("name")
    table: dict[str, dict[str, Any]] = {}
    curved: dict[str, int] = {}
    for one in series:
        table.setdefault(one.name, {})[one.run_id] = last_value(one)
        if one.count > 1 and one.min is not None:
            curved[one.name] = curved.get(one.name, 0) + 1
    lines = []
    for name in list(table)[:METRICS]:
        values = [table[name].get(run.id) for run in runs]
        line = _line(name, values, number)
        numbers = [v for v in values if isinstance(v, (int, float)) and not isinstance(v, bool) and v == v]
        low, high = (min(numbers), max(numbers)) if len(numbers) > 1 else (None, None)
        marks = [
            "" if low == high or v is None else "lowest" if v == low else "highest" if v == high else "" for v in values
        ]
        line["marked"] = list(zip(line["cells"], marks, strict=True))
        lines.append(line)
    return lines, list(curved)


def _tags(runs: Sequence[Run]) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {run.id: {} for run in runs}
    for run_id, key, value in RunTag.objects.filter(run__in=runs).order_by("key").values_list("run_id", "key", "value"):
        found[run_id][key] = value
    return [found[run.id] for run in runs]


@require_GET
def compare(request: HttpRequest, ws: str) -> HttpResponse:
    """The comparison; ?diff=1 leaves out what is the same everywhere, ?m= picks the curves."""
    workspace = workspace_of(request, ws)
    runs = runs_asked(request, workspace)
    metrics, curved = _metrics(runs)
    only = request.GET.get("diff") == "1"
    picked = [name for name in request.GET.getlist("m") if name in curved] or curved[:DRAWN]
    sections = [
        ("Details", _facts(runs)),
        ("Arguments", _mappings([named((run.definition or {}).get("arguments")) for run in runs])),
        ("Tags", _mappings(_tags(runs))),
        *(
            (title, [_line(name, cells) for name, cells in lines])
            for title, lines in summaries.compared([run.id for run in runs]).items()
        ),
    ]
    ids = [("run", run.id) for run in runs]
    chosen = options(request)
    context = {
        "workspace": workspace,
        "root": f"/w/{workspace.name}",
        "runs": runs,
        "sections": [(title, [line for line in lines if line["differs"] or not only]) for title, lines in sections],
        "metrics": [line for line in metrics if line["differs"] or not only],
        "only": only,
        "curved": curved,
        "picked": set(picked),
        "charts": [{"name": name, "query": urlencode([*ids[:CURVES_OF], ("m", name)])} for name in picked],
        "left_out": max(0, len(runs) - CURVES_OF),
        "options": chosen,
        "curve_query": urlencode({key: int(v) if isinstance(v, bool) else v for key, v in chosen.items() if v}),
        "code": urlencode({"file": "", "with": runs[1].id})
        if len(runs) == 2 and all(r.snapshot_id for r in runs)
        else "",
    }
    return render(request, "runs/compare.html", context)


@require_GET
def compare_figure(request: HttpRequest, ws: str) -> HttpResponse:
    """One metric's curves of several runs on one chart."""
    workspace = workspace_of(request, ws)
    runs, name = runs_asked(request, workspace)[:CURVES_OF], request.GET.get("m", "")
    chosen = options(request)
    weight = chosen["smooth"]
    smooth = (lambda y: charts.smooth(y, weight)) if weight else None
    found = {s.run_id: s for s in MetricSeries.objects.filter(run__in=runs, name=name, column="")}
    low, high = number_or_none(request.GET.get("from")), number_or_none(request.GET.get("to"))
    drawn = []
    for place, run in enumerate(runs):
        if run.id not in found:
            continue
        sample = curves.curve(found[run.id], chosen["x"], low=low, high=high, smooth=smooth)
        title = run.display_name or run.id
        if sample.smooth_x.size:
            drawn.append(charts.Curve(title, sample.smooth_x, sample.smooth_y, raw=(sample.x, sample.y), color=place))
        else:
            drawn.append(charts.Curve(title, sample.x, sample.y, color=place))
    made = charts.lines(drawn, x=chosen["x"], log_y=chosen["logy"], log_x=chosen["logx"])
    made["layout"]["showlegend"] = True
    response = HttpResponse(charts.dumps(made), content_type="application/json")
    response["Cache-Control"] = "no-store"
    return response
