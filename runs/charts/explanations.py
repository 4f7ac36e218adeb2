"""Charts of the Explanations tab: points and counts of the data, ICE curves, the shapes of a glass box."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from runs.charts.figure import Figure, axis, figure, plain
from runs.charts.importance import LOW_HIGH, NEUTRAL, safe


def _words(values: np.ndarray) -> np.ndarray:
    """Text values as categories that plotly shows as they are; numbers stay."""
    return values if values.dtype.kind in "biuf" else np.array([plain(str(v)) for v in values], dtype=object)


def scatter(
    x: np.ndarray,
    y: np.ndarray,
    *,
    x_title: str,
    y_title: str,
    colour: np.ndarray | None = None,
    colour_title: str = "",
    rows: Sequence[int] = (),
    picked: Sequence[int] = (),
) -> Figure:
    """A point a row; text values are categories. `rows` (their numbers) are what a click picks."""
    picked_set = set(picked)
    x, y = _words(x), _words(y)
    marker: dict[str, Any] = {
        "size": [12 if r in picked_set else 6 for r in rows] if picked else 6,
        "opacity": 0.75,
    }
    numeric = colour is not None and colour.dtype.kind in "biuf"
    shared = {
        "type": "scatter",
        "mode": "markers",
        "hovertemplate": f"{safe(x_title)}: %{{x}}<br>{safe(y_title)}: %{{y}}<br>row %{{text}}<extra></extra>",
    }
    if colour is not None and numeric:
        marker |= {
            "color": colour,
            "colorscale": LOW_HIGH,
            "colorbar": {"title": {"text": plain(colour_title), "side": "right"}, "thickness": 10, "outlinewidth": 0},
        }
    if colour is None or numeric:
        traces = [
            {**shared, "x": x, "y": y, "text": list(rows), "marker": marker, "meta": {} if numeric else {"color": 0}}
        ]
    else:
        traces = []
        for place, name in enumerate(np.unique(colour.astype(str))[:10].tolist()):
            inside = colour.astype(str) == name
            numbers = np.asarray(rows)[inside].tolist()
            size = [12 if r in picked_set else 6 for r in numbers] if picked else 6
            traces.append(
                {**shared, "name": plain(name), "x": x[inside], "y": y[inside], "text": numbers,
                 "marker": {"size": size, "opacity": 0.75}, "meta": {"color": place}}
            )  # fmt: skip
    return figure(
        traces,
        showlegend=len(traces) > 1,
        xaxis=axis(x_title, type=None if x.dtype.kind in "biuf" else "category"),
        yaxis=axis(y_title, type=None if y.dtype.kind in "biuf" else "category"),
    )


def histogram(values: np.ndarray, *, title: str, groups: Sequence[tuple[str, np.ndarray]] = ()) -> Figure:
    """How often values occur, one colour for each group of rows (name, mask) when there are groups."""
    parts = list(groups) or [("Rows", np.ones(len(values), dtype=bool))]
    traces = []
    if values.dtype.kind in "biuf":
        known = values[np.isfinite(values.astype(np.float64))]
        edges = _edges(known.astype(np.float64))
        centres = (edges[:-1] + edges[1:]) / 2
        for place, (name, mask) in enumerate(parts):
            inside = values[mask]
            counts, _ = np.histogram(inside[np.isfinite(inside.astype(np.float64))], bins=edges)
            traces.append(
                {
                    "type": "bar",
                    "name": plain(name),
                    "x": centres,
                    "y": counts,
                    "width": float(edges[1] - edges[0]),
                    "meta": {"color": place},
                }
            )
        kind = None
    else:
        names = np.unique(values.astype(str))[:60].tolist()
        for place, (name, mask) in enumerate(parts):
            inside = values[mask].astype(str)
            traces.append(
                {
                    "type": "bar",
                    "name": plain(name),
                    "x": list(map(plain, names)),
                    "y": [int((inside == n).sum()) for n in names],
                    "meta": {"color": place},
                }
            )
        kind = "category"
    return figure(
        traces,
        barmode="stack",
        bargap=0.05,
        showlegend=len(parts) > 1,
        xaxis=axis(title, type=kind),
        yaxis=axis("Rows"),
    )


def _edges(known: np.ndarray) -> np.ndarray:
    """Edges of bins; one bin where the values lie so close, or so far apart, that floats do not tell more.

    Whole numbers lie in the middle of bins of a whole width: with another one, bins would hold now more numbers, now fewer.
    """
    most = min(40, max(5, int(np.sqrt(len(known) or 1))))
    if len(known) and np.all(known == np.round(known)) and 0 < (span := known.max() - known.min()) < 2**52:
        step = float(np.ceil((span + 1) / most))
        return known.min() - 0.5 + step * np.arange(int(np.ceil((span + 1) / step)) + 1)
    try:
        with np.errstate(over="ignore"):
            return np.histogram_bin_edges(known, bins=most)
    except ValueError:
        return np.array([known.min(), known.max()])


def ice(
    values: Sequence[Any], lines: Sequence[tuple[str, Sequence[float]]], now: Any, *, x_title: str, y_title: str
) -> Figure:
    """The model's answer as one feature changes and the rest of the row stays; a mark at `now`, unless it is None."""
    text = any(isinstance(v, str) for v in values)
    shown = [plain(v) if isinstance(v, str) else v for v in values]
    traces: list[dict[str, Any]] = [
        {"type": "scatter", "mode": "lines+markers", "name": plain(name), "x": shown, "y": list(answers),
         "marker": {"size": 5}, "line": {"width": 2}, "meta": {"color": place},
         "hovertemplate": "%{x}<br>%{y:.5~g}<extra>%{fullData.name}</extra>"}
        for place, (name, answers) in enumerate(lines)
    ]  # fmt: skip
    mark = {"type": "line", "xref": "x", "yref": "paper", "x0": now, "x1": now, "y0": 0, "y1": 1,
            "line": {"dash": "dot", "width": 1.5, "color": NEUTRAL}}  # fmt: skip
    return figure(
        traces,
        showlegend=len(lines) > 1,
        shapes=[mark] if not text and now is not None else None,
        xaxis=axis(x_title, type="category" if text else None),
        yaxis=axis(y_title),
    )


def shape(
    names: Sequence[Any],
    scores: Sequence[float],
    low: Sequence[float] | None,
    high: Sequence[float] | None,
    *,
    title: str,
) -> Figure:
    """What a glass box adds for each value of one feature: a step for each bin, with its bounds; bars for categories."""
    steps = len(names) == len(scores) + 1
    numeric = all(isinstance(n, (int, float)) for n in names)
    if not steps and numeric and len(names) > 1:
        return _curve(names, scores, low, high, title)
    if not steps:
        trace: dict[str, Any] = {
            "type": "bar",
            "x": [plain(str(n)) for n in names],
            "y": list(scores),
            "meta": {"color": 0},
        }
        if low is not None and high is not None:
            trace["error_y"] = {
                "type": "data", "symmetric": False, "color": NEUTRAL,
                "array": [max(0.0, h - s) for h, s in zip(high, scores, strict=True)],
                "arrayminus": [max(0.0, s - b) for s, b in zip(scores, low, strict=True)],
            }  # fmt: skip
        return figure([trace], showlegend=False, xaxis=axis(title, type="category"), yaxis=axis("Adds to the score"))
    traces = []
    if low is not None and high is not None:
        band = {
            "type": "scatter",
            "mode": "lines",
            "x": list(names),
            "line": {"width": 0, "shape": "hv"},
            "hoverinfo": "skip",
        }
        traces += [
            {**band, "y": [*low, low[-1]]},
            {**band, "y": [*high, high[-1]], "fill": "tonexty", "fillcolor": "rgba(128,128,128,.2)"},
        ]
    traces.append(
        {"type": "scatter", "mode": "lines", "x": list(names), "y": [*scores, scores[-1]],
         "line": {"shape": "hv", "width": 2}, "meta": {"color": 0}}
    )  # fmt: skip
    return figure(traces, showlegend=False, xaxis=axis(title), yaxis=axis("Adds to the score"))


def _curve(
    names: Sequence[float],
    scores: Sequence[float],
    low: Sequence[float] | None,
    high: Sequence[float] | None,
    title: str,
) -> Figure:
    """A score at each value, as a line with its bounds: a partial dependence, a linear term."""
    traces: list[dict[str, Any]] = []
    if low is not None and high is not None:
        band = {"type": "scatter", "mode": "lines", "x": list(names), "line": {"width": 0}, "hoverinfo": "skip"}
        filled = {"fill": "tonexty", "fillcolor": "rgba(128,128,128,.2)"}
        traces += [{**band, "y": list(low)}, {**band, "y": list(high), **filled}]
    line = {"type": "scatter", "mode": "lines", "x": list(names), "y": list(scores), "line": {"width": 2}}
    return figure([*traces, {**line, "meta": {"color": 0}}], showlegend=False, xaxis=axis(title), yaxis=axis("Score"))


def heat(x: Sequence[Any], y: Sequence[Any], scores: Any, *, x_title: str, y_title: str) -> Figure:
    """What a pair of features adds together."""
    trace = {
        "type": "heatmap",
        "z": np.asarray(scores, dtype=np.float64).T,
        "x": [plain(v) if isinstance(v, str) else v for v in x],
        "y": [plain(v) if isinstance(v, str) else v for v in y],
        "colorbar": {"thickness": 10, "outlinewidth": 0},
        "colorscale": [[0, "#3b82d6"], [0.5, "#f0f0f0"], [1, "#d9534f"]],
        "zmid": 0,
    }
    return figure([trace], xaxis=axis(x_title), yaxis=axis(y_title))
