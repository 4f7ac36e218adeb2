"""The numbers of one dashboard on the page: its models, its groups, its disparities."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from runs.insights.explanations import store as explanation_store
from runs.insights.fairness import disparity as disparities
from runs.insights.fairness import mitigation
from runs.insights.fairness.assessment import SMALL_GROUP, pareto, quantiles, warnings
from runs.insights.fairness.bootstrap import Intervals
from runs.insights.fairness.measures import BINARY, PROBABILITY, REGRESSION, Grouped, measure
from runs.models import Explanation
from runs.pages.tabs.fairness.choice import Choice

#: Measures in the table by group besides the chosen one.
BESIDE = {
    BINARY: ("selection_rate", "fallout_rate", "miss_rate"),
    PROBABILITY: ("average", "overprediction", "underprediction"),
}

#: Uploaded numbers that are named because they differ from ours.
MAX_SHOWN = 5


def panel(choice: Choice, base: str) -> dict[str, Any]:
    """Everything the template shows for one dashboard; `base` is the address of the tab's charts."""
    found = choice.board.computed(choice.model, choice.features, choice.threshold)
    groups = choice.board.groups(choice.features)
    intervals = choice.board.intervals(choice.model, choice.features, choice.threshold, choice.method)
    return {
        "choice": choice,
        "groups": groups,
        "title": groups.title,
        "columns": _columns(choice),
        "rows": _rows(choice, found, intervals),
        "models": models(choice),
        "disparities": _disparities(choice, found, intervals),
        "headline": _headline(choice, found, intervals),
        "notes": warnings(groups, found, choice.measure.key),
        "differs": [
            f"{what} of {model.model_id}" for model in choice.row.models.all() for what in model.summary["differs"]
        ][:MAX_SHOWN],
        "draws": intervals.draws,
        "spreads": _spreads(choice),
        "size": "tall" if len(groups.labels) > 8 else "low" if len(groups.labels) < 5 else "",
        **{f"{kind}_url": f"{base}?kind={kind}&{choice.query}" for kind in ("performance", "errors", "predictions")},
        "small": SMALL_GROUP,
    }


def shown(value: float | None, rate: bool) -> str:
    """A value as the page writes it: a percentage with one decimal, or four significant digits."""
    if value is None or not np.isfinite(value):
        return "–"
    return f"{value:.1%}" if rate else f"{value:.4g}"


def _columns(choice: Choice) -> list[Any]:
    keys = [choice.measure.key, *BESIDE.get(choice.prediction_type, ("average", "mean_squared_error", "r2_score"))]
    return [measure(choice.prediction_type, key) for key in dict.fromkeys(keys)]


def _cell(value: float, low: float, high: float, rate: bool, undefined: bool) -> dict[str, Any]:
    return {
        "value": shown(value, rate),
        "interval": f"{shown(low, rate)} – {shown(high, rate)}",
        "undefined": undefined,
        "exact": repr(float(value)),
    }


def _rows(choice: Choice, found: Grouped, intervals: Intervals) -> list[dict[str, Any]]:
    columns = _columns(choice)
    groups = choice.board.groups(choice.features)
    total = int(found.counts.sum())
    rows = [
        {
            "name": "All rows",
            "count": total,
            "share": "",
            "overall": True,
            "small": False,
            "cells": [_cell(found.overall[c.key], *intervals.overall[c.key], c.rate, False) for c in columns],
        }
    ]
    for g, name in enumerate(groups.labels):
        cells = []
        for c in columns:
            low, high = intervals.by_group[c.key]
            cells.append(_cell(found.by_group[c.key][g], low[g], high[g], c.rate, bool(found.undefined[c.key][g])))
        count = int(found.counts[g])
        rows.append(
            {"name": name, "count": count, "share": f"{count / total:.1%}", "overall": False, "small": count < SMALL_GROUP, "cells": cells}
        )  # fmt: skip
    return rows


def _disparities(choice: Choice, found: Grouped, intervals: Intervals) -> list[dict[str, Any]]:
    """Every fairness metric of the prediction type, the chosen one marked."""
    rows = []
    for metric in disparities.DISPARITIES[choice.prediction_type]:
        value = choice.board.spread(metric, found, choice.method)
        rate = is_rate(choice, metric)
        low_high = intervals.disparity.get(metric.key)
        rows.append(
            {
                "metric": metric,
                "value": shown(value, rate),
                "exact": repr(value),
                "interval": f"{shown(low_high[0], rate)} – {shown(low_high[1], rate)}" if low_high and value is not None else "–",
                "chosen": metric.key == choice.disparity.key,
                "ideal": {"difference": "0 is alike", "ratio": "100 % is alike"}.get(metric.aggregate, f"{'higher' if metric.better == 'high' else 'lower'} is better"),
            }
        )  # fmt: skip
    return rows


def _spreads(choice: Choice) -> list[dict[str, Any]]:
    """What the box plots show, in numbers: minimum, quartiles and maximum by group. None for classes."""
    if choice.prediction_type == BINARY:
        return []
    predicted = choice.board.predicted(choice.model)
    drawn = {"Predictions": predicted}
    if choice.prediction_type == REGRESSION:
        drawn["Errors (prediction − truth)"] = predicted - choice.board.truth
    groups = choice.board.groups(choice.features)
    return [
        {"title": title, "rows": [
            (label, [(shown(v, False), repr(v)) for v in five or ()])
            for label, five in zip(groups.labels, quantiles(values, groups), strict=True)
        ]}
        for title, values in drawn.items()
    ]  # fmt: skip


def is_rate(choice: Choice, metric: disparities.Disparity) -> bool:
    """Whether the disparity is read as a percentage."""
    return metric.aggregate == "ratio" or all(measure(choice.prediction_type, m).rate for m in metric.measures)


def _headline(choice: Choice, found: Grouped, intervals: Intervals) -> dict[str, Any]:
    """The chosen performance and disparity in words: which groups are the extremes."""
    key = _decisive(choice, found)
    values, overall = found.by_group[key], found.overall[key]
    used = np.flatnonzero(found.counts > 0)
    labels = choice.board.groups(choice.features).labels
    low, high = used[np.argmin(values[used])], used[np.argmax(values[used])]
    apart = [(labels[low], float(values[low])), (labels[high], float(values[high]))]
    if choice.method == "to_overall" and choice.disparity.aggregate in ("difference", "ratio"):
        furthest = max((low, high), key=lambda g: _distance(float(values[g]), overall, choice.disparity.aggregate))
        apart = [(labels[furthest], float(values[furthest])), ("All rows", overall)]
    spread = choice.board.spread(choice.disparity, found, choice.method)
    interval = intervals.disparity.get(choice.disparity.key)
    rate = is_rate(choice, choice.disparity)
    compared = measure(choice.prediction_type, key)
    return {
        "performance": shown(found.overall[choice.measure.key], choice.measure.rate),
        "performance_interval": " – ".join(shown(v, choice.measure.rate) for v in intervals.overall[choice.measure.key]),
        "disparity": shown(spread, rate),
        "disparity_interval": " – ".join(shown(v, rate) for v in interval) if interval else "",
        "exact": {"performance": repr(found.overall[choice.measure.key]), "disparity": repr(spread)},
        "of": _within_a_sentence(compared.label),
        "apart": [(name, shown(value, compared.rate)) for name, value in apart],
    }  # fmt: skip


def _within_a_sentence(label: str) -> str:
    """ "Recall (true positive rate)" is "recall" there; "ROC AUC", "R²" and "F1 score" stay as they are."""
    name = label.split(" (")[0]
    return name[0].lower() + name[1:] if name[1:2].islower() else name


def _decisive(choice: Choice, found: Grouped) -> str:
    """The measure that makes the chosen disparity: of equalized odds the true or the false positive rate."""
    whole = choice.board.spread(choice.disparity, found, choice.method)
    for key in choice.disparity.measures:
        if choice.board.spread(replace(choice.disparity, measures=(key,)), found, choice.method) == whole:
            return key
    return choice.disparity.measures[0]


def _distance(value: float, overall: float, aggregate: str) -> float:
    if aggregate == "difference":
        return abs(value - overall)
    return -min(value / overall, overall / value) if value and overall else 0.0


def models(choice: Choice) -> list[dict[str, Any]]:
    """Performance and disparity of every model, those on the Pareto line marked."""
    board = choice.board
    rows: list[dict[str, Any]] = []
    facts = mitigation.model_facts(choice.row)
    explained = _explanations(choice, facts)
    registered = mitigation.registered(choice.row, facts)
    for i, name in enumerate(board.model_names):
        found = board.computed(i, choice.features, choice.threshold)
        rows.append(
            {
                "index": i,
                "name": name,
                "x": found.overall[choice.measure.key],
                "y": board.spread(choice.disparity, found, choice.method),
                "chosen": i == choice.model,
                "fact": facts.get(name),
                "explanation": explained.get(name),
                "registered": registered.get(name),
            }
        )
    best = set(
        pareto([r["x"] for r in rows], [r["y"] for r in rows], choice.measure.better or "high", choice.disparity.better)
    )
    rate = is_rate(choice, choice.disparity)
    for r in rows:
        r["best"], r["exact"] = r["index"] in best, (repr(r["x"]), repr(r["y"]))
        r["performance"], r["disparity"] = shown(r["x"], choice.measure.rate), shown(r["y"], rate)
    return rows


def _explanations(choice: Choice, facts: dict[str, dict[str, Any]]) -> dict[str, Explanation]:
    """The newest explanation of each model: of a mitigated one its own, else one of this run uploaded for that id."""
    ids = [f["explanation_id"] for f in facts.values() if isinstance(f.get("explanation_id"), str)]
    by_id = {e.pk: e for e in Explanation.objects.filter(pk__in=ids, run__workspace_id=choice.row.run.workspace_id)}
    found = {name: by_id[f["explanation_id"]] for name, f in facts.items() if f.get("explanation_id") in by_id}
    for one in explanation_store.of_run(choice.row.run_id):
        if one.model_id and one.top and one.model_id not in found:
            found[one.model_id] = one
    return found
