"""An explanation as a page reads it: plain arrays over the rows it computes with."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runs.insights.explanations.arrays import Sparse
from runs.insights.explanations.bundle import PAGE_ROWS, PAGE_VALUES, Bundle, Shape, shape_of, text
from runs.insights.explanations.terms import Term
from studio.errors import Invalid, NotFound

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass
class View:
    """One explanation. `rows` are the positions (in the upload) of the n rows here; `total` is how many there were.

    local: (outputs, n, features) or None; overall: (features,) or None; expected: (outputs,) or None.
    data: a column for each feature, numbers or text; truth, predicted: (n,) numbers or text, or None.
    """

    source: str
    method: str
    task: str
    features: list[str]
    classes: list[str]
    rows: Ints
    total: int
    local: Floats | None = None
    overall: Floats | None = None
    per_class: Floats | None = None
    expected: Floats | None = None
    data: list[NDArray[Any]] = field(default_factory=list)
    truth: NDArray[Any] | None = None
    predicted: NDArray[Any] | None = None
    probabilities: Floats | None = None
    terms: list[Term] = field(default_factory=list)

    @property
    def sampled(self) -> bool:
        """Whether there were more rows than a page computes with."""
        return len(self.rows) < self.total

    @property
    def is_classification(self) -> bool:
        """Whether predictions are classes."""
        return self.task == "classification" or self.probabilities is not None or len(self.classes) > 1

    def output(self, name: str | None) -> int | None:
        """The position of a class by name; None for all classes together."""
        if not name or self.local is None or len(self.local) == 1:
            return None
        if name not in self.classes:
            raise NotFound(f"This explanation has no class {name[:80]!r}.")
        return self.classes.index(name)

    def importance(self, output: int | None) -> Floats:
        """Signed local importance (n, features) of one output; of several together the last one's (the positive class)."""
        if self.local is None:
            raise Invalid("This explanation has no importance of single rows; upload a local one.")
        return self.local[-1 if output is None else output]

    @cached_property
    def error(self) -> Floats | None:
        """Prediction − truth for values, 1 where the class is wrong and else 0; None without truth or prediction."""
        if self.truth is None or self.predicted is None:
            return None
        if self.is_classification or self.truth.dtype.kind not in "biuf" or self.predicted.dtype.kind not in "biuf":
            return np.asarray(self._labels(self.truth) != self._labels(self.predicted), dtype=np.float64)
        return self.predicted.astype(np.float64) - self.truth.astype(np.float64)

    def _labels(self, values: NDArray[Any]) -> NDArray[Any]:
        """Labels on one scale: a number that is a class's position stands for its name when the other side has names."""
        if values.dtype.kind in "biuf":
            return (
                np.array([f"{v:g}" for v in values.astype(np.float64)], dtype=object)
                if not self._named
                else np.array(
                    [self.classes[int(v)] if 0 <= v < len(self.classes) else f"{v:g}" for v in values], dtype=object
                )
            )
        return values.astype(str).astype(object)

    @cached_property
    def _named(self) -> bool:
        kinds = {v.dtype.kind in "biuf" for v in (self.truth, self.predicted) if v is not None}
        return kinds == {True, False} and bool(self.classes)

    def positive(self) -> tuple[Floats, Floats] | None:
        """(truth, prediction) as 0/1 for two classes, 1 being the second; None for anything else."""
        if self.truth is None or self.predicted is None or not self.is_classification:
            return None
        truth, predicted = self._labels(self.truth), self._labels(self.predicted)
        known = sorted(set(truth) | set(predicted))
        if len(known) > 2:
            return None
        order = [c for c in self.classes if c in known] if set(known) <= set(self.classes) else known
        last = "1" if known in (["0", "1"], ["1"]) else order[-1]
        if self.classes and set(known) <= {str(i) for i in range(len(self.classes))}:
            last = "1"
        return np.asarray(truth == last, dtype=np.float64), np.asarray(predicted == last, dtype=np.float64)

    def columns(self) -> list[tuple[str, str]]:
        """(key, label) of everything that rows can be drawn, coloured or filtered by, except importance."""
        found = [(f"f{i}", name) for i, name in enumerate(self.features[: len(self.data)])]
        if self.predicted is not None:
            found.append(("prediction", "Prediction"))
        if self.probabilities is not None:
            found.append(("probability", f"Probability of {self.classes[-1] if self.classes else 'the last class'}"))
        if self.truth is not None:
            found.append(("truth", "Truth"))
        if self.error is not None:
            found.append(
                ("error", "Wrong (1) or right (0)" if self.is_classification else "Error (prediction − truth)")
            )
        found.append(("row", "Row"))
        return found

    def column(self, key: str, output: int | None = None) -> tuple[str, NDArray[Any]]:
        """(label, values of the n rows) of a key of `columns`, or "i<feature>" for the importance of a feature."""
        if key[:1] in "fi" and key[1:].isdigit():
            i = int(key[1:])
            if key[0] == "f" and i < len(self.data):
                return self.features[i], self.data[i]
            if key[0] == "i" and i < len(self.features) and self.local is not None:
                return f"Importance of {self.features[i]}", self.importance(output)[:, i]
        labels = dict(self.columns())
        values: dict[str, NDArray[Any] | None] = {
            "prediction": self.predicted,
            "truth": self.truth,
            "error": self.error,
            "row": self.rows,
            "probability": None if self.probabilities is None else self.probabilities[:, -1],
        }
        found = values.get(key)
        if found is None:
            raise NotFound(f"This explanation has no column {key[:80]!r}.")
        return labels[key], found

    def shown(self, key: str, output: int | None = None) -> tuple[str, NDArray[Any]]:
        """The same as people read it: classes by their names, and whether a prediction is right in words."""
        label, values = self.column(key, output)
        if key in ("prediction", "truth"):
            return label, self._class_names(values)
        if key == "error" and self.is_classification:
            return "Wrong or right", np.where(values != 0, "wrong", "right").astype(object)
        return label, values

    def _class_names(self, values: NDArray[Any]) -> NDArray[Any]:
        """Names for numbers that are positions of classes. Numbers that are names themselves, or neither, stay."""
        if not self.is_classification or not self.classes or values.dtype.kind not in "biuf":
            return values
        numbers = values.astype(np.float64)
        if not np.all(np.isin(numbers, np.arange(len(self.classes)))) or {f"{v:g}" for v in numbers} <= set(
            self.classes
        ):
            return values
        return np.array([self.classes[int(v)] for v in numbers], dtype=object)

    @cached_property
    def worst_first(self) -> Ints:
        """Positions of the rows by how far off the model is: wrong classes first, those it was surest of before others."""
        if self.error is None:
            return np.arange(len(self.rows))
        off = np.abs(self.error)
        if self.is_classification and self.probabilities is not None:
            # Of the wrong ones: how sure it was of the class that it said.
            off = np.where(off > 0, off + np.nan_to_num(self.probabilities.max(axis=1)), 0.0)
        return np.argsort(-np.nan_to_num(off, nan=-1.0), kind="stable")


def load(bundle: Bundle, most: int = PAGE_VALUES) -> View:
    """Read the bundle, sampling rows (always the same ones) so that at most `most` importance values are held."""
    shape = shape_of(bundle)
    data, probabilities = bundle.get("eval_data"), bundle.get("eval_y_predicted_proba")
    rows = _sample(shape, _width(data) + _width(probabilities), most)
    local = _local(bundle.get("local_importance_values"), rows)
    outputs = 0 if local is None else len(local)
    meta = bundle.meta
    names = bundle.names("classes", None, "Class") if bundle.has("classes") else []
    classes = names if outputs in (0, 1) or len(names) == outputs else [f"Class {i}" for i in range(outputs)]
    expected = bundle.get("expected_values")
    overall = bundle.get("global_importance_values")
    per_class = bundle.get("per_class_values")
    return View(
        source=meta["source"],
        method=text(meta.get("method") or ""),
        task=str(meta.get("model_task") or "unknown"),
        features=bundle.names("features", shape.features, "Feature"),
        classes=classes,
        rows=rows,
        total=shape.rows,
        local=local,
        overall=None if overall is None else np.asarray(overall, dtype=np.float64),
        per_class=None if per_class is None else np.asarray(per_class, dtype=np.float64),
        expected=None if expected is None else np.ravel(np.asarray(expected, dtype=np.float64)),
        data=_columns(data, rows, shape.features),
        truth=_labels(bundle.get("true_ys"), rows),
        predicted=_labels(bundle.get("eval_y_predicted"), rows),
        probabilities=_matrix(probabilities, rows),
        terms=bundle.terms(),
    )


def _width(value: Any) -> int:
    """Values of one row."""
    if isinstance(value, np.ndarray):
        return max(1, value.size // max(1, len(value)))
    return value[0].shape[1] if isinstance(value, list) and value and isinstance(value[0], Sparse) else 0


def _sample(shape: Shape, more: int, most: int) -> Ints:
    """Which rows a page computes with: all, or as many as fit with `more` values beside the importance of each."""
    per_row = max(1, shape.features * max(1, shape.classes), more)
    fit = min(PAGE_ROWS, max(1, most // per_row))
    if shape.rows <= fit:
        return np.arange(shape.rows)
    return np.sort(np.random.default_rng(0).choice(shape.rows, size=fit, replace=False))


def _take(values: NDArray[Any], rows: Ints) -> NDArray[Any]:
    return np.asarray(values if len(rows) == len(values) else values[rows])


def _local(value: Any, rows: Ints) -> Floats | None:
    if value is None:
        return None
    if isinstance(value, list):
        return np.stack([matrix.rows(rows) for matrix in value])
    if value.ndim == 2:
        return _take(value, rows)[None].astype(np.float64, copy=False)
    return np.stack([_take(one, rows) for one in value]).astype(np.float64, copy=False)


def _columns(value: Any, rows: Ints, features: int) -> list[NDArray[Any]]:
    """A column for each feature; none when the data has another width: it is then of other features."""
    if value is None or not len(rows):
        return []
    if isinstance(value, list) and value and isinstance(value[0], Sparse):
        return list(value[0].rows(rows).T) if value[0].shape[1] == features else []
    if isinstance(value, np.ndarray):
        return list(_take(value, rows).T) if value.ndim == 2 and value.shape[1] == features else []
    if not isinstance(value, list) or not all(isinstance(r, list) and len(r) == features for r in value):
        return []
    return [_typed([value[r][c] for r in rows.tolist()]) for c in range(features)]


def _typed(values: list[Any]) -> NDArray[Any]:
    """Numbers where all are, else text; what is missing is NaN or empty."""
    if all(v is None or (isinstance(v, (int, float)) and not isinstance(v, bool)) for v in values):
        return np.array([np.nan if v is None else float(v) for v in values])
    return np.array(["" if v is None else text(v)[:200] for v in values], dtype=object)


def _labels(value: Any, rows: Ints) -> NDArray[Any] | None:
    if value is None or not len(rows):
        return None
    if isinstance(value, np.ndarray):
        return np.ravel(_take(value, rows)) if value.size == len(value) else None
    return _typed([value[r] for r in rows.tolist()])


def _matrix(value: Any, rows: Ints) -> Floats | None:
    if not isinstance(value, np.ndarray) or not len(rows):
        return None
    chosen = _take(value, rows).astype(np.float64)
    return chosen if chosen.ndim == 2 else np.stack([1 - chosen, chosen], axis=1)
