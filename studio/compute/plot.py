"""Small charts as SVG that the template writes: readable without JavaScript, swapped whole by htmx. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

WIDTH, HEIGHT = 600, 120  # of the viewBox; the page scales it
COLOURS = 8  # classes line-0 … line-7 in compute.css


@dataclass(frozen=True)
class Polyline:
    """`points` as SVG wants them; `last` is the newest value."""

    name: str
    points: str
    css: str
    last: float


@dataclass(frozen=True)
class Plot:
    """What the template draws. `rows`: the numbers behind it, newest last."""

    title: str
    unit: str
    top: str
    begin: datetime | None
    end: datetime | None
    lines: list[Polyline]
    rows: list[tuple[datetime, str, float]]


def plot(
    title: str, unit: str, series: Sequence[tuple[str, Sequence[datetime], Sequence[float]]], steps: bool = False
) -> Plot:
    """Scales series (name, times, values) to the viewBox. The value axis starts at 0; `steps`: values hold until the next."""
    times = [at for _, x, _ in series for at in x]
    if not times:
        return Plot(title, unit, "", None, None, [], [])
    begin, end = min(times), max(times)
    top = _ceiling(max((value for _, _, y in series for value in y), default=0.0))
    lines = [
        Polyline(name, _points(x, y, begin, end, top, steps), f"line-{index % COLOURS}", y[-1])
        for index, (name, x, y) in enumerate(series)
        if x
    ]
    rows = sorted((at, name, value) for name, x, y in series for at, value in zip(x, y, strict=True))
    return Plot(title, unit, f"{top:g}", begin, end, lines, rows[-200:])


def _points(x: Sequence[datetime], y: Sequence[float], begin: datetime, end: datetime, top: float, steps: bool) -> str:
    span = (end - begin).total_seconds() or 1.0
    made: list[str] = []
    before = ""
    for at, value in zip(x, y, strict=True):
        across = f"{(at - begin).total_seconds() / span * WIDTH:.1f}"
        up = f"{HEIGHT - min(value / top, 1) * HEIGHT:.1f}"
        if steps and before:
            made.append(f"{across},{before}")
        made.append(f"{across},{up}")
        before = up
    if len(x) == 1:  # one point draws nothing: a short line does
        made.append(f"{min(float(made[-1].split(',')[0]) + 4, WIDTH):.1f},{before}")
    return " ".join(made)


def _ceiling(value: float) -> float:
    """The next of 1, 2, 5, 10, 20 … at or above the value."""
    if value <= 0:
        return 1.0
    power = 10.0 ** len(str(int(value))) / 10 if value >= 1 else 0.1
    while power > value and power > 1e-6:
        power /= 10
    return next(step * power for step in (1, 2, 5, 10) if step * power >= value)
