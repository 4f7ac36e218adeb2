"""A dashboard dictionary opened for reading: groups, measures, disparities, the picture of many models."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from runs.insights.fairness import bootstrap
from runs.insights.fairness import disparity as disparities
from runs.insights.fairness.measures import BINARY, PROBABILITY, Floats, Grouped, Ints, grouped
from studio.errors import Invalid, NotFound

#: Groups with fewer rows than this are marked: a rate of theirs moves by more than three points with one row.
SMALL_GROUP = 30
MAX_INTERSECTION = 3
MAX_GROUPS_SHOWN = 200
#: How far an uploaded number may lie from ours before the page says so.
TOLERANCE = 1e-6
#: Rows that are looked at when uploaded numbers are compared with ours, over all models and features.
COMPARED_ROWS = 20_000_000
#: What comparing a cell costs at least, in rows.
LEAST_ROWS = 5_000
MAX_DIFFERENCES = 3
#: Results that an opened dashboard remembers.
KEPT = 64

T = TypeVar("T")


@dataclass(frozen=True)
class Groups:
    """The groups of one feature, or of several crossed: labels, and each row's place in them."""

    title: str
    labels: list[str]
    codes: Ints


class Dashboard:
    """A checked dictionary as arrays. Everything is computed from truth, predictions and groups.

    The dictionary itself is not kept: as arrays it takes a tenth of the memory.
    """

    def __init__(self, dictionary: dict[str, Any]) -> None:
        self.prediction_type: str = dictionary["predictionType"]
        self.model_names: list[str] = dictionary["modelNames"]
        self.truth: Floats = np.asarray(dictionary["trueY"], dtype=np.float64)
        bins = dictionary["precomputedFeatureBins"]
        self.feature_names: list[str] = [b["featureBinName"] for b in bins]
        self._single = [
            Groups(b["featureBinName"], b["binLabels"], np.asarray(b["binVector"], dtype=np.int16)) for b in bins
        ]
        stored = np.int8 if self.prediction_type == BINARY else np.float64
        self._predicted = [np.asarray(p, dtype=stored) for p in dictionary["predictedY"]]
        self._kept: dict[Any, Any] = {}
        self._lock = threading.Lock()

    def _once(self, key: Any, make: Callable[[], T]) -> T:
        """What was made for the key before, as long as it is among the last ones."""
        found = self._kept.get(key)
        if found is None:
            found = make()
            with self._lock:
                while len(self._kept) >= KEPT:
                    del self._kept[next(iter(self._kept))]
                self._kept[key] = found
        return found

    def predicted(self, model: int) -> Floats:
        """(n,) predictions of a model."""
        return self._predicted[model].astype(np.float64, copy=False)

    def feature(self, name: str | None) -> int:
        """The position of a feature; the first for None."""
        if not name:
            return 0
        if name not in self.feature_names:
            raise NotFound(f"This dashboard has no sensitive feature {name[:80]!r}.")
        return self.feature_names.index(name)

    def model(self, name: str | None) -> int:
        """The position of a model; the first for None."""
        if not name:
            return 0
        if name not in self.model_names:
            raise NotFound(f"This dashboard has no model {name[:80]!r}.")
        return self.model_names.index(name)

    def groups(self, features: tuple[int, ...]) -> Groups:
        """The groups of a feature, or those that occur when several are crossed."""
        if len(features) == 1:
            return self._single[features[0]]
        return self._once(("groups", features), lambda: self._crossed(features))

    def _crossed(self, features: tuple[int, ...]) -> Groups:
        if len(features) > MAX_INTERSECTION:
            raise Invalid(f"At most {MAX_INTERSECTION} features can be crossed.")
        single = [self._single[f] for f in features]
        distinct, inverse = np.unique(np.stack([one.codes for one in single], axis=1), axis=0, return_inverse=True)
        if len(distinct) > MAX_GROUPS_SHOWN:
            raise Invalid(f"These features cross into {len(distinct)} groups; at most {MAX_GROUPS_SHOWN} can be shown.")
        labels = [" · ".join(one.labels[c] for one, c in zip(single, row, strict=True)) for row in distinct.tolist()]
        return Groups(" x ".join(one.title for one in single), labels, inverse.ravel().astype(np.int16))

    def computed(self, model: int, features: tuple[int, ...], threshold: float | None = None) -> Grouped:
        """The measures of a model over groups; with a threshold those of the classes that probabilities make."""

        def make() -> Grouped:
            found = self.groups(features)
            kind, predicted = self.at(model, threshold)
            return grouped(kind, self.truth, predicted, found.codes, len(found.labels))

        return self._once(("computed", model, features, threshold), make)

    def at(self, model: int, threshold: float | None) -> tuple[str, Floats]:
        """(prediction type, predictions), probabilities cut into classes where a threshold is given."""
        predicted = self.predicted(model)
        if threshold is None or self.prediction_type != PROBABILITY:
            return self.prediction_type, predicted
        return BINARY, (predicted >= threshold).astype(np.float64)

    def intervals(
        self, model: int, features: tuple[int, ...], threshold: float | None, method: str
    ) -> bootstrap.Intervals:
        """95 % bootstrap intervals, the same each time."""

        def make() -> bootstrap.Intervals:
            found = self.groups(features)
            kind, predicted = self.at(model, threshold)
            return bootstrap.intervals(kind, self.truth, predicted, found.codes, len(found.labels), method)

        return self._once(("intervals", model, features, threshold, method), make)

    def spread(self, metric: disparities.Disparity, found: Grouped, method: str = "between_groups") -> float | None:
        """A disparity over groups that have rows; None when it is 0/0."""
        value = float(disparities.value(metric, with_rows(found), found.overall, method))
        return value if np.isfinite(value) else None


def with_rows(found: Grouped) -> dict[str, Floats]:
    """Measures by group, NaN for the groups without rows."""
    return {key: np.where(found.counts > 0, values, np.nan) for key, values in found.by_group.items()}


def differences(dictionary: dict[str, Any], opened: Dashboard) -> dict[int, list[str]]:
    """{model: ["metric by feature", …]} for uploaded metrics that are not what truth and predictions give.

    The first few of each model. Of a dashboard with very many cells the first ones are compared.
    """
    wrong: dict[int, list[str]] = {}
    left = COMPARED_ROWS
    for f, per_model in enumerate(dictionary["precomputedMetrics"]):
        for m, cell in enumerate(per_model):
            if not cell or len(wrong.get(m, ())) >= MAX_DIFFERENCES:
                continue
            left -= max(len(opened.truth), LEAST_ROWS)
            if left < 0:
                return wrong
            ours = opened.computed(m, (f,))
            far = [f"{key} by {opened.feature_names[f]}" for key, entry in cell.items() if _differs(key, entry, ours)]
            if far:
                wrong[m] = [*wrong.get(m, ()), *far][:MAX_DIFFERENCES]
    return wrong


def _differs(key: str, entry: dict[str, Any], ours: Grouped) -> bool:
    if key == "count":
        return entry["global"] != ours.counts.sum() or entry["bins"] != ours.counts.tolist()
    near = abs(entry["global"] - ours.overall[key]) <= TOLERANCE * max(1.0, abs(ours.overall[key]))
    return not near or not np.allclose(entry["bins"], ours.by_group[key], atol=TOLERANCE, rtol=TOLERANCE)


def pareto(x: list[float | None], y: list[float | None], x_better: str, y_better: str) -> list[int]:
    """The points that no other one beats in both values at once, from left to right."""
    sign_x, sign_y = (-1 if x_better == "low" else 1), (-1 if y_better == "low" else 1)
    points = [
        (sign_x * a, sign_y * b, i)
        for i, (a, b) in enumerate(zip(x, y, strict=True))
        if a is not None and b is not None
    ]
    best: list[int] = []
    highest = -np.inf
    for _, b, i in sorted(points, key=lambda p: (-p[0], -p[1])):
        if b > highest:
            best.append(i)
            highest = b
    return sorted(best, key=lambda i: x[i] or 0.0)


def warnings(groups: Groups, found: Grouped, key: str) -> list[str]:
    """What a reader must know before trusting the groups' values, as sentences."""
    notes = []
    small = [g for g, n in zip(groups.labels, found.counts, strict=True) if 0 < n < SMALL_GROUP]
    if small:
        notes.append(f"Fewer than {SMALL_GROUP} rows in {_listed(small)}: one row moves a rate there by more than 3 %.")
    nothing = found.undefined.get(key, np.zeros(len(groups.labels), dtype=bool))
    undefined = [g for g, u in zip(groups.labels, nothing, strict=True) if u]
    if undefined:
        notes.append(f"Not defined in {_listed(undefined)} (nothing to divide by); shown as 0, as fairlearn does.")
    return notes


def _listed(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def quantiles(values: Floats, groups: Groups) -> list[list[float] | None]:
    """Minimum, quartiles and maximum of values in each group; None for a group without rows."""
    result: list[list[float] | None] = []
    for g in range(len(groups.labels)):
        inside: NDArray[np.float64] = values[groups.codes == g]
        result.append(np.percentile(inside, (0, 25, 50, 75, 100)).tolist() if len(inside) else None)
    return result
