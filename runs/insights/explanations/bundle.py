"""An uploaded explanation as files: which there are, and what each must be to be shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
import orjson

from runs.insights.explanations import arrays
from studio.errors import Invalid

FORMAT = 1
SOURCES = ("interpret-community", "interpret", "shap")
METADATA = "explanation_metadata.json"
MAX_JSON = 64 << 20
MAX_METADATA = 1 << 20
MAX_FEATURES = 100_000
MAX_CLASSES = 1_000
#: How many importance values a page computes with; more rows than fit are sampled, and the page says so.
PAGE_VALUES = 4_000_000
NUMERIC = {
    "local_importance_values": (2, 3),
    "global_importance_values": (1,),
    "global_importance_rank": (1,),
    "per_class_values": (2,),
    "expected_values": (1, 2),
    "eval_y_predicted": (1, 2),
    "eval_y_predicted_proba": (1, 2),
    "visualization_indices": (1,),
}


@dataclass(frozen=True)
class File:
    """One file of the bundle."""

    size: int
    open: Callable[[], IO[bytes]]


class Bundle:
    """The files of one explanation by name, its metadata read and checked."""

    def __init__(self, files: dict[str, File]) -> None:
        self.files = files
        self.meta = self._metadata()

    def _metadata(self) -> dict[str, Any]:
        meta = self._json(METADATA, MAX_METADATA)
        if not isinstance(meta, dict) or meta.get("format") != FORMAT:
            raise Invalid(f"{METADATA} must be an object with the format {FORMAT}.", field=METADATA)
        if meta.get("source") not in SOURCES:
            raise Invalid(f"The source of an explanation is one of {', '.join(SOURCES)}.", field="source")
        named = meta.get("files")
        if not isinstance(named, dict):
            raise Invalid(f"{METADATA} names no files.", field="files")
        for prop, name in named.items():
            if not isinstance(name, str) or name not in self.files:
                raise Invalid(f"The file of '{str(prop)[:80]}' was not uploaded.", field=str(prop)[:80])
        return meta

    def _json(self, name: str, most: int) -> Any:
        file = self.files.get(name)
        if file is None:
            raise Invalid(f"The explanation lacks the file {name}.", field=name)
        if file.size > most:
            raise Invalid(f"{name} takes {file.size >> 20} MB; at most {most >> 20} MB are read.", field=name)
        with file.open() as content:
            try:
                return orjson.loads(content.read())
            except orjson.JSONDecodeError as error:
                raise Invalid(f"{name} is not JSON: {error}.", field=name) from None

    def has(self, prop: str) -> bool:
        """Whether the property was uploaded."""
        return prop in self.meta["files"]

    def get(self, prop: str) -> Any:
        """A property: an array (mapped where it can be), sparse matrices, plain JSON, or None when absent."""
        name = self.meta["files"].get(prop)
        if name is None:
            return None
        file = self.files[name]
        if name.endswith(".npy"):
            value = arrays.read_array(file.open(), file.size, name)
            if prop in NUMERIC and value.ndim not in NUMERIC[prop]:
                raise Invalid(f"'{prop}' has {value.ndim} dimensions.", field=prop)
            return value
        if name.endswith(".npz"):
            with file.open() as content:
                return arrays.read_sparse(content, file.size, name)
        value = arrays.plain(self._json(name, MAX_JSON))
        if prop in NUMERIC and value is not None:
            raise Invalid(f"'{prop}' must hold numbers.", field=prop)
        return value

    def names(self, prop: str, length: int | None, word: str) -> list[str]:
        """A list of names as text; numbered ones when there is none."""
        value = self.get(prop)
        if isinstance(value, np.ndarray):
            value = value.tolist()
        if value is None:
            return [f"{word} {i}" for i in range(length or 0)]
        if not isinstance(value, list) or (length is not None and len(value) != length):
            got = len(value) if isinstance(value, list) else "no list"
            raise Invalid(f"'{prop}' must name {length} things; it has {got}.", field=prop)
        return [text(v)[:256] for v in value]


def text(value: Any) -> str:
    """Any value as text that a database can keep: without NUL and lone surrogates."""
    return str(value).replace("\x00", "").encode("utf-8", "replace").decode()


@dataclass(frozen=True)
class Shape:
    """How much an explanation holds. classes 0: one output without classes."""

    features: int
    rows: int
    classes: int
    is_global: bool
    is_local: bool


def shape_of(bundle: Bundle) -> Shape:
    """The size of everything, checked to fit together; Invalid names what does not."""
    local, overall = bundle.get("local_importance_values"), bundle.get("global_importance_values")
    features = rows = classes = 0
    if local is not None:
        first = local[0] if isinstance(local, list) and local else local
        if not isinstance(first, (np.ndarray, arrays.Sparse)):
            raise Invalid("'local_importance_values' is empty.", field="local_importance_values")
        rows, features = int(first.shape[-2]), int(first.shape[-1])
        classes = (
            len(local)
            if isinstance(local, list) and len(local) > 1
            else local.shape[0]
            if getattr(local, "ndim", 2) == 3
            else 0
        )
        if isinstance(local, list) and any(m.shape != first.shape for m in local):
            raise Invalid(
                "'local_importance_values' has matrices of different shapes.", field="local_importance_values"
            )
    if overall is not None:
        if local is not None and len(overall) != features:
            raise Invalid(
                f"'global_importance_values' has {len(overall)} values for {features} features.",
                field="global_importance_values",
            )
        features = features or len(overall)
    if features > MAX_FEATURES or classes > MAX_CLASSES:
        raise Invalid(
            f"An explanation may have {MAX_FEATURES:,} features and {MAX_CLASSES:,} classes at most.", field="features"
        )
    _fits(bundle, features, rows, classes)
    return Shape(features, rows, classes, overall is not None, local is not None)


def _fits(bundle: Bundle, features: int, rows: int, classes: int) -> None:
    """Everything that is there has the length that the importance values give it."""
    if features:
        bundle.names("features", features, "Feature")
    per_class = bundle.get("per_class_values")
    if per_class is not None and (per_class.shape[1] != features or (classes and len(per_class) != classes)):
        raise Invalid(f"'per_class_values' must be {classes} classes x {features} features.", field="per_class_values")
    rank = bundle.get("global_importance_rank")
    if rank is not None and sorted(np.asarray(rank).tolist()) != list(range(features)):
        raise Invalid(
            "'global_importance_rank' must name each feature's position once.", field="global_importance_rank"
        )
    if not rows:
        return
    for prop in ("eval_y_predicted", "eval_y_predicted_proba", "true_ys", "eval_data"):
        value = bundle.get(prop)
        if value is None:
            continue
        length = (
            value[0].shape[0]
            if isinstance(value, list) and value and isinstance(value[0], arrays.Sparse)
            else len(value)
        )
        if length != rows:
            raise Invalid(f"'{prop}' has {length} rows for {rows} explained rows.", field=prop)
    points = bundle.get("visualization_indices")
    if points is not None and len(points) and not (0 <= int(points.min()) <= int(points.max()) < rows):
        raise Invalid(f"'visualization_indices' must lie from 0 to {rows - 1}.", field="visualization_indices")
