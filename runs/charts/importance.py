"""Charts of importance: bars, boxes and clouds by cohort, and one row's waterfall."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from runs.charts.figure import Figure, axis, figure, plain

NEUTRAL = "rgba(128,128,128,.6)"
#: From low to high feature values: both ends can be told from either page's background.
LOW_HIGH = [[0.0, "#3b82d6"], [0.5, "#9a6fb0"], [1.0, "#e0474c"]]
LONGEST = 28


def shorten(label: str) -> str:
    """A label that leaves room for the chart; the whole one is on hover."""
    return plain(label if len(label) <= LONGEST else label[: LONGEST - 1] + "…")


def safe(text: str) -> str:
    """Text for a hover template: its percent braces and tags say nothing."""
    return plain(text.replace("%{", "{"))


def importance_bars(features: Sequence[str], cohorts: Sequence[tuple[str, Sequence[float]]], *, title: str) -> Figure:
    """Importance of features, a bar for each cohort, the most important on top."""
    order = list(range(len(features)))[::-1]
    traces = [
        {
            "type": "bar",
            "orientation": "h",
            "name": plain(name),
            "y": order,
            "x": list(values),
            "text": list(map(plain, features)),
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


def importance_boxes(
    features: Sequence[str], cohorts: Sequence[tuple[str, Sequence[Sequence[float]]]], *, title: str
) -> Figure:
    """A box for each feature and cohort: minimum, quartiles and maximum of its importance over the rows.

    cohorts: (name, five numbers for each feature).
    """
    places = list(range(len(features)))[::-1]
    traces = [
        {
            "type": "box",
            "orientation": "h",
            "name": plain(name),
            "offsetgroup": str(place),
            "y": places,
            **{key: [b[i] for b in five] for i, key in enumerate(("lowerfence", "q1", "median", "q3", "upperfence"))},
            "meta": {"color": place},
            "hoverinfo": "x+name",
        }
        for place, (name, five) in enumerate(cohorts)
        if five
    ]
    return figure(traces, boxmode="group", showlegend=len(cohorts) > 1, xaxis=axis(title), yaxis=_features(features))


def swarm(
    features: Sequence[str],
    cohorts: Sequence[tuple[str, Sequence[np.ndarray], Sequence[np.ndarray | None]]],
    *,
    title: str,
) -> Figure:
    """A cloud for each feature and cohort: a point a row, placed by importance.

    cohorts: (name, importance of the rows for each feature, where each value lies from low 0 to high 1, or None).
    One cohort is coloured by the values; of several each has its own lane and colour.
    """
    traces: list[dict[str, Any]] = []
    lane = 0.9 / len(cohorts)
    for number, (name, columns, colours) in enumerate(cohorts):
        offset = lane * ((len(cohorts) - 1) / 2 - number)
        for place, (values, colour) in enumerate(zip(columns, colours, strict=True)):
            marker: dict[str, Any] = {"size": 4, "opacity": 0.7}
            by_value = colour is not None and len(cohorts) == 1
            if by_value:
                marker |= {"color": colour, "colorscale": LOW_HIGH, "cmin": 0, "cmax": 1, "showscale": False}
            traces.append(
                {
                    "type": "scatter",
                    "mode": "markers",
                    "name": plain(name),
                    "legendgroup": str(number),
                    "showlegend": place == 0,
                    "x": values,
                    "y": len(features) - 1 - place + offset + lane * _spread(values),
                    "marker": marker,
                    "hovertemplate": f"{safe(features[place])}<br>%{{x:.5~g}}<extra>{safe(name)}</extra>",
                    "meta": {} if by_value else {"color": number},
                }
            )
    return figure(traces, showlegend=len(cohorts) > 1, xaxis=axis(title), yaxis=_features(features))


def _spread(values: np.ndarray) -> np.ndarray:
    """Vertical places in (−0.45, 0.45): where many values are alike, the cloud is thick. The same each time."""
    if not len(values):
        return np.zeros(0)
    values = np.where(np.isfinite(values), values, 0.0)
    low, high = float(values.min()), float(values.max())
    bins = np.zeros(len(values), dtype=int) if high == low else ((values - low) / (high - low) * 39).astype(int)
    counts = np.bincount(bins, minlength=40)
    seen = np.zeros(40, dtype=int)
    place = np.empty(len(values))
    for i, b in enumerate(bins.tolist()):
        seen[b] += 1
        place[i] = (seen[b] // 2) * (1 if seen[b] % 2 else -1)
    return 0.45 * place / max(1.0, counts.max() / 2)


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
        "text": list(map(plain, names)),
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
