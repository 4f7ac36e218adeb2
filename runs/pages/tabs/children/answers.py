"""The charts over children."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from django.http import HttpRequest, HttpResponse

from runs import charts
from runs.models import MetricSeries, Run
from runs.pages import rows as table
from runs.pages.tabs.children.family import family
from runs.queries import curves
from studio.errors import Invalid

CURVES = 50


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) and value == value else None


def figure(request: HttpRequest, run: Run) -> HttpResponse:
    """?view=over|curves|parallel|scatter, ?metric=name, ?argument=name for scatter."""
    metric, view = request.GET.get("metric", ""), request.GET.get("view", "over")
    if not metric:
        raise Invalid("Name a metric: add ?metric=<name> to the address.", "metric")
    ids, _ = family(run)
    rows = table.rows_of([key for key, _ in ids], [metric], arguments=True)
    rows = [row for row in rows if _number(row.metrics.get(metric)) is not None]
    makers = {"over": _over, "curves": _curves, "parallel": _parallel, "scatter": _scatter}
    if view not in makers:
        raise Invalid(f"There is no chart {view!r}; there are {', '.join(makers)}.", "view")
    made = makers[view](request, run, rows, metric)
    response = HttpResponse(charts.dumps(made | {"final": run.is_final}), content_type="application/json")
    response["Cache-Control"] = "no-store"
    return response


def _name(row: table.Row) -> str:
    return row.run.display_name or row.run.id


def _links(run: Run, rows: list[table.Row]) -> list[str]:
    return [f"/w/{run.workspace.name}/runs/{quote(row.run.id, safe='')}/" for row in rows]


def _over(request: HttpRequest, run: Run, rows: list[table.Row], metric: str) -> charts.Figure:
    return charts.points(
        [row.run.number for row in rows],
        [_number(row.metrics[metric]) for row in rows],
        names=[_name(row) for row in rows],
        links=_links(run, rows),
        x_title="Run number",
        y_title=metric,
    )


def _curves(request: HttpRequest, run: Run, rows: list[table.Row], metric: str) -> charts.Figure:
    shown = rows[:CURVES]
    found = {
        s.run_id: s for s in MetricSeries.objects.filter(run__in=[r.run.id for r in shown], name=metric, column="")
    }
    drawn = []
    for row in shown:
        sample = curves.curve(found[row.run.id], most=600)
        drawn.append(charts.Curve(_name(row), sample.x, sample.y))
    return charts.lines(drawn, y_title=metric)


def _parallel(request: HttpRequest, run: Run, rows: list[table.Row], metric: str) -> charts.Figure:
    half = len(rows) / 2
    names = [
        name
        for name in table.argument_names(rows)
        if len({str(row.arguments.get(name)) for row in rows}) > 1 and sum(name in row.arguments for row in rows) > half
    ][:8]
    if not names:
        raise Invalid("The children's arguments don't differ, so there is nothing to lay side by side.")
    columns: dict[str, list[Any]] = {name: [row.arguments.get(name) for row in rows] for name in names}
    values = [_number(row.metrics[metric]) for row in rows]
    return charts.parallel_coordinates([_name(row) for row in rows], columns | {metric: values}, color_by=values)


def _scatter(request: HttpRequest, run: Run, rows: list[table.Row], metric: str) -> charts.Figure:
    names = table.argument_names(rows)
    name = request.GET.get("argument") or (names[0] if names else "")
    if not name:
        raise Invalid("The children have no arguments to draw the metric against.")
    known = [row for row in rows if row.arguments.get(name) is not None]
    x = [row.arguments[name] for row in known]
    numeric = all(isinstance(value, (int, float)) for value in x)
    return charts.points(
        x if numeric else [str(value) for value in x],
        [_number(row.metrics[metric]) for row in known],
        names=[_name(row) for row in known],
        links=_links(run, known),
        x_title=name,
        y_title=metric,
        x_kind="linear" if numeric else "category",
    )
