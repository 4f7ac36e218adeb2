"""The charts of the Fairness tab as JSON: /w/…/fairness/figure?kind=…&<the choice>."""

from __future__ import annotations

from urllib.parse import quote, quote_plus

from django.http import HttpRequest, HttpResponse

from runs import charts
from runs.charts import fairness as drawn
from runs.insights.fairness import store
from runs.insights.fairness.assessment import SMALL_GROUP, quantiles
from runs.insights.fairness.measures import BINARY, PROBABILITY, REGRESSION
from runs.models import Run
from runs.pages.tabs.fairness import panel
from runs.pages.tabs.fairness.choice import Choice, read
from studio.errors import NotFound


def figure(request: HttpRequest, run: Run) -> HttpResponse:
    """The chart of a kind for the dashboard and choices of the address."""
    choice = read(request, store.find(run.id, request.GET.get("d", "")))
    draw = KINDS.get(request.GET.get("kind", ""))
    if draw is None:
        raise NotFound(f"There is no such chart; there are {', '.join(KINDS)}.")
    response = HttpResponse(charts.dumps({**draw(choice, run), "final": True}), content_type="application/json")
    response["Cache-Control"] = "private, max-age=60"
    return response


def _models(choice: Choice, run: Run) -> charts.Figure:
    base = f"/w/{run.workspace.name}/runs/{quote(run.id, safe='')}/fairness/?"
    current = choice.query
    points = [
        drawn.Point(
            row["name"], row["x"], row["y"], row["best"], row["chosen"],
            base + current.replace(f"model={quote_plus(choice.model_name)}", f"model={quote_plus(row['name'])}") + "#model",
        )
        for row in panel.models(choice)
    ]  # fmt: skip
    return drawn.models(
        points,
        x_title=choice.measure.label,
        y_title=choice.disparity.label,
        x_rate=choice.measure.rate,
        y_rate=panel.is_rate(choice, choice.disparity),
    )


def _performance(choice: Choice, run: Run) -> charts.Figure:
    found = choice.board.computed(choice.model, choice.features, choice.threshold)
    intervals = choice.board.intervals(choice.model, choice.features, choice.threshold, choice.method)
    key = choice.measure.key
    low, high = intervals.by_group[key]
    return drawn.groups(
        choice.board.groups(choice.features).labels,
        found.by_group[key].tolist(),
        title=choice.measure.label,
        rate=choice.measure.rate,
        overall=found.overall[key],
        low=low.tolist(),
        high=high.tolist(),
        muted=(found.counts < SMALL_GROUP).tolist(),
    )


def _errors(choice: Choice, run: Run) -> charts.Figure:
    """Where the errors lie: misses and false alarms, or the errors' distribution."""
    groups = choice.board.groups(choice.features)
    if choice.prediction_type == REGRESSION:
        errors = choice.board.predicted(choice.model) - choice.board.truth
        return drawn.distributions(groups.labels, quantiles(errors, groups), title="Error (prediction − truth)")
    found = choice.board.computed(choice.model, choice.features, choice.threshold)
    left, right = (
        ("miss_rate", "fallout_rate") if choice.prediction_type == BINARY else ("underprediction", "overprediction")
    )
    names = ("False negative rate (missed)", "False positive rate (false alarm)")
    if choice.prediction_type == PROBABILITY:
        names = ("Underprediction", "Overprediction")
    return drawn.mirrored(
        groups.labels, found.by_group[left].tolist(), found.by_group[right].tolist(),
        left_name=names[0], right_name=names[1], rate=choice.prediction_type == BINARY,
    )  # fmt: skip


def _predictions(choice: Choice, run: Run) -> charts.Figure:
    groups = choice.board.groups(choice.features)
    if choice.prediction_type != BINARY:
        return drawn.distributions(
            groups.labels, quantiles(choice.board.predicted(choice.model), groups), title="Prediction"
        )
    found = choice.board.computed(choice.model, choice.features, choice.threshold)
    intervals = choice.board.intervals(choice.model, choice.features, choice.threshold, choice.method)
    low, high = intervals.by_group["selection_rate"]
    return drawn.groups(
        groups.labels,
        found.by_group["selection_rate"].tolist(),
        title="Selection rate",
        rate=True,
        overall=found.overall["selection_rate"],
        low=low.tolist(),
        high=high.tolist(),
        muted=(found.counts < SMALL_GROUP).tolist(),
    )


KINDS = {"models": _models, "performance": _performance, "errors": _errors, "predictions": _predictions}
