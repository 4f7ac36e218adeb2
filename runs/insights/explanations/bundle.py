"""An uploaded explanation as files: which there are, and what each must be to be shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
import orjson

from runs.insights.explanations import arrays, tagged
from runs.insights.explanations.terms import Term, terms_of
from studio.errors import Invalid

FORMAT = 1
SOURCES = ("interpret-community", "interpret", "shap")
METADATA = "explanation_metadata.json"
MAX_METADATA = 1 << 20
MAX_FEATURES = 100_000
MAX_CLASSES = 1_000
#: Importance values of one row, over all features and classes: a page must be able to hold a few rows.
MAX_ROW_VALUES = 1_000_000
#: One array. All its values are looked at when it is registered.
MAX_ARRAY = 2 << 30
#: How many values, and how many rows, a page computes with; more are sampled, and the page says so.
PAGE_VALUES, PAGE_ROWS = 4_000_000, 100_000
NUMERIC = {
    "local_importance_values": (2, 3),
    "global_importance_values": (1,),
    "global_importance_rank": (1,),
    "per_class_values": (2,),
    "expected_values": (1, 2),
    "eval_y_predicted_proba": (1, 2),
    "visualization_indices": (1,),
}
#: Numbers or text, one for each row.
LABELS = ("eval_y_predicted", "true_ys")
#: What may not be NaN or infinite; the data itself may, since values can be missing.
FINITE = (
    "local_importance_values", "global_importance_values", "per_class_values", "expected_values",
    "eval_y_predicted", "eval_y_predicted_proba", "true_ys",
)  # fmt: skip


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
        self._read_before: dict[str, Any] = {}

    def _metadata(self) -> dict[str, Any]:
        try:
            meta = orjson.loads(self._read(METADATA, MAX_METADATA))
        except orjson.JSONDecodeError as error:
            raise Invalid(f"{METADATA} is not JSON: {error}.", field=METADATA) from None
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

    def _read(self, name: str, most: int) -> bytes:
        file = self.files.get(name)
        if file is None:
            raise Invalid(f"The explanation lacks the file {name}.", field=name)
        if file.size > most:
            raise Invalid(f"{name} takes {file.size >> 20} MB; at most {most >> 20} MB are read.", field=name)
        with file.open() as content:
            return content.read()

    def has(self, prop: str) -> bool:
        """Whether the property was uploaded."""
        return prop in self.meta["files"]

    def get(self, prop: str) -> Any:
        """A property: an array (mapped where it can be), sparse matrices, plain JSON, or None when absent."""
        if prop not in self._read_before:
            name = self.meta["files"].get(prop)
            self._read_before[prop] = None if name is None else self._value(prop, name)
        return self._read_before[prop]

    def _value(self, prop: str, name: str) -> Any:
        file = self.files[name]
        if name.endswith(".npy"):
            if file.size > MAX_ARRAY:
                raise Invalid(
                    f"'{prop}' takes {file.size >> 20} MB; upload at most {MAX_ARRAY >> 20} MB in one array: "
                    "fewer rows, or numbers of 32 bits.",
                    field=prop,
                )
            value = arrays.read_array(file.open(), file.size, name)
            most = NUMERIC.get(prop, (1, 2) if prop in LABELS else (1, 2, 3))
            if value.ndim not in most:
                raise Invalid(f"'{prop}' has {value.ndim} dimensions.", field=prop)
            return value
        if name.endswith(".npz"):
            if prop not in ("local_importance_values", "eval_data", "init_data"):
                raise Invalid(f"'{prop}' cannot be sparse.", field=prop)
            with file.open() as content:
                return arrays.read_sparse(content, file.size, name)
        plain = tagged.loads(self._read(name, tagged.MAX_BYTES), name)
        if prop in NUMERIC and plain is not None:
            raise Invalid(f"'{prop}' must hold numbers.", field=prop)
        if prop in LABELS and not (plain is None or (isinstance(plain, list) and all(map(_is_label, plain)))):
            raise Invalid(f"'{prop}' must be a list of numbers or text, one for each row.", field=prop)
        return plain

    def names(self, prop: str, length: int | None, word: str) -> list[str]:
        """A list of names as text; numbered ones when there is none. length None: as many as there are classes at most."""
        value = self.get(prop)
        if value is None:
            return [f"{word} {i}" for i in range(length or 0)]
        count = len(value) if isinstance(value, list) or getattr(value, "ndim", 0) == 1 else None
        if count is None or (length is not None and count != length) or (length is None and count > MAX_CLASSES):
            wanted = f"{length:,} things" if length is not None else f"at most {MAX_CLASSES:,} things"
            raise Invalid(
                f"'{prop}' must name {wanted}; it has {'no list' if count is None else f'{count:,}'}.", field=prop
            )
        listed = value.tolist() if isinstance(value, np.ndarray) else value
        if not all(map(_is_label, listed)):
            raise Invalid(f"'{prop}' must be a list of texts or numbers.", field=prop)
        return [text(v)[:256] for v in listed]

    def terms(self) -> list[Term]:
        """The shapes of a glass box, checked."""
        return terms_of(self.get("terms"))


def _is_label(value: Any) -> bool:
    return value is None or isinstance(value, (str, int, float))


def text(value: Any) -> str:
    """A text or number as text that a database can keep: without NUL and lone surrogates; anything else is no text."""
    if not isinstance(value, (str, int, float)):
        return ""
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
    features, rows, classes = _local_shape(bundle)
    overall = bundle.get("global_importance_values")
    if overall is not None:
        if features and len(overall) != features:
            raise Invalid(
                f"'global_importance_values' has {len(overall)} values for {features} features.",
                field="global_importance_values",
            )
        features = features or len(overall)
    if features > MAX_FEATURES or classes > MAX_CLASSES or features * max(1, classes) > MAX_ROW_VALUES:
        raise Invalid(
            f"An explanation may have {MAX_FEATURES:,} features, {MAX_CLASSES:,} classes, and {MAX_ROW_VALUES:,} "
            "importance values for one row at most; leave out features that hardly matter.",
            field="features",
        )
    _fits(bundle, features, rows, classes)
    bundle.terms()
    return Shape(features, rows, classes, overall is not None, bundle.has("local_importance_values"))


def _local_shape(bundle: Bundle) -> tuple[int, int, int]:
    """(features, rows, classes) of the local importance; zeros without one."""
    name = "local_importance_values"
    local = bundle.get(name)
    if local is None:
        return 0, 0, 0
    first = local[0] if isinstance(local, list) and local else local
    if isinstance(first, list) or 0 in first.shape:
        raise Invalid(f"'{name}' is empty.", field=name)
    if isinstance(local, list) and any(m.shape != first.shape for m in local):
        raise Invalid(f"'{name}' has matrices of different shapes.", field=name)
    rows, features = int(first.shape[-2]), int(first.shape[-1])
    outputs = len(local) if isinstance(local, list) or local.ndim == 3 else 1
    return features, rows, outputs if outputs > 1 or getattr(local, "ndim", 2) == 3 else 0


def check_values(bundle: Bundle) -> None:
    """Every number that must be finite is; Invalid says where the first is that is not."""
    for prop in FINITE:
        value = bundle.get(prop)
        parts = [m.data for m in value] if isinstance(value, list) and _sparse(value) else [value]
        for part in parts:
            place = arrays.not_finite(part) if isinstance(part, np.ndarray) else None
            if place is not None:
                where = ", ".join(map(str, place))
                raise Invalid(
                    f"'{prop}' is NaN or infinite at [{where}]; replace such values before the upload.", field=prop
                )


def _sparse(value: list[Any]) -> bool:
    return bool(value) and isinstance(value[0], arrays.Sparse)


def _fits(bundle: Bundle, features: int, rows: int, classes: int) -> None:
    """Everything that is there has the length that the importance values give it."""
    if features:
        bundle.names("features", features, "Feature")
    if bundle.has("classes"):
        bundle.names("classes", None, "Class")
    per_class = bundle.get("per_class_values")
    if per_class is not None and (per_class.shape[1] != features or (classes and len(per_class) != classes)):
        raise Invalid(
            f"'per_class_values' must be {classes or 'as many'} classes x {features} features.",
            field="per_class_values",
        )
    rank = bundle.get("global_importance_rank")
    if rank is not None and (len(rank) != features or not np.array_equal(np.sort(rank), np.arange(features))):
        raise Invalid(
            "'global_importance_rank' must name each feature's position once.", field="global_importance_rank"
        )
    expected = bundle.get("expected_values")
    # One for each output; one alone stands for all.
    if expected is not None and (expected.size > MAX_CLASSES or (classes > 1 and expected.size not in (1, classes))):
        raise Invalid(f"'expected_values' has {expected.size} values for {classes or 1} outputs.", "expected_values")
    if rows:
        _fit_rows(bundle, rows)


def _fit_rows(bundle: Bundle, rows: int) -> None:
    for prop in (*LABELS, "eval_y_predicted_proba", "eval_data"):
        value = bundle.get(prop)
        if value is None:
            continue
        length = value[0].shape[0] if isinstance(value, list) and _sparse(value) else _length(value)
        if length != rows:
            raise Invalid(f"'{prop}' has {length} rows for {rows} explained rows.", field=prop)
        width = value.size // rows if isinstance(value, np.ndarray) else 1
        if prop == "eval_y_predicted_proba" and width > MAX_CLASSES:
            raise Invalid(f"'{prop}' has more than {MAX_CLASSES:,} columns.", field=prop)
    points = bundle.get("visualization_indices")
    if points is None or not len(points):
        return
    if points.dtype.kind not in "iu" or not 0 <= int(points.min()) <= int(points.max()) < rows:
        raise Invalid(
            f"'visualization_indices' must be whole numbers from 0 to {rows - 1}.", field="visualization_indices"
        )


def _length(value: Any) -> int | str:
    return len(value) if isinstance(value, (list, np.ndarray)) else "no"
