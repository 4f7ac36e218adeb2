"""What there is to pick, what is picked, and what the table of metrics shows.

Nobody's fifty metrics are drawn unasked: with few the curves open at once, with many the table comes first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest

from runs.charts.typed import VIEWS
from runs.models import MetricSeries, Run
from runs.pages.tab import Context
from runs.queries.latest import last_value

DRAWN_UNASKED = 8
OFFERED = 12
CURVES = ("scalar", "list")
TABLES = ("row", "table")
TYPED = tuple(VIEWS)


@dataclass(frozen=True)
class Metric:
    """One metric of the run as the table shows it. ``chart``: curve, rows, typed, or "" for what has no chart."""

    name: str
    kind: str
    chart: str
    count: int
    last: Any
    low: float | None
    high: float | None
    columns: tuple[str, ...]

    @property
    def kind_words(self) -> str:
        """The kind as people say it."""
        return self.kind.replace("_", " ").capitalize()

    @property
    def drawn_unasked(self) -> bool:
        """A single value is read better as a number."""
        return bool(self.chart) and (self.count > 1 or self.chart == "typed")


def _metric(name: str, series: list[MetricSeries]) -> Metric:
    head = next((one for one in series if not one.column), series[0])
    columns = tuple(one.column for one in series if one.column)
    numeric = any(one.min is not None for one in series)
    if head.kind in TYPED:
        chart = "typed"
    elif head.kind in TABLES or columns:
        chart = "rows" if numeric else ""
    else:
        chart = "curve" if head.kind in CURVES and numeric else ""
    single = not columns and head.kind in CURVES
    count = max(one.count for one in series)
    return Metric(
        name, head.kind, chart, count, last_value(head) if single else None,
        head.min if single else None, head.max if single else None, columns,
    )  # fmt: skip


def metrics_of(run: Run) -> list[Metric]:
    """Every metric but images, by name. One query, whatever the number of points."""
    grouped: dict[str, list[MetricSeries]] = {}
    for series in MetricSeries.objects.filter(run=run).exclude(kind="image").order_by("name", "position", "column"):
        grouped.setdefault(series.name, []).append(series)
    return [_metric(name, series) for name, series in grouped.items()]


def options(request: HttpRequest) -> dict[str, Any]:
    """How curves are drawn, from the address; what is not a choice counts as the first one."""
    x = request.GET.get("x", "step")
    try:
        weight = min(0.99, max(0.0, float(request.GET.get("smooth") or 0)))
    except ValueError:
        weight = 0.0
    return {
        "x": x if x in ("step", "time", "relative") else "step",
        "smooth": weight,
        "logy": request.GET.get("logy") == "1",
        "logx": request.GET.get("logx") == "1",
    }


def _charts(run: Run, picked: list[Metric], together: bool) -> list[dict[str, Any]]:
    """The charts of the picked metrics: title, the address of their JSON, and how their numbers are read as a table."""
    charts = []
    curves = [metric for metric in picked if metric.chart == "curve"]
    groups = [curves] if together and curves else [[metric] for metric in curves]
    for group in groups:
        names = [("m", metric.name) for metric in group]
        charts.append(
            {"kind": "curve", "title": ", ".join(m.name for m in group), "query": urlencode(names), "metrics": group}
        )
    for metric in picked:
        if metric.chart in ("rows", "typed"):
            views = list(VIEWS[metric.kind]) if metric.chart == "typed" else []
            charts.append(
                {
                    "kind": metric.chart,
                    "title": metric.name,
                    "query": urlencode({"m": metric.name}),
                    "metrics": [metric],
                    "views": views,
                }
            )
    return charts


def context(request: HttpRequest, run: Run) -> Context:
    """The whole tab."""
    found = metrics_of(run)
    asked = set(request.GET.getlist("m"))
    drawable = [metric for metric in found if metric.chart]
    if asked or request.GET.get("picked"):
        picked = [metric for metric in drawable if metric.name in asked]
    else:
        likely = [metric for metric in drawable if metric.drawn_unasked]
        picked = likely if len(likely) <= DRAWN_UNASKED else []
    offered = [metric.name for metric in [*filter(lambda m: m.drawn_unasked, drawable)] or drawable][:OFFERED]
    chosen = options(request)
    together = request.GET.get("together") == "1"
    return {
        "metrics": found,
        "drawable": drawable,
        "known": len(drawable),
        "picked": {metric.name for metric in picked},
        "charts": _charts(run, picked, together),
        "first_query": urlencode([("picked", "1"), *(("m", name) for name in offered)]),
        "first_count": len(offered),
        "options": chosen,
        "together": together,
        "curve_query": urlencode(
            {key: int(value) if isinstance(value, bool) else value for key, value in chosen.items() if value}
        ),
        "live": None if run.is_final else 2000,
    }


def table_context(request: HttpRequest, run: Run) -> Context:
    """The table alone, and how many metrics can be drawn that the page's picker (?known=) does not have yet."""
    found = metrics_of(run)
    drawable = sum(bool(metric.chart) for metric in found)
    told = request.GET.get("known", "")
    known = int(told) if told.isdecimal() and len(told) < 6 else drawable
    return {"metrics": found, "known": known, "fresh": max(0, drawable - known)}


def table_version(request: HttpRequest, run: Run) -> str:
    """Changes with each point that arrives. One query over the run's own series rows."""
    rows = MetricSeries.objects.filter(run=run).values_list("count", flat=True)
    counts = list(rows)
    return f"{run.state}-{len(counts)}-{sum(counts)}"
