"""The JSON behind the charts, the values behind them as tables, and CSV."""

from __future__ import annotations

import csv as csv_format
import hashlib
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import orjson
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils.http import content_disposition_header

from runs import charts
from runs.models import MetricSeries, Run
from runs.pages.tabs.metrics.picking import options
from runs.queries import curves
from runs.queries.files import document_of
from studio.errors import Invalid, NotFound

CURVES_ON_A_CHART = 50
ROWS_SHOWN = 500
ROWS_DRAWN = 5000


def json_response(request: HttpRequest, body: bytes, tag: str) -> HttpResponse:
    """JSON that the browser asks for again with If-None-Match."""
    response = HttpResponse(body, content_type="application/json")
    response["ETag"] = tag
    response["Cache-Control"] = "private, no-cache"
    return response


def _tag(request: HttpRequest, run: Run, series: list[MetricSeries]) -> str:
    facts = f"{run.state}|{request.GET.urlencode()}|" + ",".join(f"{s.pk}:{s.count}:{s.last_time}" for s in series)
    return f'"{hashlib.sha256(facts.encode()).hexdigest()[:24]}"'


def number_or_none(text: str | None) -> float | None:
    """A finite number of the address, else None."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _names(request: HttpRequest) -> list[str]:
    names = request.GET.getlist("m")
    if not names:
        raise Invalid("Name a metric: add ?m=<name> to the address.", "m")
    if len(names) > CURVES_ON_A_CHART:
        raise Invalid(f"{len(names)} curves on one chart can't be told apart; pick at most {CURVES_ON_A_CHART}.", "m")
    return names


def figure(request: HttpRequest, run: Run) -> HttpResponse:
    """Curves of ?m=…&m=…: x, smooth, logy, logx as on the page; from and to are what the reader zoomed to."""
    names = _names(request)
    found = {s.name: s for s in MetricSeries.objects.filter(run=run, name__in=names, column="")}
    series = [found[name] for name in names if name in found]
    tag = _tag(request, run, series)
    if request.headers.get("If-None-Match") == tag:
        return HttpResponse(status=304)
    chosen = options(request)
    weight = chosen["smooth"]
    smooth = (lambda y: charts.smooth(y, weight)) if weight else None
    low, high = number_or_none(request.GET.get("from")), number_or_none(request.GET.get("to"))
    drawn = []
    for one in series:
        sample = curves.curve(one, chosen["x"], low=low, high=high, smooth=smooth)
        if sample.smooth_x.size:
            drawn.append(charts.Curve(one.name, sample.smooth_x, sample.smooth_y, raw=(sample.x, sample.y)))
        else:
            drawn.append(charts.Curve(one.name, sample.x, sample.y))
    made = charts.lines(drawn, x=chosen["x"], log_y=chosen["logy"], log_x=chosen["logx"])
    return json_response(request, charts.dumps(made | {"final": run.is_final}), tag)


def _series(run: Run, name: str) -> list[MetricSeries]:
    found = list(MetricSeries.objects.filter(run=run, name=name).order_by("position", "column"))
    if not found:
        raise NotFound(f"This run has no metric {name!r}.")
    return found


def rows_figure(request: HttpRequest, run: Run) -> HttpResponse:
    """The chart of rows or of a table (?m=)."""
    name = _names(request)[0]
    series = _series(run, name)
    tag = _tag(request, run, series)
    if request.headers.get("If-None-Match") == tag:
        return HttpResponse(status=304)
    if max(one.count for one in series) <= ROWS_DRAWN:
        columns, rows, _ = curves.rows(run, name)
        plain = [[_plain(value) for value in row] for row in rows]
        made = charts.table_chart({column: [row[i] for row in plain] for i, column in enumerate(columns)})
    else:
        drawn = []
        for one in series:
            if one.column and one.min is not None:
                sample = curves.curve(one)
                drawn.append(charts.Curve(one.column, sample.x, sample.y))
        made = charts.lines(drawn, x_title="Row")
    if made is None:
        raise Invalid(f"{name!r} holds no numbers to draw; its values are in the table.")
    return json_response(request, charts.dumps(made | {"final": run.is_final}), tag)


def typed(request: HttpRequest, run: Run) -> HttpResponse:
    """A typed chart (?m=name&view=ROC). The last document that was logged under the name counts."""
    name = _names(request)[0]
    series = _series(run, name)
    tag = _tag(request, run, series)
    if request.headers.get("If-None-Match") == tag:
        return HttpResponse(status=304)
    view = request.GET.get("view") or next(iter(charts.VIEWS.get(series[0].kind, {"": None})))
    made = charts.typed_figure(series[0].kind, view, _document(run, series[0]))
    return json_response(request, charts.dumps(made | {"final": run.is_final}), tag)


def _document(run: Run, series: MetricSeries) -> Any:
    value = orjson.loads(series.last_text) if series.last_text else ""
    return document_of(run, value)


def _plain(value: Any) -> Any:
    """A wire value as Python has it: {"f": "nan"} is the float."""
    return float(value["f"]) if isinstance(value, dict) else value


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def values(request: HttpRequest, run: Run) -> HttpResponse:
    """The numbers behind a chart as a table: ?m=name&first=0, so many rows a page."""
    tables = []
    for name in _names(request):
        _series(run, name)
        try:
            first = max(0, int(request.GET.get("first") or 0))
        except ValueError:
            first = 0
        columns, rows, total = curves.rows(run, name, first=first, most=ROWS_SHOWN)
        shown = [
            [
                _time(v) if c == "time" and columns == ["step", "time", "value"] else curves.text(v)
                for c, v in zip(columns, row, strict=True)
            ]
            for row in rows
        ]
        tables.append(
            {"name": name, "columns": columns, "rows": shown, "total": total, "first": first + 1, "last": first + len(rows),
             "next": first + ROWS_SHOWN if first + ROWS_SHOWN < total else None}
        )  # fmt: skip
    root = f"/w/{run.workspace.name}"
    context = {
        "tables": tables,
        "run": run,
        "workspace": run.workspace,
        "root": root,
        "base": f"{root}/runs/{quote(run.id, safe='')}/",
    }
    return render(request, "runs/tabs/metrics_values.html", context)


class _Echo:
    """A file for csv.writer that hands each line back."""

    def write(self, line: str) -> str:
        return line


def _lines(run: Run, names: list[str]) -> Iterator[str]:
    writer = csv_format.writer(_Echo())
    if len(names) == 1:
        columns, _, total = curves.rows(run, names[0], most=0)
        yield writer.writerow(columns)
        for first in range(0, total, 50_000):
            for row in curves.rows(run, names[0], first=first, most=50_000)[1]:
                yield writer.writerow([curves.text(value) for value in row])
        return
    yield writer.writerow(["metric", "row", "column", "value"])
    for name in names:
        columns, rows, _ = curves.rows(run, name)
        for place, row in enumerate(rows):
            for column, value in zip(columns, row, strict=True):
                yield writer.writerow([name, place, column, curves.text(value)])


def csv(request: HttpRequest, run: Run) -> StreamingHttpResponse:
    """One metric with its own columns, or several in the long form metric, row, column, value. Streamed."""
    names = request.GET.getlist("m")
    if not names:
        names = sorted(set(MetricSeries.objects.filter(run=run).exclude(kind="image").values_list("name", flat=True)))
    for name in names:
        _series(run, name)
    response = StreamingHttpResponse(_lines(run, names), content_type="text/csv; charset=utf-8")
    stem = names[0] if len(names) == 1 else "metrics"
    response["Content-Disposition"] = content_disposition_header(True, f"{run.id}-{stem}.csv".replace("/", "_"))
    return response
