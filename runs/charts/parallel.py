"""Parallel coordinates: what the runs were given, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from runs.charts.figure import Figure, axis, figure


def _scale(values: Sequence[Any]) -> tuple[list[float | None], list[tuple[float, str]]]:
    """Each value's place in [0, 1], and (place, words) of the ticks. Numbers lie by size, other things in order."""
    known = [value for value in values if value is not None]
    if known and all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in known):
        low, high = min(known), max(known)
        span = (high - low) or 1
        ticks = (
            [(i / 4, f"{low + (high - low) * i / 4:.4g}") for i in range(5)] if high > low else [(0.5, f"{low:.4g}")]
        )
        return [None if v is None else (v - low) / span if high > low else 0.5 for v in values], ticks
    words = sorted({str(value) for value in known})
    place = {word: (i / (len(words) - 1) if len(words) > 1 else 0.5) for i, word in enumerate(words)}
    return [None if v is None else place[str(v)] for v in values], [(at, word) for word, at in place.items()]


def parallel_coordinates(
    names: Sequence[str], columns: Mapping[str, Sequence[Any]], *, color_by: Sequence[float | None] | None = None
) -> Figure:
    """One line for each run across the columns, each column on its own scale from low to high.

    Drawn with ordinary lines: plotly's own parallel-coordinates trace needs WebGL and an eval that our
    Content-Security-Policy forbids, and its lines can't be told apart on hover. ``color_by`` float[n] shades the lines
    from the lowest (faint) to the highest (strong).
    """
    titles = list(columns)
    scales = [_scale(columns[title]) for title in titles]
    shade, _ = _scale(list(color_by)) if color_by is not None else ([1.0] * len(names), [])
    traces = []
    for row, name in enumerate(names):
        words = "<br>".join(f"{title}: {columns[title][row]}" for title in titles)
        traces.append(_line(name, [scale[0][row] for scale in scales], words, shade[row]))
    notes = [
        {"x": column, "y": at, "text": word, "showarrow": False, "xanchor": "left", "xshift": 6, "font": {"size": 10}}
        for column, (_, ticks) in enumerate(scales)
        for at, word in ticks[:12]
    ]
    return figure(
        traces,
        showlegend=False,
        annotations=notes,
        shapes=[_pole(column) for column in range(len(titles))],
        xaxis=axis(
            tickvals=list(range(len(titles))),
            ticktext=titles,
            showgrid=False,
            zeroline=False,
            side="top",
            range=[-0.1, len(titles) - 0.7],
        ),
        yaxis=axis(visible=False, range=[-0.05, 1.05]),
    )


def _line(name: str, heights: Sequence[float | None], words: str, shade: float | None) -> dict[str, Any]:
    """One run's way across the columns; what it holds is told on hover."""
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name,
        "x": list(range(len(heights))),
        "y": list(heights),
        "line": {"width": 1.5, "shape": "spline", "smoothing": 0.4},
        "marker": {"size": 4},
        "opacity": 0.2 + 0.8 * (shade or 0.0),
        "text": [words] * len(heights),
        "hovertemplate": "%{text}<extra>%{fullData.name}</extra>",
        "meta": {"color": 0},
    }


def _pole(column: int) -> dict[str, Any]:
    """The upright that carries a column's scale."""
    line = {"width": 1, "color": "rgba(128,128,128,.5)"}
    return {"type": "line", "x0": column, "x1": column, "y0": 0, "y1": 1, "line": line}
