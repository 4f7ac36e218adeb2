"""Charts of the Explanations tab: importance by cohort, distributions, points, one row's waterfall, ICE."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from runs.charts.figure import Figure, axis, figure

NEUTRAL = "rgba(128,128,128,.6)"
#: From low to high feature values: both ends can be told from either page's background.
LOW_HIGH = [[0.0, "#3b82d6"], [0.5, "#9a6fb0"], [1.0, "#e0474c"]]
LONGEST = 28


def shorten(label: str) -> str:
    """A label that leaves room for the chart; the whole one is on hover."""
    return label if len(label) <= LONGEST else label[: LONGEST - 1] + "…"


def importance_bars(features: Sequence[str], cohorts: Sequence[tuple[str, Sequence[float]]], *, title: str) -> Figure:
    """Importance of features, a bar for each cohort, the most important on top."""
    order = list(range(len(features)))[::-1]
    traces = [
        {
            "type": "bar",
            "orientation": "h",
            "name": name,
            "y": order,
            "x": list(values),
            "text": list(features),
            "textposition": "none",
            "hovertemplate": "%{text}<br>%{x:.5~g}<extra>%{fullData.name}</extra>",
            "meta": {"color": place},
        }
        for place, (name, values) in enumerate(cohorts)
    ]
    return figure(
        traces,
        barmode="group",
        bargap=0.3,
        showlegend=len(cohorts) > 1,
        xaxis=axis(title, rangemode="tozero"),
        yaxis=_features(features),
    )


def _features(features: Sequence[str]) -> dict[str, Any]:
    """An axis with the features from top to bottom: positions with names, so that two of one name stay two."""
    places = list(range(len(features)))[::-1]
    return axis("", tickvals=places, ticktext=[shorten(f) for f in features], showgrid=False, zeroline=False)


def importance_boxes(features: Sequence[str], five: Sequence[Sequence[float]], *, title: str) -> Figure:
    """A box for each feature: minimum, quartiles and maximum of its importance over the rows."""
    places = list(range(len(features)))[::-1]
    trace = {
        "type": "box",
        "orientation": "h",
        "y": places,
        "lowerfence": [b[0] for b in five],
        "q1": [b[1] for b in five],
        "median": [b[2] for b in five],
        "q3": [b[3] for b in five],
        "upperfence": [b[4] for b in five],
        "meta": {"color": 0},
        "hoverinfo": "x",
    }
    return figure([trace], showlegend=False, xaxis=axis(title), yaxis=_features(features))


def swarm(
    features: Sequence[str], columns: Sequence[np.ndarray], colours: Sequence[np.ndarray | None], *, title: str
) -> Figure:
    """A cloud for each feature: a point a row, placed by importance, coloured by where its value lies (low to high)."""
    traces = []
    for place, (values, colour) in enumerate(zip(columns, colours, strict=True)):
        level = len(features) - 1 - place
        marker: dict[str, Any] = {"size": 4, "opacity": 0.7}
        if colour is not None:
            marker |= {"color": colour, "colorscale": LOW_HIGH, "cmin": 0, "cmax": 1, "showscale": False}
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "x": values,
                "y": level + _spread(values),
                "marker": marker,
                "text": [features[place]],
                "hovertemplate": f"{_safe(features[place])}<br>%{{x:.5~g}}<extra></extra>",
                "meta": {} if colour is not None else {"color": 0},
            }
        )
    return figure(traces, showlegend=False, xaxis=axis(title), yaxis=_features(features))


def _safe(text: str) -> str:
    """Text for a hover template: its percent braces and tags say nothing."""
    return text.replace("%{", "{").replace("<", "‹").replace(">", "›")


def _spread(values: np.ndarray) -> np.ndarray:
    """Vertical places in (−0.4, 0.4): where many values are alike, the cloud is thick. The same each time."""
    if not len(values):
        return np.zeros(0)
    low, high = float(values.min()), float(values.max())
    bins = np.zeros(len(values), dtype=int) if high == low else ((values - low) / (high - low) * 39).astype(int)
    counts = np.bincount(bins, minlength=40)
    seen = np.zeros(40, dtype=int)
    place = np.empty(len(values))
    for i, b in enumerate(bins.tolist()):
        seen[b] += 1
        place[i] = (seen[b] // 2) * (1 if seen[b] % 2 else -1)
    return 0.4 * place / max(1.0, counts.max() / 2)


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
    marker: dict[str, Any] = {
        "size": [12 if r in picked_set else 6 for r in rows] if picked else 6,
        "opacity": 0.75,
    }
    numeric = colour is not None and colour.dtype.kind in "biuf"
    shared = {
        "type": "scatter",
        "mode": "markers",
        "hovertemplate": f"{_safe(x_title)}: %{{x}}<br>{_safe(y_title)}: %{{y}}<br>row %{{text}}<extra></extra>",
    }
    if colour is not None and numeric:
        marker |= {
            "color": colour,
            "colorscale": LOW_HIGH,
            "colorbar": {"title": {"text": colour_title, "side": "right"}, "thickness": 10, "outlinewidth": 0},
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
                {**shared, "name": name, "x": x[inside], "y": y[inside], "text": numbers,
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
        edges = np.histogram_bin_edges(known, bins=min(40, max(5, int(np.sqrt(len(known) or 1)))))
        centres = (edges[:-1] + edges[1:]) / 2
        for place, (name, mask) in enumerate(parts):
            inside = values[mask]
            counts, _ = np.histogram(inside[np.isfinite(inside.astype(np.float64))], bins=edges)
            traces.append(
                {
                    "type": "bar",
                    "name": name,
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
                    "name": name,
                    "x": names,
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


def waterfall(labels: Sequence[str], amounts: Sequence[float], start: float, end: float) -> Figure:
    """From the expected value over each feature's push to the model's output."""
    names = ["Expected value", *labels, "Output"]
    places = list(range(len(names)))[::-1]
    trace = {
        "type": "waterfall",
        "orientation": "h",
        "y": places,
        "x": [start, *amounts, end],
        "measure": ["absolute", *["relative"] * len(amounts), "total"],
        "text": names,
        "textposition": "none",
        "increasing": {"marker": {"color": "#d9534f"}},
        "decreasing": {"marker": {"color": "#3b82d6"}},
        "totals": {"marker": {"color": NEUTRAL}},
        "connector": {"line": {"width": 1, "color": NEUTRAL}},
        "hovertemplate": "%{text}<br>%{delta:.5~g}<extra></extra>",
    }
    return figure(
        [trace],
        showlegend=False,
        xaxis=axis(""),
        yaxis=axis("", tickvals=places, ticktext=[shorten(n) for n in names], showgrid=False, zeroline=False),
    )


def ice(
    values: Sequence[Any], lines: Sequence[tuple[str, Sequence[float]]], now: Any, *, x_title: str, y_title: str
) -> Figure:
    """The model's answer as one feature changes and the rest of the row stays; a mark where the row is now."""
    text = any(isinstance(v, str) for v in values)
    traces: list[dict[str, Any]] = [
        {"type": "scatter", "mode": "lines+markers", "name": name, "x": list(values), "y": list(answers),
         "marker": {"size": 5}, "line": {"width": 2}, "meta": {"color": place},
         "hovertemplate": "%{x}<br>%{y:.5~g}<extra>%{fullData.name}</extra>"}
        for place, (name, answers) in enumerate(lines)
    ]  # fmt: skip
    mark = {"type": "line", "xref": "x", "yref": "paper", "x0": now, "x1": now, "y0": 0, "y1": 1,
            "line": {"dash": "dot", "width": 1.5, "color": NEUTRAL}}  # fmt: skip
    return figure(
        traces,
        showlegend=len(lines) > 1,
        shapes=[mark] if not text else None,
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
    if not steps:
        trace: dict[str, Any] = {"type": "bar", "x": [str(n) for n in names], "y": list(scores), "meta": {"color": 0}}
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


def heat(x: Sequence[Any], y: Sequence[Any], scores: Any, *, x_title: str, y_title: str) -> Figure:
    """What a pair of features adds together."""
    trace = {
        "type": "heatmap",
        "z": np.asarray(scores, dtype=np.float64).T,
        "x": list(x),
        "y": list(y),
        "colorbar": {"thickness": 10, "outlinewidth": 0},
        "colorscale": [[0, "#3b82d6"], [0.5, "#f0f0f0"], [1, "#d9534f"]],
        "zmid": 0,
    }
    return figure([trace], xaxis=axis(x_title), yaxis=axis(y_title))
