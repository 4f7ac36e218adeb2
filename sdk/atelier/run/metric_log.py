"""The logging calls of a run. Where the values go (a server, or a terminal without one) is the subclass's affair."""

from __future__ import annotations

import io
import json
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from atelier.errors import UserError
from atelier.values import NAME_LENGTH, check_name, columns, scalar, several

#: A longer list or table is sent in pieces of this many values.
PIECE = 10_000
CHART_KEYS = {
    "confusion_matrix": ("class_labels", "matrix"),
    "accuracy_table": ("probability_tables", "percentile_tables", "probability_thresholds", "percentile_thresholds",
                       "class_labels"),
    "residuals": ("bin_edges", "bin_counts"),
    "predictions": ("bin_averages", "bin_errors", "bin_counts", "bin_edges"),
}  # fmt: skip


class MetricLogging(ABC):
    """`log` and its family; a subclass says where a value and a file go (`_record`, `_attach`)."""

    @abstractmethod
    def _record(self, kind: str, name: str, value: Any, step: int | None = None) -> None:
        """Take a value: plain, checked, of one kind of the wire."""

    @abstractmethod
    def _attach(self, kind: str, name: str, file_name: str, content: bytes) -> None:
        """Take a file that is a metric's value."""

    def log(self, name: str, value: Any, description: str = "", step: int | None = None) -> None:
        """Log one value: a number, text or a boolean; numpy and torch scalars give up their item.

        The same name again makes a series; `step` is its x value. Costs a few microseconds: values are sent in the
        background. `description` is accepted for scripts of the v1 SDK and not kept.
        """
        if type(name) is not str or not name or len(name) > NAME_LENGTH:
            check_name(name)
        if type(value) is not float:
            value = scalar(value, name)
        if step is not None and type(step) is not int:
            step = _step(step)
        self._record("scalar", name, value, step)

    def log_list(self, name: str, value: Any, description: str = "") -> None:
        """Log a list (tuple, array, tensor, series) of values under one name; again appends."""
        check_name(name)
        values = several(value, name)
        for start in range(0, len(values) or 1, PIECE):
            self._record("list", name, values[start : start + PIECE])

    def log_row(self, name: str, description: str | None = None, **kwargs: Any) -> None:
        """Log one row of a table: a keyword argument per column. Rows of the same name make the table."""
        check_name(name)
        if not kwargs:
            raise UserError(f"log_row({name!r}) needs at least one column, for example log_row({name!r}, x=1, y=2).")
        for column in kwargs:
            check_name(column)
        self._record("row", name, {column: scalar(cell, name) for column, cell in kwargs.items()})

    def log_table(self, name: str, value: Any, description: str = "") -> None:
        """Log a table: {column: [values]} with columns of one length, or a data frame."""
        check_name(name)
        table = columns(value, name)
        rows = len(next(iter(table.values())))
        piece = max(1, PIECE // len(table))
        for start in range(0, rows or 1, piece):
            self._record("table", name, {column: cells[start : start + piece] for column, cells in table.items()})

    def log_image(self, name: str, path: str | None = None, plot: Any = None, description: str = "") -> None:
        """Log an image: the file at `path`, or `plot`: matplotlib's pyplot or a figure (anything with `savefig`)."""
        check_name(name)
        if (path is None) == (plot is None):
            raise UserError("log_image needs either path (an image file) or plot (matplotlib.pyplot or a figure).")
        suffix = ".png"
        if path is not None:
            try:
                content = Path(path).read_bytes()
            except OSError as error:
                raise UserError(f"The image {str(path)!r} cannot be read: {error.strerror}.", error) from error
            suffix = Path(path).suffix.lower() or suffix
        else:
            content = _png(plot)
        self._attach("image", name, f"{file_stem(name)}_{int(time.time())}{suffix}", content)

    def log_confusion_matrix(self, name: str, value: Mapping[str, Any] | str, description: str = "") -> None:
        """Log a confusion matrix: {"schema_type": "confusion_matrix", "schema_version": "v1", "data": {class_labels,
        matrix}}, as dictionary or JSON text. Rows of the matrix are true classes, columns predicted ones."""
        self._chart("confusion_matrix", name, value)

    def log_accuracy_table(self, name: str, value: Mapping[str, Any] | str, description: str = "") -> None:
        """Log an accuracy table: data holds probability_tables and percentile_tables (classes x thresholds x [TP, FP,
        TN, FN]), probability_thresholds, percentile_thresholds and class_labels. ROC and PR are drawn from it."""
        self._chart("accuracy_table", name, value)

    def log_residuals(self, name: str, value: Mapping[str, Any] | str, description: str = "") -> None:
        """Log a histogram of residuals: data holds bin_edges (n + 1) and bin_counts (n)."""
        self._chart("residuals", name, value)

    def log_predictions(self, name: str, value: Mapping[str, Any] | str, description: str = "") -> None:
        """Log predictions against true values: data holds bin_averages, bin_errors, bin_counts and bin_edges."""
        self._chart("predictions", name, value)

    def _chart(self, kind: str, name: str, value: Mapping[str, Any] | str) -> None:
        check_name(name)
        self._attach(kind, name, file_stem(name), chart_json(kind, value))


def _step(step: Any) -> int:
    try:
        whole = int(step)
    except (TypeError, ValueError):
        raise UserError(f"A step is a whole number, not {step!r}.") from None
    if whole != step:
        raise UserError(f"A step is a whole number, not {step!r}.")
    return whole


def _png(plot: Any) -> bytes:
    save = getattr(plot, "savefig", None)
    if save is None:
        figure = getattr(plot, "figure", None) or getattr(plot, "fig", None)
        save = getattr(figure, "savefig", None)
    if save is None:
        raise UserError(
            f"log_image cannot draw a value of the type {type(plot).__name__}: plot is matplotlib.pyplot, a figure, or "
            "something else with savefig."
        )
    out = io.BytesIO()
    save(out, format="png", bbox_inches="tight")
    return out.getvalue()


def file_stem(name: str) -> str:
    """A metric's name as a file's: what would make a path of it becomes an underscore."""
    stem = "".join("_" if char in '/\\:*?"<>|' or ord(char) < 32 else char for char in name).strip(". ")
    return stem or "_"


def chart_json(kind: str, value: Mapping[str, Any] | str) -> bytes:
    """The checked JSON of a typed chart. Raises `UserError` that names what is missing."""
    if isinstance(value, (str, bytes)):
        try:
            value = json.loads(value)
        except ValueError as error:
            raise UserError(f"The {kind} is not JSON: {error}.", error) from error
    if not isinstance(value, Mapping):
        raise UserError(f"The {kind} needs a dictionary or JSON text, not a {type(value).__name__}.")
    if value.get("schema_type") != kind:
        raise UserError(f"schema_type is {value.get('schema_type')!r}; for this chart it must be {kind!r}.")
    if str(value.get("schema_version")).lower() not in ("v1", "1.0", "1.0.0"):
        raise UserError(f"schema_version is {value.get('schema_version')!r}; this SDK writes 'v1'.")
    data = value.get("data")
    missing = [key for key in CHART_KEYS[kind] if not isinstance(data, Mapping) or key not in data]
    if missing or not isinstance(data, Mapping):
        raise UserError(f"The data of the {kind} lacks {', '.join(missing)}.")
    plain = _lists(dict(value))
    _check_sizes(kind, plain["data"])
    try:
        return json.dumps(plain, allow_nan=False).encode()
    except ValueError:
        raise UserError(f"The {kind} holds NaN or an infinity, which JSON has no number for.") from None


def _check_sizes(kind: str, data: dict[str, Any]) -> None:
    if kind == "confusion_matrix":
        labels, matrix = len(data["class_labels"]), data["matrix"]
        if len(matrix) != labels or any(len(row) != labels for row in matrix):
            raise UserError(f"The matrix must have {labels} rows of {labels} numbers, one for each of class_labels.")
    elif kind in ("residuals", "predictions"):
        edges, counts = len(data["bin_edges"]), len(data["bin_counts"])
        if edges != counts + 1:
            raise UserError(f"bin_edges must have one number more than bin_counts; they have {edges} and {counts}.")
    else:
        classes = len(data["class_labels"])
        for key in ("probability_tables", "percentile_tables"):
            if len(data[key]) != classes:
                raise UserError(
                    f"{key} must have a table for each of the {classes} class_labels; has {len(data[key])}."
                )


def _lists(value: Any) -> Any:
    """numpy arrays and scalars within a chart as plain lists and numbers."""
    if isinstance(value, Mapping):
        return {str(key): _lists(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_lists(one) for one in value]
    if hasattr(value, "tolist"):
        return value.tolist()
    if hasattr(value, "item"):
        return value.item()
    return value
