"""The numbers of the Explanations tab as CSV with all their digits: /w/…/explanations/csv?table=…&<the choice>."""

from __future__ import annotations

import csv as csv_format
import io
from collections.abc import Iterator
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.http import content_disposition_header

from runs.insights.explanations import cohorts, store
from runs.insights.explanations.importance import aggregate, compare, ranking, waterfall
from runs.models import Run
from runs.pages.tabs.explanations import panel, what_if
from runs.pages.tabs.explanations.choice import Choice, read
from studio.errors import Invalid, NotFound

Rows = Iterator[list[Any]]


def csv(request: HttpRequest, run: Run) -> HttpResponse:
    """One table of the explanation and choices of the address, whole: all features, not only those shown."""
    choice = read(request, run, store.find(run.id, request.GET.get("e", "")))
    name = request.GET.get("table", "")
    make = TABLES.get(name)
    if make is None:
        raise NotFound(f"There is no such table; there are {', '.join(TABLES)}.")
    out = io.StringIO()
    csv_format.writer(out).writerows([list(map(_field, row)) for row in make(choice, request)])
    response = HttpResponse(out.getvalue(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = content_disposition_header(True, f"{run.id}-{name}.csv".replace("/", "_"))
    return response


def _field(value: Any) -> str:
    """A number with all its digits; a text that a spreadsheet would run as a formula gets a mark before it."""
    if isinstance(value, str):
        return f"'{value}" if value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
    return panel.cell(value).exact


def _importance(choice: Choice, request: HttpRequest) -> Rows:
    columns = [(name, aggregate(choice.view, mask, choice.output)) for name, mask in choice.masks()]
    yield ["feature", *(name for name, _ in columns)]
    for i in ranking(columns[0][1]).tolist():
        yield [choice.view.features[i], *(float(values[i]) for _, values in columns)]


def _performance(choice: Choice, request: HttpRequest) -> Rows:
    found = cohorts.performance(choice.view, choice.masks())
    if found is None:
        raise Invalid("Performance needs the truth: upload the explanation with true_ys.")
    yield ["cohort", "rows", *found["columns"]]
    for row in found["rows"]:
        yield [row["name"], row["count"], *row["values"]]


def _rows(choice: Choice, request: HttpRequest) -> Rows:
    """The picked rows, feature by feature."""
    if not choice.points:
        raise Invalid("Pick a row first.")
    yield ["row", "feature", "value", "adds"]
    for row in choice.points:
        fall = waterfall(choice.view, choice.position(row), choice.output, top=len(choice.view.features))
        yield [row, "Expected value", "", fall.start]
        for step in fall.steps:
            yield [row, step.label, step.value, step.amount]
        yield [row, "Output", "", fall.end]


def _ice(choice: Choice, request: HttpRequest) -> Rows:
    asked, feature = what_if.asked(choice, request), what_if.feature_of(choice, request)
    found = what_if.curves(choice, asked, feature) if asked is not None else None
    if found is None:
        raise Invalid("The scoring job has not answered yet; draw the curve first.")
    yield [choice.view.features[feature], *(f"{found.name}, row {row}" for row, _ in found.lines)]
    for i, value in enumerate(found.values):
        yield [value, *(answers[i] for _, answers in found.lines)]


def _comparison(choice: Choice, request: HttpRequest) -> Rows:
    other = panel.compared_with(choice, request.GET.get("with", ""))
    if other is None:
        raise NotFound("There is no such explanation to compare with.")
    found = compare(store.importances(choice.row), store.importances(other))
    yield ["feature", "rank here", "rank there", "share here", "share there"]
    for s in found.shifts:
        yield [s.feature, s.rank_a, s.rank_b, s.share_a, s.share_b]


TABLES = {
    "importance": _importance,
    "performance": _performance,
    "rows": _rows,
    "ice": _ice,
    "comparison": _comparison,
}
