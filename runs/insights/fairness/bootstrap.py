"""Percentile bootstrap intervals of measures and disparities.

Rows are drawn with replacement. For hard binary predictions every measure is a function of the counts in the
(group, TP/FP/FN/TN) cells, so drawing rows is one multinomial draw over the cells: exact, and a thousand draws take
milliseconds. Other predictions are drawn row by row, fewer times. A group that a draw leaves without rows has no value
in it and takes no part in its disparities. Source: Efron & Tibshirani, An Introduction to the Bootstrap (1993),
chapter 13.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runs.insights.fairness import disparity as disparities
from runs.insights.fairness.measures import (
    BINARY,
    PROBABILITY,
    Floats,
    Ints,
    binary_measures,
    confusion,
    squared_log_error,
)

DRAWS_OF_COUNTS = 1000
DRAWS_OF_ROWS = 100
# Above this many rows fewer draws are made, so that a page never waits on them.
MAX_ROWS = 20_000
#: Weights held at once (draws x rows).
CELLS_AT_ONCE = 500_000
AUC = "balanced_accuracy_score"


@dataclass(frozen=True)
class Intervals:
    """95 % intervals: (low, high) of all rows and of each group by measure, and of each disparity."""

    draws: int
    overall: dict[str, tuple[float, float]]
    by_group: dict[str, tuple[Floats, Floats]]
    disparity: dict[str, tuple[float, float]]


def intervals(
    prediction_type: str,
    y_true: Floats,
    y_pred: Floats,
    groups: Ints,
    n_groups: int,
    method: str = "between_groups",
    level: float = 0.95,
    seed: int = 0,
) -> Intervals:
    """Intervals for every measure and disparity of the prediction type; the same seed gives the same numbers."""
    rng = np.random.default_rng(seed)
    if prediction_type == BINARY:
        by_group, overall, draws = _draw_counts(y_true, y_pred, groups, n_groups, rng)
    else:
        by_group, overall, draws = _draw_rows(prediction_type, y_true, y_pred, groups, n_groups, rng)
    ends = ((1 - level) / 2, (1 + level) / 2)
    spread = {d.key: disparities.value(d, by_group, overall, method) for d in disparities.DISPARITIES[prediction_type]}
    return Intervals(
        draws=draws,
        overall={k: _pair(quantiles(v, ends)) for k, v in overall.items()},
        by_group={k: _pair(quantiles(v, ends)) for k, v in by_group.items()},
        disparity={k: _pair(quantiles(v, ends)) for k, v in spread.items() if not np.isnan(v).all()},
    )


def _pair(values: Floats) -> Any:
    return (values[0], values[1]) if values.ndim > 1 else (float(values[0]), float(values[1]))


def quantiles(values: Floats, q: Sequence[float]) -> Floats:
    """(len(q), …) quantiles along the first axis over values that are not NaN, interpolated; NaN where all are."""
    ordered = np.sort(values, axis=0)  # NaN come last
    known = len(values) - np.isnan(ordered).sum(axis=0)
    result = []
    for each in q:
        place = np.maximum((known - 1) * each, 0.0)
        low = np.floor(place).astype(np.int64)
        high = np.minimum(low + 1, np.maximum(known - 1, 0))
        at = [np.take_along_axis(ordered, index[None, ...], axis=0)[0] for index in (low, high)]
        result.append(at[0] + (at[1] - at[0]) * (place - low))
    return np.stack(result)


def _draw_counts(
    y_true: Floats, y_pred: Floats, groups: Ints, n_groups: int, rng: np.random.Generator
) -> tuple[dict[str, Floats], dict[str, Floats], int]:
    counts, span = confusion(y_true, y_pred, groups, n_groups)
    n = int(counts.sum())
    drawn = rng.multinomial(n, counts.ravel() / n, size=DRAWS_OF_COUNTS).reshape(DRAWS_OF_COUNTS, n_groups, 4)
    by_group = _present(binary_measures(drawn.astype(np.float64), span)[0], drawn.sum(axis=2))
    overall, _ = binary_measures(drawn.sum(axis=1).astype(np.float64), span)
    return by_group, overall, DRAWS_OF_COUNTS


def _present(by_group: dict[str, Floats], rows: NDArray[Any]) -> dict[str, Floats]:
    """The values of drawn groups, NaN where a draw left a group without rows. rows: (draws, groups)."""
    absent = rows == 0
    return {k: np.where(absent, np.nan, v) for k, v in by_group.items()} if absent.any() else by_group


def _draw_rows(
    prediction_type: str, y_true: Floats, y_pred: Floats, groups: Ints, n_groups: int, rng: np.random.Generator
) -> tuple[dict[str, Floats], dict[str, Floats], int]:
    """Rows are weighted by how often they were drawn; every measure but the ROC AUC is a function of weighted sums."""
    n = len(y_true)
    draws = DRAWS_OF_ROWS if n <= MAX_ROWS else max(20, DRAWS_OF_ROWS * MAX_ROWS // n)
    order = np.lexsort((y_pred, groups))
    y, p, g = y_true[order], y_pred[order], groups[order]
    by_score = np.argsort(p, kind="stable")
    columns = _columns(prediction_type, y, p, g, n_groups)
    parts_group: list[dict[str, Floats]] = []
    parts_overall: list[dict[str, Floats]] = []
    step = max(1, CELLS_AT_ONCE // n)
    for first in range(0, draws, step):
        count = min(step, draws - first)
        weights = rng.multinomial(n, np.full(n, 1.0 / n), size=count).astype(np.float64)
        sums = {name: _by_group(weights * column, g, n_groups) for name, column in columns.items()}
        total = {name: values.sum(axis=1) for name, values in sums.items()}
        if prediction_type == PROBABILITY:
            of_groups = _probability(sums) | {AUC: _auc_by_group(y, p, g, n_groups, weights)}
            of_all = _probability(total) | {AUC: weighted_auc(y[by_score], p[by_score], weights[:, by_score])}
        else:
            dev = y - y.mean()
            total |= {"dev": (weights * dev).sum(1), "dev2": (weights * dev**2).sum(1)}
            of_groups = _regression(sums) | _ordered_by_group(np.abs(p - y), g, n_groups, weights)
            of_all = _regression(total) | _ordered(np.abs(p - y), weights)
        parts_group.append(_present(of_groups, sums["n"]))
        parts_overall.append(of_all)
    return _stacked(parts_group), _stacked(parts_overall), draws


def _stacked(parts: list[dict[str, Floats]]) -> dict[str, Floats]:
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


def _columns(prediction_type: str, y: Floats, p: Floats, g: Ints, n_groups: int) -> dict[str, Floats]:
    """What is summed over the rows, weighted."""
    error = p - y
    columns = {
        "n": np.ones(len(y)),
        "sq": error**2,
        "abs": np.abs(error),
        "pred": p,
        "over": np.maximum(error, 0),
        "under": np.maximum(-error, 0),
    }
    if prediction_type == PROBABILITY:
        eps = np.finfo(np.float64).eps
        q = np.clip(p, eps, 1 - eps)
        positive = y == 1
        return columns | {
            "loss": -np.where(positive, np.log(q), np.log1p(-q)),
            "pos": positive.astype(np.float64),
            "sq_pos": np.where(positive, error**2, 0.0),
        }
    size = np.bincount(g, minlength=n_groups)
    mean = np.bincount(g, weights=y, minlength=n_groups) / np.maximum(size, 1)
    dev = y - mean[g]  # centred, so that the spread is not lost beside a large mean
    logs, outside = squared_log_error(y, p)
    return columns | {"dev": dev, "dev2": dev**2, "log": logs, "no_log": outside}


def _by_group(values: Floats, g: Ints, n_groups: int) -> Floats:
    """(draws, rows sorted by group) -> (draws, groups)."""
    present, starts = np.unique(g, return_index=True)
    result = np.zeros((len(values), n_groups))
    result[:, present] = np.add.reduceat(values, starts, axis=1)
    return result


def _over(top: Floats, bottom: Floats) -> Floats:
    return np.divide(top, bottom, out=np.zeros_like(top), where=bottom > 0)


def _errors(sums: dict[str, Floats]) -> dict[str, Floats]:
    mse = _over(sums["sq"], sums["n"])
    return {
        "mean_squared_error": mse,
        "root_mean_squared_error": np.sqrt(mse),
        "mean_absolute_error": _over(sums["abs"], sums["n"]),
        "average": _over(sums["pred"], sums["n"]),
        "overprediction": _over(sums["over"], sums["n"]),
        "underprediction": _over(sums["under"], sums["n"]),
    }


def _probability(sums: dict[str, Floats]) -> dict[str, Floats]:
    n, pos = sums["n"], sums["pos"]
    rmse_pos = np.sqrt(_over(sums["sq_pos"], pos))
    rmse_neg = np.sqrt(_over(np.maximum(sums["sq"] - sums["sq_pos"], 0), n - pos))
    one_class = (pos == 0) | (pos == n)
    return _errors(sums) | {
        "log_loss": _over(sums["loss"], n),
        "balanced_root_mean_squared_error": np.where(one_class, 0.0, (rmse_pos + rmse_neg) / 2),
    }


def _regression(sums: dict[str, Floats]) -> dict[str, Floats]:
    n = sums["n"]
    spread = sums["dev2"] - _over(sums["dev"] ** 2, n)
    flat = spread <= 1e-12 * np.maximum(sums["dev2"], 1e-300)
    r2 = np.where(flat, np.where(sums["sq"] == 0, 1.0, 0.0), 1 - _over(sums["sq"], np.where(flat, 1.0, spread)))
    return _errors(sums) | {
        "r2_score": np.where(n < 2, 0.0, r2),
        "mean_squared_log_error": np.where(sums["no_log"] > 0, 0.0, _over(sums["log"], n)),
    }


def _ordered(errors: Floats, weights: Floats) -> dict[str, Floats]:
    """Median and maximum of the drawn absolute errors (n,) for each row of weights (draws, n)."""
    order = np.argsort(errors, kind="stable")
    ordered, upto = errors[order], np.cumsum(weights[:, order], axis=1)
    drawn = upto[:, -1:]
    middle = [(upto <= np.floor((drawn - shift) / 2)).sum(axis=1) for shift in (1, 0)]
    top = (upto < drawn).sum(axis=1)
    last = len(ordered) - 1  # of a draw without any row, whose value counts for nothing
    at = [ordered[np.minimum(place, last)] for place in (*middle, top)]
    return {"median_absolute_error": (at[0] + at[1]) / 2, "max_error": at[2]}


def _ordered_by_group(errors: Floats, g: Ints, n_groups: int, weights: Floats) -> dict[str, Floats]:
    """`_ordered` within each group; rows are sorted by group."""
    result = {key: np.zeros((len(weights), n_groups)) for key in ("median_absolute_error", "max_error")}
    for group, rows in _slices(g):
        for key, values in _ordered(errors[rows], weights[:, rows]).items():
            result[key][:, group] = values
    return result


def _slices(g: Ints) -> Iterator[tuple[int, slice]]:
    """Each group that has rows, and where they are; rows are sorted by group."""
    present, starts = np.unique(g, return_index=True)
    for group, start, end in zip(present.tolist(), starts.tolist(), [*starts[1:].tolist(), len(g)], strict=True):
        yield group, slice(start, end)


def _auc_by_group(y: Floats, p: Floats, g: Ints, n_groups: int, weights: Floats) -> Floats:
    result = np.zeros((len(weights), n_groups))
    for group, rows in _slices(g):
        result[:, group] = weighted_auc(y[rows], p[rows], weights[:, rows])
    return result


def weighted_auc(y: Floats, p: Floats, weights: Floats) -> Floats:
    """ROC AUC for each row of weights (draws, n), rows in the order of their score; 0 when a class is absent."""
    first = np.flatnonzero(np.concatenate(([True], p[1:] != p[:-1])))
    pos = np.add.reduceat(weights * (y == 1), first, axis=1)
    neg = np.add.reduceat(weights * (y != 1), first, axis=1)
    below = np.cumsum(neg, axis=1) - neg
    pairs = pos.sum(axis=1) * neg.sum(axis=1)
    return _over((pos * (below + neg / 2)).sum(axis=1), pairs)
