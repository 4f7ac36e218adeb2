"""Metrics over the wire: append, read whole, summarise, sample, and the binary history."""

from __future__ import annotations

from typing import Any

from django.http import StreamingHttpResponse

from runs.actions import metrics as actions
from runs.api.routing import Call, route
from runs.models import raw
from runs.queries import metrics
from studio.errors import Invalid
from studio.workspace.models import Role

TAG = "Metrics"
SERIES = {
    "name": "A metric's name.",
    "column": "A column of a row or table; none for the other kinds.",
}


@route(
    "POST",
    "/runs/{id}/metrics",
    tag=TAG,
    summary="Append a batch of metrics",
    need=Role.CONTRIBUTOR,
    body={
        "batch": "a UUID made by the client; a batch that comes again is ignored",
        "series": "[{name, kind, columns: {column: [values]}, steps: [int or null]?, times: [epoch seconds]}]",
    },
    gives="{accepted: how many values}",
    claims=True,
)
def append(call: Call) -> Any:
    """kind: scalar, list, image, confusion_matrix, accuracy_table, residuals, predictions (one column, named "");
    row, table (named columns). NaN and infinities are {"f": "nan"}, {"f": "inf"}, {"f": "-inf"}."""
    body = call.json()
    return {"accepted": actions.append(call.run, body.get("batch"), body.get("series"), call.claim)}


@route(
    "GET",
    "/runs/{id}/metrics",
    tag=TAG,
    summary="Whole values",
    query={
        "name": "One metric only.",
        "recursive": "1: of the runs below it too.",
        "type": "Of runs of this type only.",
    },
    gives="{runs: {run id: {name: {kind, columns, steps, times}}}}",
)
def whole(call: Call) -> Any:
    """Every value that was logged. For long series use sample or history."""
    ids = [call.run.id]
    type_ = call.text("type")
    if call.flag("recursive"):
        ids = metrics.tree(call.run, type_)
    elif type_:
        row = raw.one("SELECT type FROM runs_run WHERE id = %s", [call.run.id])
        ids = ids if row and row[0] == type_ else []
    return {"runs": metrics.whole(ids, call.text("name"))}


@route(
    "GET",
    "/runs/{id}/metrics/summary",
    tag=TAG,
    summary="What was logged",
    gives="list of {name, kind, rows, columns: {column: {type, count, last, min, max}}}",
)
def summary(call: Call) -> Any:
    """Names, types and last values, without reading the series."""
    return {"items": metrics.summary(call.run.id), "next": None}


@route(
    "GET",
    "/runs/{id}/metrics/sample",
    tag=TAG,
    summary="A series for a chart",
    query={
        **SERIES,
        "points": "At most so many points: 2,000 unless given.",
        "from": "Lowest x.",
        "to": "Highest x.",
        "x": "step (default), time (epoch seconds) or relative (seconds since the start).",
    },
    gives="{x: [], y: [], total}",
)
def sample(call: Call) -> Any:
    """Sampled by MinMaxLTTB: spikes are kept. total counts the points between from and to."""
    x = call.text("x", "step") or "step"
    started = None
    if x == "relative":
        row = raw.one("SELECT started_at FROM runs_run WHERE id = %s", [call.run.id])
        moment = raw.when(row[0]) if row else None
        started = moment.timestamp() if moment else None
    xs, ys, total = metrics.sample(
        call.run.id,
        _name(call),
        call.request.GET.get("column", ""),
        count=call.number("points", 2000, 3, metrics.MOST_SAMPLED),
        x=x,
        low=call.real("from"),
        high=call.real("to"),
        started_at=started,
    )
    return {"x": xs, "y": ys, "total": total}


def _name(call: Call) -> str:
    name = call.text("name")
    if not name:
        raise Invalid("name is missing: which metric?", "name")
    return name


@route(
    "GET",
    "/runs/{id}/metrics/history",
    tag=TAG,
    summary="A whole series as bytes",
    query=SERIES,
    gives='a line {"count": n}, then n int64 steps, n float64 times, n float64 values, little-endian',
)
def history(call: Call) -> Any:
    """A million points in a fraction of a second: numpy.frombuffer reads it."""
    pieces = metrics.history(call.run.id, _name(call), call.request.GET.get("column", ""))
    return StreamingHttpResponse(pieces, content_type="application/octet-stream")
