"""Every number of a dashboard's model by group as CSV: /w/…/fairness/numbers?<the choice>."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

from django.http import HttpRequest, HttpResponse

from runs.insights.fairness import disparity as disparities
from runs.insights.fairness import store
from runs.insights.fairness.measures import MEASURES
from runs.models import Run
from runs.pages.tabs.fairness.choice import Choice, read

COLUMNS = ("what", "key", "name", "group", "rows", "value", "low", "high")


def numbers(request: HttpRequest, run: Run) -> HttpResponse:
    """All measures by group and all disparities of the chosen model, with the ends of their 95 % intervals."""
    choice = read(request, store.find(run.id, request.GET.get("d", "")))
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    writer.writerows([_cell(value) for value in row] for row in _rows(choice))
    response = HttpResponse(out.getvalue(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="fairness.csv"'
    return response


def _rows(choice: Choice) -> Iterator[tuple[Any, ...]]:
    found = choice.board.computed(choice.model, choice.features, choice.threshold)
    intervals = choice.board.intervals(choice.model, choice.features, choice.threshold, choice.method)
    labels = choice.board.groups(choice.features).labels
    total = int(found.counts.sum())
    for one in MEASURES[choice.prediction_type]:
        shared = ("measure", one.key, one.label)
        yield (*shared, "All rows", total, found.overall[one.key], *intervals.overall[one.key])
        low, high = intervals.by_group[one.key]
        for g, label in enumerate(labels):
            there = bool(found.counts[g])
            ends = (low[g], high[g]) if there else (None, None)
            yield (*shared, label, int(found.counts[g]), found.by_group[one.key][g] if there else None, *ends)
    for metric in disparities.DISPARITIES[choice.prediction_type]:
        value = choice.board.spread(metric, found, choice.method)
        ends = intervals.disparity.get(metric.key, (None, None)) if value is not None else (None, None)
        yield ("disparity", metric.key, metric.label, "", total, value, *ends)


def _cell(value: Any) -> str:
    """Numbers in full; a name that a spreadsheet would take for a formula behind an apostrophe."""
    if isinstance(value, str):
        return f"'{value}" if value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
    return "" if value is None else repr(value.item() if hasattr(value, "item") else value)
