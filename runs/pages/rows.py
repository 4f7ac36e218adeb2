"""Rows of runs with what their tables show: tags, chosen metrics, arguments. A fixed number of queries a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from runs.models import MetricSeries, Run, RunTag
from runs.queries.arguments import named, typed
from runs.queries.latest import last_value

NAMES = 300
UNASKED = 4


@dataclass
class Row:
    """One run of a table."""

    run: Run
    tags: dict[str, str | None] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    arguments: dict[str, Any] = field(default_factory=dict)


def rows_of(ids: Sequence[str], metrics: Sequence[str] = (), *, arguments: bool = False) -> list[Row]:
    """The rows of these runs in this order; three queries, and one more for arguments."""
    runs = (
        Run.objects.select_related("experiment").defer("definition", "error_details", "description").in_bulk(list(ids))
    )
    rows = {key: Row(runs[key]) for key in ids if key in runs}
    for run_id, key, value in RunTag.objects.filter(run__in=rows).order_by("key").values_list("run_id", "key", "value"):
        rows[run_id].tags[key] = value
    if metrics:
        for series in MetricSeries.objects.filter(run__in=rows, name__in=metrics, column=""):
            rows[series.run_id].metrics[series.name] = last_value(series)
    if arguments:
        given = Run.objects.filter(pk__in=rows).values_list("pk", "definition__arguments")
        for run_id, words in given:
            rows[run_id].arguments = {
                name: typed(value) for name, value in named(words if isinstance(words, list) else None).items()
            }
    return list(rows.values())


def metric_names(ids: Sequence[str]) -> list[str]:
    """The names of single-column metrics that these runs have, in order."""
    found = MetricSeries.objects.filter(run__in=list(ids), column="", kind="scalar")
    return list(found.order_by("name").values_list("name", flat=True).distinct()[:NAMES])


def argument_names(rows: Sequence[Row]) -> list[str]:
    """Every argument that a row has, in the order of first appearance; those that are the same everywhere last."""
    names: dict[str, set[Any]] = {}
    for row in rows:
        for name in row.arguments:
            names.setdefault(name, set())
    for row in rows:
        for name, values in names.items():
            values.add(row.arguments.get(name))
    return sorted(names, key=lambda name: len(names[name]) == 1)


def best(rows: Sequence[Row], name: str) -> tuple[Any, Any]:
    """(lowest, highest) number of a metric among the rows; (None, None) when fewer than two have one."""
    numbers = [
        v for row in rows if isinstance(v := row.metrics.get(name), (int, float)) and not isinstance(v, bool) and v == v
    ]
    return (min(numbers), max(numbers)) if len(numbers) > 1 else (None, None)
