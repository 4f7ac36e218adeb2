"""Importance over rows: aggregates by cohort, distributions, one row's waterfall, and two explanations compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runs.insights.explanations.view import Floats, Ints, View

#: Rows from which a mean over a cohort is taken as it is; fewer are marked.
SMALL_COHORT = 30


def aggregate(view: View, rows: NDArray[np.bool_] | None = None, output: int | None = None) -> Floats:
    """Importance of each feature (features,): mean |local| over the rows, over all outputs or one.

    Without a cohort the uploaded global importance counts, when there is one: it was computed over all rows, and
    perhaps in another way (a glass box's, a permutation's).
    """
    if rows is None and output is None and view.overall is not None:
        return view.overall
    if rows is None and output is not None and view.per_class is not None:
        return view.per_class[output]
    if view.local is None:
        return view.overall if view.overall is not None else np.zeros(len(view.features))
    values = view.local if output is None else view.local[output : output + 1]
    if rows is not None:
        values = values[:, rows]
    if not values.shape[1]:
        return np.zeros(len(view.features))
    return np.abs(values).mean(axis=(0, 1))


def ranking(values: Floats) -> Ints:
    """Feature positions from the most important down; equal ones in the order of the features."""
    return np.argsort(-values, kind="stable")


@dataclass(frozen=True)
class Box:
    """The five numbers and the mean of a feature's importance over rows, for a table and a box."""

    feature: int
    low: float
    q1: float
    median: float
    q3: float
    high: float
    mean: float


def boxes(view: View, features: Ints, rows: NDArray[np.bool_] | None = None, output: int | None = None) -> list[Box]:
    """Distribution of the signed local importance of those features."""
    values = view.importance(output)[:, features]
    if rows is not None:
        values = values[rows]
    if not len(values):
        return []
    points = np.percentile(values, (0, 25, 50, 75, 100), axis=0)
    return [Box(int(f), *map(float, points[:, i]), mean=float(values[:, i].mean())) for i, f in enumerate(features)]  # type: ignore[misc]  # five quantiles, in the order of the fields


@dataclass(frozen=True)
class Step:
    """One bar of a waterfall: a feature, its value in that row, and what it adds."""

    label: str
    value: Any
    amount: float


@dataclass(frozen=True)
class Waterfall:
    """From the expected value over the steps to the output of one row: start + sum of amounts = end."""

    row: int
    start: float
    end: float
    steps: list[Step]


def waterfall(view: View, position: int, output: int | None = None, top: int = 10) -> Waterfall:
    """The `top` largest contributions of a row (its position in the view) and the rest as one step."""
    values = view.importance(output)[position]
    start = 0.0
    if view.expected is not None and len(view.expected):
        start = float(view.expected[min(len(view.expected) - 1, len(view.expected) - 1 if output is None else output)])
    order = np.argsort(-np.abs(values), kind="stable")
    steps = [
        Step(view.features[i], view.data[i][position] if i < len(view.data) else None, float(values[i]))
        for i in order[:top]
    ]
    rest = values[order[top:]]
    if len(rest):
        steps.append(Step(f"{len(rest)} other features", None, float(rest.sum())))
    return Waterfall(int(view.rows[position]), start, start + float(values.sum()), steps)


@dataclass(frozen=True)
class Shift:
    """A feature in two explanations: its ranks (1 the most important, None where it is absent) and shares."""

    feature: str
    rank_a: int | None
    rank_b: int | None
    share_a: float | None
    share_b: float | None

    @property
    def moved(self) -> int | None:
        """How many places it rose (positive) or fell."""
        return None if self.rank_a is None or self.rank_b is None else self.rank_a - self.rank_b


@dataclass(frozen=True)
class Comparison:
    """Two explanations side by side. spearman and kendall are over the shared features; None with fewer than two."""

    shifts: list[Shift]
    shared: int
    spearman: float | None
    kendall: float | None


def compare(a: dict[str, float], b: dict[str, float]) -> Comparison:
    """Compare two {feature: importance}. Rank correlation: Spearman's ρ and Kendall's τ-b, both with ties."""
    ranks_a, ranks_b = _ranks(a), _ranks(b)
    total_a, total_b = sum(map(abs, a.values())) or 1.0, sum(map(abs, b.values())) or 1.0
    shifts = [
        Shift(
            name,
            ranks_a.get(name),
            ranks_b.get(name),
            a[name] / total_a if name in a else None,
            b[name] / total_b if name in b else None,
        )
        for name in sorted(a.keys() | b.keys(), key=lambda n: (ranks_a.get(n, 10**9), ranks_b.get(n, 10**9)))
    ]
    shared = [n for n in a if n in b]
    x, y = np.array([a[n] for n in shared]), np.array([b[n] for n in shared])
    return Comparison(shifts, len(shared), spearman(x, y), kendall(x, y))


def _ranks(values: dict[str, float]) -> dict[str, int]:
    ordered = sorted(values, key=lambda n: -values[n])
    return {name: i + 1 for i, name in enumerate(ordered)}


def _mean_ranks(values: Floats) -> Floats:
    """Ranks from 1; equal values share the mean of theirs."""
    distinct, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2.0)[inverse] if len(distinct) else np.zeros(0)


def spearman(x: Floats, y: Floats) -> float | None:
    """Spearman's ρ: the correlation of the ranks; None when it is not defined."""
    if len(x) < 2:
        return None
    a, b = _mean_ranks(x), _mean_ranks(y)
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum() / size) if size else None


def kendall(x: Floats, y: Floats) -> float | None:
    """Kendall's τ-b: concordant less discordant pairs, over those not tied; None when it is not defined.

    Knight 1966 (JASA 61): sorted by x, the discordant pairs are the inversions of y.
    """
    n = len(x)
    if n < 2:
        return None
    a, b = np.unique(x, return_inverse=True)[1], np.unique(y, return_inverse=True)[1]
    order = np.lexsort((b, a))
    a, b = a[order], b[order]
    pairs, tied_x, tied_y = n * (n - 1) // 2, _ties(np.bincount(a)), _ties(np.bincount(b))
    both = _ties(np.unique(a * (int(b.max()) + 1) + b, return_counts=True)[1])
    # With ties of x in the order of y, an inversion of y is a pair in the other order, and nothing else is.
    agree = pairs - tied_x - tied_y + both - 2 * _inversions(b)
    size = float(np.sqrt(float(pairs - tied_x) * float(pairs - tied_y)))
    return agree / size if size else None


def _ties(counts: NDArray[np.int64]) -> int:
    """Pairs of equal values."""
    return int((counts * (counts - 1) // 2).sum())


def _inversions(values: NDArray[np.int64]) -> int:
    """Pairs (i < j) with values[i] > values[j], in n log n: bit by bit from the highest, as a radix sort meets them.

    Two values first differ in one bit; they are an inversion when the one with that bit comes first.
    """
    found, bits = 0, int(values.max()).bit_length()
    for bit in range(bits - 1, -1, -1):
        group, one = values >> (bit + 1), (values >> bit) & 1
        before = np.cumsum(one) - one  # ones before each place, in all groups
        starts = np.flatnonzero(np.r_[True, group[1:] != group[:-1]])
        base = np.repeat(before[starts], np.diff(np.r_[starts, len(values)]))
        found += int((before - base)[one == 0].sum())
        values = values[np.argsort(values >> bit, kind="stable")]
    return found
