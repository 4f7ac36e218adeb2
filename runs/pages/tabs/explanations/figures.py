"""The charts of the Explanations tab as JSON: /w/…/explanations/figure?kind=…&<the choice>."""

from __future__ import annotations

import numpy as np
from django.http import HttpRequest, HttpResponse

from runs import charts
from runs.charts import explanations as drawn
from runs.charts import importance as important
from runs.insights.explanations import store
from runs.insights.explanations.importance import aggregate, boxes, waterfall
from runs.models import Run
from runs.pages.tabs.explanations import panel, what_if
from runs.pages.tabs.explanations.choice import Choice, read
from studio.errors import Invalid, NotFound

#: Points drawn; the numbers are computed with all rows.
POINTS, SWARM_POINTS = panel.POINTS, panel.SWARM_POINTS


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
        fives = [
            (name, [(b.low, b.q1, b.median, b.q3, b.high) for b in boxes(view, features, mask, choice.output)])
            for name, mask in choice.masks()
        ]
        return important.importance_boxes(names, fives, title=f"Importance of each row{_of(choice)}")
    if choice.chart == "swarm":
        parts = [(name, *_cloud(choice, features, mask)) for name, mask in choice.masks()]
        return important.swarm(names, parts, title=f"Importance of each row{_of(choice)}")
    columns = [(name, aggregate(view, mask, choice.output)[features].tolist()) for name, mask in choice.masks()]
    return important.importance_bars(names, columns, title=f"Importance{_of(choice)}")


def _cloud(
    choice: Choice, features: np.ndarray, mask: np.ndarray | None
) -> tuple[list[np.ndarray], list[np.ndarray | None]]:
    """Importance of some of the cohort's rows for each feature, and where their values lie."""
    view, local = choice.view, choice.view.importance(choice.output)
    inside = np.arange(len(view.rows)) if mask is None else np.flatnonzero(mask)
    rows = inside[_some(len(inside), SWARM_POINTS)]
    places = [_place(view.data[i], rows) if i < len(view.data) else None for i in features]
    return [local[rows, i] for i in features], places


def _some(n: int, most: int) -> np.ndarray:
    return np.arange(n) if n <= most else np.sort(np.random.default_rng(0).choice(n, most, replace=False))


def _place(values: np.ndarray, rows: np.ndarray) -> np.ndarray | None:
    """Where each value lies between the 5th and the 95th percentile, 0 to 1."""
    if values.dtype.kind not in "biuf":
        return None
    numbers = values.astype(np.float64)
    known = numbers[np.isfinite(numbers)]
    if not len(known):
        return None
    low, high = np.percentile(known, (5, 95))
    with np.errstate(over="ignore", invalid="ignore"):
        return np.clip(np.nan_to_num((numbers[rows] - low) / ((high - low) or 1.0), nan=0.5), 0, 1)


def _explorer(choice: Choice, request: HttpRequest) -> charts.Figure:
    view = choice.view
    x_title, x = view.shown(choice.x, choice.output)
    if choice.plot == "histogram":
        groups: list[tuple[str, np.ndarray]] = []
        if choice.colour:
            _, colour = _coloured(choice)
            names = np.unique(colour.astype(str))
            if len(names) <= 6:
                groups = [(str(n), colour.astype(str) == n) for n in names]
        return drawn.histogram(x, title=x_title, groups=groups)
    rows = _some(len(view.rows), POINTS)
    picked = [choice.position(p) for p in choice.points]
    rows = np.union1d(rows, np.array(picked, dtype=rows.dtype)) if picked else rows
    y_title, y = view.shown(choice.y, choice.output)
    colour_title, colour = "", None  # type: ignore[assignment]
    if choice.colour:
        colour_title, colour = _coloured(choice)
    if colour is not None and colour.dtype.kind in "biuf" and len(np.unique(colour[rows])) <= 4:
        colour = np.array([f"{colour_title} {v:g}" for v in colour], dtype=object)
    return drawn.scatter(
        x[rows], y[rows], x_title=x_title, y_title=y_title,
        colour=None if colour is None else colour[rows], colour_title=colour_title,
        rows=view.rows[rows].tolist(), picked=choice.points,
    )  # fmt: skip


def _coloured(choice: Choice) -> tuple[str, np.ndarray]:
    """(title, values) of the colour; a class says in the legend whose it is: "Truth: faster"."""
    title, values = choice.view.shown(choice.colour, choice.output)
    if choice.colour in ("truth", "prediction") and values.dtype.kind not in "biuf":
        values = np.array([f"{title}: {v}" for v in values], dtype=object)
    return title, values


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
    return important.waterfall(labels, [s.amount for s in found.steps], found.start, found.end)


def _term(choice: Choice, request: HttpRequest) -> charts.Figure:
    """What a glass box adds for one term."""
    i = _whole(request.GET.get("term"))
    if i is None or i >= len(choice.view.terms):
        raise NotFound("There is no such term.")
    term = choice.view.terms[i]
    if term.scores is None:
        raise Invalid(f"{term.name} has no shape.")
    classes, of = term.classes, ""
    if classes:
        place = classes - 1 if choice.output is None else min(choice.output, classes - 1)
        term = term.of_class(place)
        of = f", class {choice.view.classes[place] if place < len(choice.view.classes) else place}"
    assert term.scores is not None
    if term.is_pair:
        x, _, y = term.name.partition(" & ")
        return drawn.heat(term.names, term.others, term.scores, x_title=x + of, y_title=y)
    low, high = (None if v is None else v.tolist() for v in (term.low, term.high))
    return drawn.shape(term.names, term.scores.tolist(), low, high, title=term.name + of)


def _ice(choice: Choice, request: HttpRequest) -> charts.Figure:
    """The answers of the scoring job over the values of one feature."""
    asked = what_if.asked(choice, request)
    if asked is None or asked.answer is None:
        raise Invalid(asked.error if asked is not None and asked.error else "The scoring job has not answered yet.")
    found = what_if.curves(choice, asked, what_if.feature_of(choice, request))
    if found is None:
        raise Invalid("The job was asked about other rows; draw the curve again.")
    now = None
    if len(found.lines) == 1:
        value = choice.view.data[found.feature][choice.position(found.lines[0][0])]
        now = value.item() if hasattr(value, "item") else value
    return drawn.ice(
        found.values,
        [(f"row {row}", answers) for row, answers in found.lines],
        now,
        x_title=choice.view.features[found.feature],
        y_title=found.name,
    )


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
