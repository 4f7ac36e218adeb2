"""Metric values on the wire and in chunks: JSON has no NaN and no infinity, so they travel as {"f": "nan"}.

Pure: the standard library only.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from studio.errors import Invalid

Value = float | int | bool | str | None
_FLOATS = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def decode(value: Any) -> Value:
    """The Python value of one wire value; Invalid for what is not a number, a string, a boolean or {"f": …}."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, dict) and len(value) == 1 and isinstance(value.get("f"), str) and value["f"] in _FLOATS:
        return _FLOATS[value["f"]]
    shown = repr(value)
    raise Invalid(
        f"{shown[:60]} can't be a metric's value: use a number, a string, true or false, "
        'or {"f": "nan"}, {"f": "inf"}, {"f": "-inf"}.',
        "columns",
    )


def encode(value: Value) -> Any:
    """The wire form of one value: everything is itself but NaN and the infinities."""
    if isinstance(value, float) and not math.isfinite(value):
        return {"f": "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"}
    return value


def encode_all(values: Iterable[Value]) -> list[Any]:
    """The wire form of many values, in order."""
    return [encode(value) for value in values]
