"""Values of metrics: from numpy, torch and friends to plain Python, to the wire, and back into the shapes of v1."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

from atelier.errors import UserError

Scalar = int | float | str | bool
PLAIN = frozenset({int, float, str, bool})
NAME_LENGTH = 255
ARTIFACT = "aml://artifactId/ExperimentRun/dcid."
#: Kinds whose value is a file of the run.
FILES = frozenset({"image", "confusion_matrix", "accuracy_table", "residuals", "predictions"})


def check_name(name: Any) -> None:
    """Raise `UserError` unless `name` can name a metric or a column."""
    if not isinstance(name, str) or not name.strip():
        raise UserError(f"A metric needs a name that is text, not {name!r}.")
    if len(name) > NAME_LENGTH:
        raise UserError(f"A metric's name may have {NAME_LENGTH} characters; {name[:40]!r}… has {len(name)}.")


def scalar(value: Any, name: str) -> Scalar:
    """`value` as int, float, str or bool; a numpy or torch scalar gives up its item."""
    if type(value) in PLAIN:
        return value if type(value) in (float, bool) else _fits(value, name)
    if isinstance(value, (bool, int, float, str)):  # subclasses, numpy.float64 among them
        return _fits(next(kind(value) for kind in (bool, int, float, str) if isinstance(value, kind)), name)
    item = getattr(value, "item", None)
    if callable(item):
        try:
            got = item()
        except (ValueError, RuntimeError, TypeError):
            got = None  # more than one element
        if isinstance(got, (bool, int, float, str)):
            return _fits(got, name)
    for kind in ("__index__", "__float__"):
        if hasattr(type(value), kind) and not hasattr(value, "__len__"):
            return _fits(int(value) if kind == "__index__" else float(value), name)
    raise UserError(
        f"The metric {name!r} got a value of the type {type(value).__name__}; a value is a number, text or a boolean. "
        "Use log_list for several values, log_table for columns."
    )


def _fits(value: Scalar, name: str) -> Scalar:
    """`value` if the server can keep it; text that is no Unicode has its odd parts replaced."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode(errors="replace").decode()
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise UserError(f"The whole number logged as {name!r} needs more than 64 bits; log float(value) instead.")
    return value


def several(value: Any, name: str) -> list[Scalar]:
    """A list, tuple, array, tensor or series as a list of scalars."""
    if isinstance(value, (str, bytes, Mapping)) or not (isinstance(value, Iterable) or hasattr(value, "tolist")):
        raise UserError(f"The metric {name!r} needs a list of values, not a {type(value).__name__}.")
    plain = value.tolist() if hasattr(value, "tolist") else value
    if not isinstance(plain, Iterable):
        plain = [plain]
    return [scalar(one, name) for one in plain]


def columns(value: Any, name: str) -> dict[str, list[Scalar]]:
    """A table {column: values}; a data frame works too. Columns must be of the same length, a scalar is one row."""
    if not isinstance(value, Mapping) and hasattr(value, "to_dict"):
        value = value.to_dict("list")
    if not isinstance(value, Mapping):
        raise UserError(f"The table {name!r} needs a dictionary of columns, not a {type(value).__name__}.")
    if not value:
        raise UserError(f"The table {name!r} has no columns; it needs at least one, for example {{'x': [1, 2]}}.")
    table: dict[str, list[Scalar]] = {}
    for column, cells in value.items():
        check_name(column)
        one = isinstance(cells, (str, bytes)) or not (isinstance(cells, Iterable) or hasattr(cells, "tolist"))
        table[column] = [scalar(cells, name)] if one else several(cells, name)
    lengths = {column: len(cells) for column, cells in table.items()}
    if len(set(lengths.values())) > 1:
        raise UserError(f"The columns of the table {name!r} have different lengths: {lengths}.")
    return table


def dumps(body: Any) -> bytes:
    """JSON in which NaN and the infinities are {"f": "nan"|"inf"|"-inf"}."""
    try:
        return json.dumps(body, allow_nan=False, separators=(",", ":")).encode()
    except ValueError:
        return json.dumps(_tag(body), allow_nan=False, separators=(",", ":")).encode()


def _tag(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return {"f": "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"}
    if isinstance(value, dict):
        return {key: _tag(one) for key, one in value.items()}
    return [_tag(one) for one in value] if isinstance(value, list) else value


def _untag(value: Any) -> Any:
    return float(value["f"]) if isinstance(value, dict) and "f" in value else value


def shape(series: Mapping[str, Any]) -> Any:
    """One series of the server as `get_metrics` shows it.

    scalar, image and the typed charts: the value, or the list of values when there are several; list: always a list;
    row: {column: value} for one row, {column: [values]} for several; table: {column: [values]}.
    """
    kind = series["kind"]
    table = {column: [_untag(one) for one in cells] for column, cells in series["columns"].items()}
    if kind == "table":
        return table
    if kind == "row":
        single = all(len(cells) == 1 for cells in table.values())
        return {column: cells[0] for column, cells in table.items()} if single else table
    cells = table.get("", [])
    return cells if kind == "list" or len(cells) != 1 else cells[0]


def artifact_address(run_id: str, path: str) -> str:
    """The value of an image or typed chart: the address of its file."""
    return f"{ARTIFACT}{run_id}/{path}"


def artifact_path(address: Any) -> tuple[str, str] | None:
    """(run id, path) of such an address; None for anything else."""
    if not isinstance(address, str) or not address.startswith(ARTIFACT):
        return None
    run_id, _, path = address[len(ARTIFACT) :].partition("/")
    return (run_id, path) if path else None
