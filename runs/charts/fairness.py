"""Charts of the Fairness tab: measures by group, two rates mirrored, distributions, models against each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from runs.charts.figure import Figure, axis, figure, plain

NEUTRAL = "rgba(128,128,128,.75)"


def _format(rate: bool) -> str:
    return ".1%" if rate else ".4~g"


def groups(
    labels: Sequence[str],
    values: Sequence[float | None],
    *,
    title: str,
    rate: bool,
    overall: float | None = None,
    low: Sequence[float] | None = None,
    high: Sequence[float] | None = None,
    muted: Sequence[bool] | None = None,
) -> Figure:
    """A bar for each group with its interval, and a line at the value of all rows. `muted` groups are too small."""
    order = list(range(len(labels)))[::-1]  # plotly draws the first bar lowest
    trace: dict[str, Any] = {
        "type": "bar",
        "orientation": "h",
        "y": [plain(labels[i]) for i in order],
        "x": [values[i] for i in order],
        "hovertemplate": f"%{{y}}<br>%{{x:{_format(rate)}}}<extra></extra>",
        "meta": {"color": 0},
        "marker": {"opacity": [0.45 if muted and muted[i] else 1.0 for i in order]},
    }
    if low is not None and high is not None:
        trace["error_x"] = {
            "type": "data",
            "symmetric": False,
            "array": [max(0.0, high[i] - (values[i] or 0.0)) for i in order],
            "arrayminus": [max(0.0, (values[i] or 0.0) - low[i]) for i in order],
            "color": NEUTRAL,
            "thickness": 1.5,
            "width": 4,
        }
    line = {"type": "line", "xref": "x", "yref": "paper", "x0": overall, "x1": overall, "y0": 0, "y1": 1,
            "line": {"dash": "dot", "width": 1.5, "color": NEUTRAL}}  # fmt: skip
    return figure(
        [trace],
        bargap=0.35,
        showlegend=False,
        shapes=[line] if overall is not None else None,
        xaxis=axis(title, tickformat=".0%" if rate else None, rangemode="tozero"),
        yaxis=axis("", type="category", showgrid=False),
    )


def mirrored(
    labels: Sequence[str], left: Sequence[float], right: Sequence[float], *, left_name: str, right_name: str, rate: bool
) -> Figure:
    """Two rates of each group on either side of a common axis: misses to the left, false alarms to the right."""
    order = list(range(len(labels)))[::-1]
    names = [plain(labels[i]) for i in order]
    top = max([*left, *right, 0.0]) * 1.08 or 1.0
    step = _step(top)
    steps = [step * k for k in range(-int(top / step), int(top / step) + 1)]
    shown = [f"{abs(s):.0%}" if rate else f"{abs(s):.3g}" for s in steps]

    def bar(values: Sequence[float], name: str, sign: int, color: int) -> dict[str, Any]:
        return {
            "type": "bar",
            "orientation": "h",
            "name": name,
            "y": names,
            "x": [sign * values[i] for i in order],
            "text": [f"{values[i]:.1%}" if rate else f"{values[i]:.4g}" for i in order],
            "textposition": "none",
            "hovertemplate": f"%{{y}}<br>{name}: %{{text}}<extra></extra>",
            "meta": {"color": color},
        }

    return figure(
        [bar(left, left_name, -1, 1), bar(right, right_name, 1, 0)],
        barmode="relative",
        bargap=0.35,
        showlegend=True,
        xaxis=axis("", tickvals=steps, ticktext=shown, range=[-top, top]),
        yaxis=axis("", type="category", showgrid=False),
    )


def distributions(labels: Sequence[str], five: Sequence[Sequence[float] | None], *, title: str) -> Figure:
    """A box for each group from minimum, quartiles and maximum."""
    order = [i for i in range(len(labels)) if five[i] is not None][::-1]
    boxes = [five[i] or (0.0,) * 5 for i in order]
    trace = {
        "type": "box",
        "orientation": "h",
        "y": [plain(labels[i]) for i in order],
        "lowerfence": [b[0] for b in boxes],
        "q1": [b[1] for b in boxes],
        "median": [b[2] for b in boxes],
        "q3": [b[3] for b in boxes],
        "upperfence": [b[4] for b in boxes],
        "meta": {"color": 0},
        "hoverinfo": "x+y",
    }
    return figure([trace], showlegend=False, xaxis=axis(title), yaxis=axis("", type="category", showgrid=False))


def _step(top: float) -> float:
    """A round distance between ticks that puts two to four of them below `top`."""
    size = 10.0 ** math.floor(math.log10(top))
    return next(size * k for k in (0.2, 0.25, 0.5, 1.0, 2.0, 5.0) if top / (size * k) < 4.5)


@dataclass(frozen=True)
class Point:
    """A model in the scatter."""

    name: str
    x: float | None
    y: float | None
    best: bool
    chosen: bool
    href: str


def models(points: Sequence[Point], *, x_title: str, y_title: str, x_rate: bool, y_rate: bool) -> Figure:
    """Performance against disparity; the models that no other beats in both are joined by a line."""
    known = [p for p in points if p.x is not None and p.y is not None]
    trace = {
        "type": "scatter",
        "mode": "markers",
        "name": "Models",
        "x": [p.x for p in known],
        "y": [p.y for p in known],
        "text": [plain(p.name) for p in known],
        "customdata": [p.href for p in known],
        "marker": {
            "size": [15 if p.chosen else 10 for p in known],
            "symbol": ["diamond" if p.chosen else "circle" if p.best else "circle-open" for p in known],
        },
        "hovertemplate": f"%{{text}}<br>%{{x:{_format(x_rate)}}} · %{{y:{_format(y_rate)}}}<extra></extra>",
        "meta": {"color": 0},
    }
    front = sorted((p for p in known if p.best), key=lambda p: p.x or 0.0)
    line = {
        "type": "scatter",
        "mode": "lines",
        "name": "Not beaten in both",
        "x": [p.x for p in front],
        "y": [p.y for p in front],
        "line": {"width": 1.5, "dash": "dot", "shape": "linear"},
        "hoverinfo": "skip",
        "meta": {"color": 2},
    }
    return figure(
        [line, trace],
        showlegend=len(front) > 1,
        xaxis=axis(x_title, tickformat=".1%" if x_rate else None),
        yaxis=axis(y_title, tickformat=".0%" if y_rate else None),
    )
