"""Curves over steps or time, and a value over runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from runs.charts.figure import Figure, axis, figure

XKind = Literal["step", "time", "relative"]
X_TITLES = {"step": "Step", "time": "Time (UTC)", "relative": "Seconds since the first point"}
MARKERS_UP_TO = 60
"""A curve of so few points shows each of them."""


@dataclass(frozen=True)
class Curve:
    """One line: ``x`` and ``y`` are float[n]; ``x`` in epoch seconds where the axis is time.

    ``raw`` is the curve before smoothing, a pair (x, y), drawn faintly behind in the same colour. ``color`` is a place
    in the page's colours, by default the curve's own place on the chart.
    """

    name: str
    x: ArrayLike
    y: ArrayLike
    raw: tuple[ArrayLike, ArrayLike] | None = None
    color: int | None = None
    dash: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)


def smooth(values: ArrayLike, weight: float) -> np.ndarray:
    """float64[n]: the exponential moving average of float[n], with the start's bias taken out.

    ``weight`` in [0, 1) is what the past counts; 0 returns the values. s_t = w·s_{t-1} + (1-w)·y_t with s_0 = 0, divided
    by 1 - w^t, as Adam does (Kingma and Ba, 2015, section 3) and TensorBoard shows. Gaps (NaN) stay gaps and leave the
    average as it was.
    """
    array = np.asarray(values, dtype=np.float64)
    if not 0 < weight < 1 or array.size < 2:
        return array
    known = np.isfinite(array)
    averaged = _average(array[known], weight)
    out = np.full(array.shape, np.nan)
    out[known] = averaged / (1 - weight ** np.arange(1, averaged.size + 1, dtype=np.float64))
    return out


def _average(values: np.ndarray, weight: float) -> np.ndarray:
    """s_t = w·s_{t-1} + (1-w)·y_t with s_0 = 0, float64[n].

    In blocks: within one, s_t = w^t · Σ w^-k (1-w) y_k is a running sum, and only the block's last value is carried to
    the next. A block is as long as w^-k stays below 1e6, so that the sum loses no more than six of sixteen digits.
    """
    length = max(1, min(values.size, int(np.log(1e6) / -np.log(weight))))
    blocks = -(-values.size // length)
    padded = np.zeros(blocks * length)
    padded[: values.size] = values
    powers = weight ** np.arange(1, length + 1, dtype=np.float64)
    within = np.cumsum(padded.reshape(blocks, length) / powers, axis=1) * powers * (1 - weight)
    carried, before = 0.0, np.empty(blocks)
    for place, end in enumerate(within[:, -1].tolist()):
        before[place] = carried
        carried = end + carried * float(powers[-1])
    return (within + before[:, None] * powers).ravel()[: values.size]


def _on_axis(x: ArrayLike, kind: XKind) -> np.ndarray:
    values = np.asarray(x, dtype=np.float64)
    return values * 1000 if kind == "time" else values  # plotly.js counts dates in milliseconds


def _line(curve: Curve, x: XKind) -> list[dict[str, Any]]:
    y = np.asarray(curve.y, dtype=np.float64)
    mode = "lines+markers" if y.size <= MARKERS_UP_TO and curve.raw is None else "lines"
    line: dict[str, Any] = {"width": 1.75}
    if curve.dash:
        line["dash"] = curve.dash
    trace: dict[str, Any] = {
        "type": "scatter",
        "mode": mode,
        "name": curve.name,
        "legendgroup": curve.name,
        "x": _on_axis(curve.x, x),
        "y": y,
        "line": line,
        "marker": {"size": 5},
        "hovertemplate": "%{y:.6~g}<extra>%{fullData.name}</extra>",
        **curve.extra,
    }
    if curve.raw is None:
        return [trace]
    behind = trace | {
        "x": _on_axis(curve.raw[0], x),
        "y": np.asarray(curve.raw[1], dtype=np.float64),
        "opacity": 0.28,
        "showlegend": False,
        "hoverinfo": "skip",
        "line": {"width": 1},
    }
    behind.pop("hovertemplate")
    return [behind, trace]


def lines(
    curves: Sequence[Curve],
    *,
    x: XKind = "step",
    x_title: str | None = None,
    y_title: str = "",
    log_y: bool = False,
    log_x: bool = False,
) -> Figure:
    """Curves on one chart. Each has its own colour; a smoothed curve shows its raw values faintly in the same one."""
    traces: list[dict[str, Any]] = []
    for place, curve in enumerate(curves):
        color = place if curve.color is None else curve.color
        for trace in _line(curve, x):
            traces.append(trace | {"meta": {"color": color}})
    x_type = "date" if x == "time" else "log" if log_x else "linear"
    few = (
        x == "step"
        and not log_x
        and bool(curves)
        and all(0 < np.size(curve.x) <= 12 and np.ptp(curve.x) <= 12 for curve in curves)
    )
    return figure(
        traces,
        showlegend=len(curves) > 1,
        hovermode="x unified" if 1 < len(curves) <= 12 else "closest",
        xaxis=axis(X_TITLES[x] if x_title is None else x_title, type=x_type, dtick=1 if few else None),
        yaxis=axis(y_title, type="log" if log_y else "linear"),
    )


def bars(labels: Sequence[str], values: Sequence[float | None], *, y_title: str = "", x_title: str = "") -> Figure:
    """One bar for each label, in the given order; labels that look like numbers stay labels."""
    trace = {
        "type": "bar",
        "x": list(labels),
        "y": list(values),
        "hovertemplate": "%{x}<br>%{y:.6~g}<extra></extra>",
        "meta": {"color": 0},
    }
    return figure([trace], bargap=0.35, xaxis=axis(x_title, type="category"), yaxis=axis(y_title))


def points(
    x: Sequence[Any],
    y: Sequence[float | None],
    *,
    names: Sequence[str],
    links: Sequence[str] | None = None,
    x_title: str = "",
    y_title: str = "",
    x_kind: Literal["linear", "date", "category"] = "linear",
    log_y: bool = False,
    joined: bool = False,
) -> Figure:
    """A point for each run: ``names`` on hover, ``links`` are addresses that a click opens."""
    trace: dict[str, Any] = {
        "type": "scatter",
        "mode": "lines+markers" if joined else "markers",
        "x": list(x),
        "y": list(y),
        "text": list(names),
        "marker": {"size": 8},
        "line": {"width": 1},
        "hovertemplate": "%{text}<br>%{y:.6~g}<extra></extra>",
        "meta": {"color": 0},
    }
    if links is not None:
        trace["customdata"] = list(links)
    return figure(
        [trace],
        showlegend=False,
        xaxis=axis(x_title, type=x_kind, dtick=1 if _few_whole(x, x_kind) else None),
        yaxis=axis(y_title, type="log" if log_y else "linear"),
    )


def _few_whole(x: Sequence[Any], kind: str) -> bool:
    """Whether the axis counts a dozen things at most: then no half of one is marked."""
    whole = kind == "linear" and bool(x) and all(isinstance(value, int) for value in x)
    return whole and max(x) - min(x) <= 12
