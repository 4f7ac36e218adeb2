"""The runs below a run, in the order of a tree, and what their table shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q
from django.http import HttpRequest

from runs.models import MetricSeries, Run
from runs.pages import rows as table
from runs.pages.tab import Context
from runs.queries.tree import below
from runs.states import NOT_FINAL

SHOWN = 500
ARGUMENTS = 6


@dataclass
class Child:
    """A row of the tree: ``depth`` 1 for a child, 2 for a child's child; ``children`` are how many it has itself."""

    row: table.Row
    depth: int
    children: int


def family(run: Run) -> tuple[list[tuple[str, int]], bool]:
    """((id, depth) of each run below in tree order, whether there are more than are shown)."""
    found = below(run, SHOWN + 1)
    return found[:SHOWN], len(found) > SHOWN


def metric_columns(request: HttpRequest, known: Sequence[str]) -> list[str]:
    """The chosen metric columns; unasked the first few."""
    chosen = [name for name in dict.fromkeys(request.GET.getlist("metrics")) if name]
    return chosen if chosen or request.GET.get("columns") else list(known[: table.UNASKED])


def table_context(request: HttpRequest, run: Run) -> Context:
    """The rows, sorted as asked: tree order, or ?order=metric name with - for descending."""
    ids, more = family(run)
    keys = [key for key, _ in ids]
    known = table.metric_names(keys)
    columns = metric_columns(request, known)
    rows = {row.run.id: row for row in table.rows_of(keys, columns, arguments=True)}
    counts: dict[str, int] = {}
    for row in rows.values():
        if row.run.parent_id is not None:
            counts[row.run.parent_id] = counts.get(row.run.parent_id, 0) + 1
    children = [Child(rows[key], depth, counts.get(key, 0)) for key, depth in ids if key in rows]
    order = request.GET.get("order", "")
    if order.lstrip("-") in columns or order in columns:
        children = _sorted(children, order, columns)
    arguments = table.argument_names([child.row for child in children])
    return {
        "children": children,
        "columns": columns,
        "known": sorted(set(known) | set(columns)),
        "argument_columns": arguments[:ARGUMENTS],
        "all_arguments": arguments,
        "best": {name: table.best([child.row for child in children], name) for name in columns},
        "order": order,
        "more": more,
        "nested": any(child.depth > 1 for child in children),
    }


def _sorted(children: list[Child], order: str, columns: Sequence[str]) -> list[Child]:
    name, down = (order, False) if order in columns else (order[1:], True)

    def key(child: Child) -> tuple[bool, float]:
        value: Any = child.row.metrics.get(name)
        numeric = isinstance(value, (int, float)) and value == value
        return (not numeric, (-value if down else value) if numeric else 0.0)

    return sorted(children, key=key)


def context(request: HttpRequest, run: Run) -> Context:
    """The whole tab."""
    found = table_context(request, run)
    query = request.GET.copy()
    query.pop("part", None)
    query.pop("seen", None)
    columns = found["columns"]
    wanted = request.GET.get("metric", "")
    return {
        **found,
        "query": query.urlencode(),
        "metric": wanted if wanted in columns else (columns[0] if columns else ""),
        "can_chart": bool(columns) and len(found["children"]) > 1,
        "views": [
            ("over", "Over children"),
            ("curves", "Curves"),
            ("parallel", "Parallel coordinates"),
            ("scatter", "Against an argument"),
        ],
        "view": request.GET.get("view") or "over",
    }


def table_version(request: HttpRequest, run: Run) -> str:
    """Changes when a child is added or moves, and with each change of a metric shown. Two queries."""
    facts = Run.objects.filter(root_id=run.root_id).aggregate(
        all=Count("pk"), live=Count("pk", filter=Q(state__in=[str(state) for state in NOT_FINAL]))
    )
    ids = Run.objects.filter(root_id=run.root_id).values("pk")
    points = (
        MetricSeries.objects.filter(run__in=ids).order_by("-updated_at").values_list("updated_at", flat=True).first()
    )
    return f"{run.state}-{facts['all']}-{facts['live']}-{points.timestamp() if points else 0:.3f}"
