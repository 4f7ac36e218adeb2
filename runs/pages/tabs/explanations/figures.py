"""The charts of the Explanations tab as JSON: /w/…/explanations/figure?kind=…&<the choice>."""

from __future__ import annotations

from typing import Any

import numpy as np
from django.http import HttpRequest, HttpResponse

from runs import charts
from runs.charts import explanations as drawn
from runs.insights.explanations import scoring, store
from runs.insights.explanations.importance import aggregate, boxes, waterfall
from runs.models import Run
from runs.pages.tabs.explanations import panel, what_if
from runs.pages.tabs.explanations.choice import Choice, read
from studio.errors import Invalid, NotFound

#: Points drawn; the numbers are computed with all rows.
POINTS, SWARM_POINTS = 2000, 300


def figure(request: HttpRequest, run: Run) -> HttpResponse:
    """The chart of a kind for the explanation and choices of the address."""
    choice = read(request, run, store.find(run.id, request.GET.get("e", "")))
    draw = KINDS.get(request.GET.get("kind", ""))
    if draw is None:
        raise NotFound(f"There is no such chart; there are {', '.join(KINDS)}.")
    made = draw(choice, request)
    response = HttpResponse(charts.dumps({**made, "final": True}), content_type="application/json")
    response["Cache-Control"] = "private, max-age=30"
    return response


def _of(choice: Choice) -> str:
    return f" for {choice.output_name}" if choice.output_name else ""


def _importance(choice: Choice, request: HttpRequest) -> charts.Figure:
    view, features = choice.view, panel.ordered(choice)
    names = [view.features[i] for i in features]
    if choice.chart == "box":
        found = boxes(view, features, None, choice.output)
        five = [(b.low, b.q1, b.median, b.q3, b.high) for b in found]
        return drawn.importance_boxes(names, five, title=f"Importance of each row{_of(choice)}")
    if choice.chart == "swarm":
        rows = _some(len(view.rows), SWARM_POINTS)
        local = view.importance(choice.output)
        return drawn.swarm(
            names,
            [local[rows, i] for i in features],
            [_place(view.data[i], rows) if i < len(view.data) else None for i in features],
            title=f"Importance of each row{_of(choice)} · blue: low value, red: high",
        )
    columns = [(name, aggregate(view, mask, choice.output)[features].tolist()) for name, mask in choice.masks()]
    return drawn.importance_bars(names, columns, title=f"Importance{_of(choice)}")


def _some(n: int, most: int) -> np.ndarray:
    return np.arange(n) if n <= most else np.sort(np.random.default_rng(0).choice(n, most, replace=False))


def _place(values: np.ndarray, rows: np.ndarray) -> np.ndarray | None:
    """Where each value lies between the 5th and the 95th percentile, 0 to 1."""
    if values.dtype.kind not in "biuf":
        return None
    numbers = values.astype(np.float64)
    low, high = np.nanpercentile(numbers, (5, 95))
    return np.clip((numbers[rows] - low) / ((high - low) or 1.0), 0, 1)


def _explorer(choice: Choice, request: HttpRequest) -> charts.Figure:
    view = choice.view
    x_title, x = view.column(choice.x, choice.output)
    if choice.plot == "histogram":
        groups: list[tuple[str, np.ndarray]] = []
        if choice.colour:
            _, colour = view.column(choice.colour, choice.output)
            names = np.unique(colour.astype(str))
            if len(names) <= 6:
                groups = [(str(n), colour.astype(str) == n) for n in names]
        return drawn.histogram(x, title=x_title, groups=groups)
    rows = _some(len(view.rows), POINTS)
    picked = [choice.position(p) for p in choice.points]
    rows = np.union1d(rows, np.array(picked, dtype=rows.dtype)) if picked else rows
    y_title, y = view.column(choice.y, choice.output)
    colour_title, colour = "", None  # type: ignore[assignment]
    if choice.colour:
        colour_title, colour = view.column(choice.colour, choice.output)
    if colour is not None and colour.dtype.kind in "biuf" and len(np.unique(colour[rows])) <= 4:
        colour = np.array([f"{colour_title} {v:g}" for v in colour], dtype=object)
    return drawn.scatter(
        x[rows], y[rows], x_title=x_title, y_title=y_title,
        colour=None if colour is None else colour[rows], colour_title=colour_title,
        rows=view.rows[rows].tolist(), picked=choice.points,
    )  # fmt: skip


def _dependence(choice: Choice, request: HttpRequest) -> charts.Figure:
    """Importance of one feature over its value."""
    i = _whole(request.GET.get("feature"))
    if i is None or i >= len(choice.view.features) or i >= len(choice.view.data):
        raise NotFound("There is no such feature with values.")
    x_title, x = choice.view.column(f"f{i}")
    y_title, y = choice.view.column(f"i{i}", choice.output)
    rows = _some(len(choice.view.rows), POINTS)
    return drawn.scatter(x[rows], y[rows], x_title=x_title, y_title=y_title, rows=choice.view.rows[rows].tolist())


def _waterfall(choice: Choice, request: HttpRequest) -> charts.Figure:
    row = _whole(request.GET.get("row"))
    found = waterfall(choice.view, choice.position(-1 if row is None else row), choice.output)
    labels = [s.label if s.value is None else f"{s.label} = {panel.number(s.value)}" for s in found.steps]
    return drawn.waterfall(labels, [s.amount for s in found.steps], found.start, found.end)


def _term(choice: Choice, request: HttpRequest) -> charts.Figure:
    """What a glass box adds for one term."""
    i = _whole(request.GET.get("term"))
    if i is None or i >= len(choice.view.terms):
        raise NotFound("There is no such term.")
    term = choice.view.terms[i]
    scores: Any = np.asarray(term.get("scores") if term.get("scores") is not None else [], dtype=np.float64)
    if term.get("type") == "interaction" and scores.ndim == 2:
        x, _, y = term["name"].partition(" & ")
        return drawn.heat(term.get("left_names") or [], term.get("right_names") or [], scores, x_title=x, y_title=y)
    if scores.ndim != 1 or not len(scores):
        raise Invalid("This term has a shape for each class, which is not drawn.")
    low, high = term.get("lower_bounds"), term.get("upper_bounds")
    return drawn.shape(term.get("names") or [], scores.tolist(), low, high, title=term["name"])


def _ice(choice: Choice, request: HttpRequest) -> charts.Figure:
    """The answers of the scoring job over the values of one feature."""
    asked = what_if.asked(choice, request)
    if asked is None or asked.answer is None:
        raise Invalid(asked.error if asked is not None and asked.error else "The scoring job has not answered yet.")
    feature, row = what_if.feature_of(choice, request), what_if.row_of(choice, request)
    values, _ = scoring.grid(choice.view, choice.position(row), feature)
    name, answers = what_if.answers(asked.answer)
    now = choice.view.data[feature][choice.position(row)]
    return drawn.ice(
        values, [(f"row {row}", answers)], now.item() if hasattr(now, "item") else now,
        x_title=choice.view.features[feature], y_title=name,
    )  # fmt: skip


def _whole(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() and len(text) < 10 else None


KINDS = {
    "importance": _importance,
    "explorer": _explorer,
    "dependence": _dependence,
    "waterfall": _waterfall,
    "term": _term,
    "ice": _ice,
}
