"""Cohorts: rows chosen by filters on features, prediction, truth and error."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from runs.insights.explanations.view import View
from runs.insights.fairness.measures import binary_measures, confusion, regression_measures
from studio.errors import Invalid

OPERATORS = {
    "lt": "less than",
    "le": "at most",
    "eq": "equal to",
    "ne": "not equal to",
    "ge": "at least",
    "gt": "more than",
    "in": "one of (separate by ;)",
}
MAX_FILTERS = 20
MAX_VALUE = 1000


def check(filters: Any) -> list[dict[str, str]]:
    """Filters as they are kept: [{"on", "op", "value"}], all text. `on` is a column key, or a feature's name as "f:name"."""
    if not isinstance(filters, list) or not filters or len(filters) > MAX_FILTERS:
        raise Invalid(f"A cohort has 1 to {MAX_FILTERS} filters.", field="filters")
    kept = []
    for one in filters:
        if not isinstance(one, dict) or not all(isinstance(one.get(k), str) for k in ("on", "op", "value")):
            raise Invalid("A filter has the texts 'on', 'op' and 'value'.", field="filters")
        if one["op"] not in OPERATORS:
            raise Invalid(f"A filter compares with one of {', '.join(OPERATORS)}.", field="op")
        if len(one["value"]) > MAX_VALUE or len(one["on"]) > MAX_VALUE or not one["on"]:
            raise Invalid(f"A filter's column and value have at most {MAX_VALUE} characters.", field="value")
        if one["op"] in ("lt", "le", "ge", "gt"):
            _number(one["value"])
        kept.append({k: one[k] for k in ("on", "op", "value")})
    return kept


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise Invalid(f"{text[:80]!r} is no number, and this filter compares numbers.", field="value") from None
    if not np.isfinite(value):
        raise Invalid("A filter compares with a finite number.", field="value")
    return value


def describe(filters: list[dict[str, str]]) -> str:
    """The filters as a sentence."""
    signs = {"lt": "<", "le": "≤", "eq": "=", "ne": "≠", "ge": "≥", "gt": ">", "in": "in"}
    return " and ".join(f"{f['on'].removeprefix('f:')} {signs[f['op']]} {f['value']}" for f in filters)


def rows_of(view: View, filters: list[dict[str, str]]) -> NDArray[np.bool_] | None:
    """Which of the view's rows pass all filters; None when the explanation has no such column."""
    mask = np.ones(len(view.rows), dtype=bool)
    for one in filters:
        values = _values(view, one["on"])
        if values is None:
            return None
        mask &= _passes(values, one["op"], one["value"])
    return mask


def _values(view: View, on: str) -> NDArray[Any] | None:
    if on.startswith("f:"):
        name = on[2:]
        if name not in view.features or view.features.index(name) >= len(view.data):
            return None
        return view.data[view.features.index(name)]
    return view.column(on)[1] if on in dict(view.columns()) else None


def _passes(values: NDArray[Any], op: str, text: str) -> NDArray[np.bool_]:
    if op in ("eq", "ne", "in"):
        wanted = [part.strip() for part in text.split(";")] if op == "in" else [text.strip()]
        found = np.zeros(len(values), dtype=bool)
        for one in wanted:
            found |= _equal(values, one)
        return ~found if op == "ne" else found
    if values.dtype.kind not in "biuf":
        return np.zeros(len(values), dtype=bool)
    number = _number(text)
    with np.errstate(invalid="ignore"):
        return {"lt": values < number, "le": values <= number, "ge": values >= number, "gt": values > number}[op]


def _equal(values: NDArray[Any], text: str) -> NDArray[np.bool_]:
    if values.dtype.kind not in "biuf":
        return np.asarray(values.astype(str) == text)
    try:
        return np.asarray(values == float(text))
    except ValueError:
        return np.zeros(len(values), dtype=bool)


CLASSIFICATION: tuple[tuple[str, str], ...] = (
    ("accuracy_score", "Accuracy"),
    ("precision_score", "Precision"),
    ("recall_score", "Recall"),
    ("fallout_rate", "False positive rate"),
    ("miss_rate", "False negative rate"),
    ("selection_rate", "Selection rate"),
)
REGRESSION: tuple[tuple[str, str], ...] = (
    ("mean_absolute_error", "Mean absolute error"),
    ("root_mean_squared_error", "Root mean squared error"),
    ("r2_score", "R²"),
    ("average", "Average prediction"),
)


def performance(view: View, masks: list[tuple[str, NDArray[np.bool_] | None]]) -> dict[str, Any] | None:
    """How the model does in each cohort: {"columns": [label], "rows": [{name, count, values}]}; None without truth."""
    if view.truth is None or view.predicted is None:
        return None
    pair = view.positive()
    if pair is not None:
        columns = CLASSIFICATION
    elif view.is_classification or view.error is None or view.truth.dtype.kind not in "biuf":
        columns = CLASSIFICATION[:1]
    else:
        columns = REGRESSION
    rows = []
    for name, mask in masks:
        chosen = np.ones(len(view.rows), dtype=bool) if mask is None else mask
        rows.append({"name": name, "count": int(chosen.sum()), "values": _measures(view, chosen, pair, columns)})
    return {"columns": [label for _, label in columns], "rows": rows}


def _measures(
    view: View, chosen: NDArray[np.bool_], pair: Any, columns: tuple[tuple[str, str], ...]
) -> list[float | None]:
    if not chosen.any():
        return [None] * len(columns)
    one_group = np.zeros(int(chosen.sum()), dtype=np.int64)
    if pair is not None:
        counts, span = confusion(pair[0][chosen], pair[1][chosen], one_group, 1)
        values, undefined = binary_measures(counts, span)
    elif columns is REGRESSION:
        assert view.truth is not None and view.predicted is not None
        values, undefined = regression_measures(
            view.truth[chosen].astype(np.float64), view.predicted[chosen].astype(np.float64), one_group, 1
        )
    else:
        assert view.error is not None
        return [float(1 - view.error[chosen].mean())]
    return [None if undefined[key][0] else float(values[key][0]) for key, _ in columns]
