"""A metric series as a curve for the eye: read as a few blobs, cut to what is on screen, smoothed, sampled.

A million points are read in some 30 ms, smoothed and sampled in a few; the sample keeps every spike (MinMaxLTTB: each
interval's minimum and maximum go on to the triangle choice; Van Der Donckt et al., 2023).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from runs.metricstore import Chunk, steps, times, wire_values
from runs.models import MetricSeries, Run
from runs.queries.metrics import axis, chunks_of, downsample, points

XKind = Literal["step", "time", "relative"]
POINTS = 2000
"""So many points are as good as all: no screen has more columns of pixels for a chart."""
Smooth = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Sample:
    """float64[m] pairs of at most ``POINTS`` points; ``total`` lie in the window, ``count`` in the whole series.

    ``smooth_x`` and ``smooth_y`` are the smoothed curve, sampled for itself; empty when nothing was smoothed.
    """

    x: np.ndarray
    y: np.ndarray
    total: int
    count: int
    smooth_x: np.ndarray
    smooth_y: np.ndarray


def _chunks(series: MetricSeries) -> list[tuple[int, Chunk]]:
    return chunks_of([series.pk])[series.pk]


def arrays(series: MetricSeries, x: XKind) -> tuple[np.ndarray, np.ndarray]:
    """(x, y), float64[n] in the order of x. ``relative`` counts seconds from the first point."""
    found = points(series.pk)
    at, y = axis(found, x, None).astype(np.float64), found.values
    if at.size > 1 and (np.diff(at) < 0).any():
        order = np.argsort(at, kind="stable")  # processes that log together interleave
        at, y = at[order], y[order]
    return at, y


def curve(
    series: MetricSeries,
    x: XKind = "step",
    *,
    low: float | None = None,
    high: float | None = None,
    smooth: Smooth | None = None,
    most: int = POINTS,
) -> Sample:
    """The series between ``low`` and ``high`` on x (with one point beyond each end, so that lines reach the edge)."""
    at, y = arrays(series, x)
    count = int(at.size)
    smoothed = smooth(y) if smooth is not None and count > 1 else None
    if low is not None or high is not None:
        first = 0 if low is None else max(0, int(np.searchsorted(at, low)) - 1)
        last = count if high is None else min(count, int(np.searchsorted(at, high, side="right")) + 1)
        at, y = at[first:last], y[first:last]
        smoothed = smoothed[first:last] if smoothed is not None else None
    none = np.empty(0)
    smooth_x, smooth_y = downsample(at, smoothed, most) if smoothed is not None else (none, none)
    return Sample(*downsample(at, y, most), int(at.size), count, smooth_x, smooth_y)


def values(series: MetricSeries) -> list[Any]:
    """Every value as it was logged (wire values), in order."""
    return [value for _, chunk in _chunks(series) for value in wire_values(chunk)]


def rows(run: Run, name: str, *, first: int = 0, most: int | None = None) -> tuple[list[str], list[list[Any]], int]:
    """(columns, rows, how many rows there are) of a metric, from row ``first`` on; None where a row lacks a column.

    A metric without named columns has the columns step, time (epoch seconds) and value.
    """
    found = list(MetricSeries.objects.filter(run=run, name=name).order_by("position", "column"))
    named = [series for series in found if series.column]
    total = max((series.count for series in found), default=0)
    last = total if most is None else min(total, first + most)
    if not named:
        return ["step", "time", "value"], _points(found[0], first, last) if found else [], total
    table: list[list[Any]] = [[None] * len(named) for _ in range(max(0, last - first))]
    for place, series in enumerate(named):
        for start, chunk in _chunks(series):
            if start >= last or start + chunk.count <= first:
                continue
            for offset, value in enumerate(wire_values(chunk)):
                if first <= start + offset < last:
                    table[start + offset - first][place] = value
    return [series.column for series in named], table, total


def _points(series: MetricSeries, first: int, last: int) -> list[list[Any]]:
    found: list[list[Any]] = []
    for start, chunk in _chunks(series):
        if start >= last or start + chunk.count <= first:
            continue
        cut = slice(max(0, first - start), min(chunk.count, last - start))
        found += map(
            list,
            zip(steps(chunk, start)[cut].tolist(), times(chunk)[cut].tolist(), wire_values(chunk)[cut], strict=True),
        )
    return found


def text(value: Any) -> Any:
    """A wire value for a table or a CSV: {"f": "nan"} is nan."""
    return value["f"] if isinstance(value, dict) and "f" in value else value
