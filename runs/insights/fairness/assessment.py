"""A dashboard dictionary opened for reading: groups, measures, disparities, the picture of many models."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

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


@dataclass(frozen=True)
class Groups:
    """The groups of one feature, or of several crossed: labels, and each row's place in them."""

    title: str
    labels: list[str]
    codes: Ints


class Dashboard:
    """A checked dictionary as arrays. Everything is computed from truth, predictions and groups."""

    def __init__(self, dictionary: dict[str, Any]) -> None:
        self.dictionary = dictionary
        self.prediction_type: str = dictionary["predictionType"]
        self.model_names: list[str] = dictionary["modelNames"]
        self.truth: Floats = np.asarray(dictionary["trueY"], dtype=np.float64)
        self._kept: dict[Any, Any] = {}

    @property
    def feature_names(self) -> list[str]:
        """The sensitive features in the order of the dictionary."""
        return [b["featureBinName"] for b in self.dictionary["precomputedFeatureBins"]]

    def predicted(self, model: int) -> Floats:
        """(n,) predictions of a model."""
        key = ("predicted", model)
        if key not in self._kept:
            self._kept[key] = np.asarray(self.dictionary["predictedY"][model], dtype=np.float64)
        return self._kept[key]

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
        key = ("groups", features)
        if key not in self._kept:
            self._kept[key] = self._groups(features)
        return self._kept[key]

    def _groups(self, features: tuple[int, ...]) -> Groups:
        if len(features) > MAX_INTERSECTION:
            raise Invalid(f"At most {MAX_INTERSECTION} features can be crossed.")
        bins = [self.dictionary["precomputedFeatureBins"][f] for f in features]
        if len(bins) == 1:
            return Groups(
                bins[0]["featureBinName"], list(bins[0]["binLabels"]), np.asarray(bins[0]["binVector"], dtype=np.int64)
            )
        codes = np.stack([np.asarray(b["binVector"], dtype=np.int64) for b in bins], axis=1)
        distinct, inverse = np.unique(codes, axis=0, return_inverse=True)
        if len(distinct) > MAX_GROUPS_SHOWN:
            raise Invalid(f"These features cross into {len(distinct)} groups; at most {MAX_GROUPS_SHOWN} can be shown.")
        labels = [" · ".join(b["binLabels"][c] for b, c in zip(bins, row, strict=True)) for row in distinct.tolist()]
        return Groups(" x ".join(b["featureBinName"] for b in bins), labels, inverse.ravel())

    def computed(self, model: int, features: tuple[int, ...], threshold: float | None = None) -> Grouped:
        """The measures of a model over groups; with a threshold those of the classes that probabilities make."""
        key = ("computed", model, features, threshold)
        if key not in self._kept:
            found = self.groups(features)
            kind, predicted = self.at(model, threshold)
            self._kept[key] = grouped(kind, self.truth, predicted, found.codes, len(found.labels))
        return self._kept[key]

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
        key = ("intervals", model, features, threshold, method)
        if key not in self._kept:
            found = self.groups(features)
            kind, predicted = self.at(model, threshold)
            self._kept[key] = bootstrap.intervals(kind, self.truth, predicted, found.codes, len(found.labels), method)
        return self._kept[key]

    def spread(self, metric: disparities.Disparity, found: Grouped, method: str = "between_groups") -> float | None:
        """A disparity over groups that have rows; None when it is 0/0."""
        used = found.counts > 0
        by_group = {k: v[used] for k, v in found.by_group.items()}
        value = float(disparities.value(metric, by_group, found.overall, method))
        return value if np.isfinite(value) else None

    @cached_property
    def differs(self) -> list[str]:
        """Uploaded metrics that are not what truth and predictions give, as sentences; the first few."""
        found: list[str] = []
        for f, per_model in enumerate(self.dictionary["precomputedMetrics"]):
            for m, cell in enumerate(per_model):
                ours = self.computed(m, (f,))
                for key, entry in cell.items():
                    if key == "count" or key not in ours.overall:
                        continue
                    far = abs(entry["global"] - ours.overall[key]) > TOLERANCE or not np.allclose(
                        entry["bins"], ours.by_group[key], atol=TOLERANCE, rtol=0
                    )
                    if far:
                        found.append(f"{key} of {self.model_names[m]} by {self.feature_names[f]}")
                    if len(found) >= 5:
                        return found
        return found


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
