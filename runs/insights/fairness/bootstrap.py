"""Percentile bootstrap intervals of measures and disparities.

Rows are drawn with replacement. For hard binary predictions every measure is a function of the counts in the
(group, TP/FP/FN/TN) cells, so drawing rows is one multinomial draw over the cells: exact, and a thousand draws take
milliseconds. Other predictions are drawn row by row, fewer times. Source: Efron & Tibshirani, An Introduction to the
Bootstrap (1993), chapter 13.
"""

from dataclasses import dataclass

import numpy as np

from runs.insights.fairness import disparity as disparities
from runs.insights.fairness.measures import (
    BINARY,
    PROBABILITY,
    Floats,
    Ints,
    binary_measures,
    confusion,
    probability_measures,
    regression_measures,
)

DRAWS_OF_COUNTS = 1000
DRAWS_OF_ROWS = 100
# Above this many rows fewer draws are made, so that a page never waits on them.
MAX_ROWS = 20_000


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
    tail = (1 - level) / 2 * 100
    between = (tail, 100 - tail)
    spread = {d.key: disparities.value(d, by_group, overall, method) for d in disparities.DISPARITIES[prediction_type]}
    return Intervals(
        draws=draws,
        overall={k: _pair(np.percentile(v, between)) for k, v in overall.items()},
        by_group={k: tuple(np.percentile(v, between, axis=0)) for k, v in by_group.items()},
        disparity={k: _pair(np.nanpercentile(v, between)) for k, v in spread.items() if not np.isnan(v).all()},
    )


def _pair(values: Floats) -> tuple[float, float]:
    return float(values[0]), float(values[1])


def _draw_counts(
    y_true: Floats, y_pred: Floats, groups: Ints, n_groups: int, rng: np.random.Generator
) -> tuple[dict[str, Floats], dict[str, Floats], int]:
    counts, span = confusion(y_true, y_pred, groups, n_groups)
    n = int(counts.sum())
    drawn = rng.multinomial(n, counts.ravel() / n, size=DRAWS_OF_COUNTS).reshape(DRAWS_OF_COUNTS, n_groups, 4)
    by_group, _ = binary_measures(drawn.astype(np.float64), span)
    overall, _ = binary_measures(drawn.sum(axis=1).astype(np.float64), span)
    return by_group, overall, DRAWS_OF_COUNTS


def _draw_rows(
    prediction_type: str, y_true: Floats, y_pred: Floats, groups: Ints, n_groups: int, rng: np.random.Generator
) -> tuple[dict[str, Floats], dict[str, Floats], int]:
    measures = probability_measures if prediction_type == PROBABILITY else regression_measures
    n = len(y_true)
    everything = np.zeros(n, dtype=np.int64)
    draws = DRAWS_OF_ROWS if n <= MAX_ROWS else max(20, DRAWS_OF_ROWS * MAX_ROWS // n)
    by_group: dict[str, list[Floats]] = {}
    overall: dict[str, list[float]] = {}
    for _ in range(draws):
        weights = np.bincount(rng.integers(0, n, n), minlength=n).astype(np.float64)
        for key, values in measures(y_true, y_pred, groups, n_groups, weights)[0].items():
            by_group.setdefault(key, []).append(values)
        for key, values in measures(y_true, y_pred, everything, 1, weights)[0].items():
            overall.setdefault(key, []).append(float(values[0]))
    return {k: np.stack(v) for k, v in by_group.items()}, {k: np.array(v) for k, v in overall.items()}, draws
