"""Rows and tables as charts: what log_row and log_table sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from runs.charts.figure import Figure, axis, figure
from runs.charts.lines import Curve, bars, lines


def _numeric(values: Sequence[Any]) -> bool:
    return any(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values) and all(
        v is None or (isinstance(v, (int, float)) and not isinstance(v, bool)) for v in values
    )


def _clean(values: Sequence[Any]) -> list[float]:
    return [float("nan") if value is None else float(value) for value in values]


def table_chart(columns: Mapping[str, Sequence[Any]]) -> Figure | None:
    """The chart that fits the columns (in the order logged); None when there is nothing to draw.

    Two numbers: the second over the first, as v1 drew it. One text and numbers: bars for each text. More numbers: one
    line each over the row's index.
    """
    numbers = [name for name, values in columns.items() if _numeric(values)]
    texts = [name for name in columns if name not in numbers]
    if not numbers:
        return None
    if texts and len(columns[texts[0]]) <= 60:
        labels = [str(value) for value in columns[texts[0]]]
        if len(numbers) == 1:
            return bars(labels, _clean(columns[numbers[0]]), y_title=numbers[0], x_title=texts[0])
        traces = [
            {"type": "bar", "name": name, "x": labels, "y": _clean(columns[name]), "meta": {"color": place}}
            for place, name in enumerate(numbers)
        ]
        return figure(traces, barmode="group", showlegend=True, xaxis=axis(texts[0], type="category"), yaxis=axis(""))
    if len(numbers) == 2:
        first, second = numbers
        return lines([Curve(second, _clean(columns[first]), _clean(columns[second]))], x_title=first, y_title=second)
    rows = range(len(columns[numbers[0]]))
    return lines(
        [Curve(name, list(rows), _clean(columns[name])) for name in numbers],
        x_title="Row",
        y_title=numbers[0] if len(numbers) == 1 else "",
    )
