"""What was logged, as the series of a batch: grouped, counted, halved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Entry = tuple[str, str, Any, "int | None", float]  # kind, name, value, step, epoch seconds


def pack(entries: Sequence[tuple[Any, ...]]) -> list[dict[str, Any]]:
    """Entries as the series of one batch: grouped by name, kind and columns, in the order of logging."""
    grouped: dict[tuple[str, str, tuple[str, ...]], dict[str, Any]] = {}
    for kind, name, value, step, at in entries:
        if kind == "row" or kind == "table":
            names = tuple(value)
        else:
            names = ("",)
        series = grouped.get((name, kind, names))
        if series is None:
            series = {"name": name, "kind": kind, "columns": {column: [] for column in names}, "steps": [], "times": []}
            grouped[(name, kind, names)] = series
        if kind == "table":
            count = 0
            for column, cells in value.items():
                series["columns"][column].extend(cells)
                count = len(cells)
        elif kind == "row":
            count = 1
            for column, cell in value.items():
                series["columns"][column].append(cell)
        elif kind == "list":
            count = len(value)
            series["columns"][""].extend(value)
        else:
            count = 1
            series["columns"][""].append(value)
        series["steps"].extend([step] * count)
        series["times"].extend([at] * count)
    for series in grouped.values():
        if not any(step is not None for step in series["steps"]):
            series["steps"] = None
    return list(grouped.values())


def halves(series: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """A batch's series in two parts: of several series some each, of one the first and the second half of its points."""
    if len(series) > 1:
        return [series[: len(series) // 2], series[len(series) // 2 :]]
    (one,) = series
    count = len(one["times"])
    if count < 2:
        return []

    def part(start: int, end: int) -> list[dict[str, Any]]:
        steps = one["steps"][start:end] if one["steps"] else None
        columns = {name: cells[start:end] for name, cells in one["columns"].items()}
        return [{**one, "columns": columns, "steps": steps, "times": one["times"][start:end]}]

    return [part(0, count // 2), part(count // 2, count)]


def weight(entry: Entry) -> int:
    """How many points an entry counts for."""
    if entry[0] == "list":
        return len(entry[2])
    if entry[0] == "table":
        return sum(len(cells) for cells in entry[2].values())
    return 1
