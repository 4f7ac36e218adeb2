"""The SDK's tagged JSON as plain lists, numbers and text, without trusting it: so deep and so many values, no more.

The tags are those of `atelier.explanations.files.encode`: {"$": "float" | "scalar" | "tuple" | "dict" | "array", …}.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

import numpy as np
import orjson

from studio.errors import Invalid

#: A list in JSON may be three bytes long and sixty in memory, so what is read is counted before it is read; and the
#: parser takes twelve times the text.
MAX_BYTES = 32 << 20
MAX_VALUES = 3_000_000
MAX_DEPTH = 32
KINDS = "biuf"


def loads(content: bytes, name: str) -> Any:
    """The plain value of a JSON file; Invalid says which file is malformed, too deep, or holds too much."""
    if len(content) > MAX_BYTES:
        raise Invalid(f"{name} takes {len(content) >> 20} MB; at most {MAX_BYTES >> 20} MB are read.", field=name)
    if content.count(b",") + content.count(b"[") + content.count(b"{") > MAX_VALUES:
        raise _too_many(name)
    try:
        value = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise Invalid(f"{name} is not JSON: {error}.", field=name) from None
    return _Reader(name).plain(value, 0)


def _too_many(name: str) -> Invalid:
    return Invalid(
        f"{name} holds more than {MAX_VALUES:,} values as text; upload numbers as an array, or fewer rows.", field=name
    )


class _Reader:
    """Turns one file's tags into plain values. Arrays written as bytes count too: they become lists."""

    def __init__(self, name: str) -> None:
        self.name, self.left = name, MAX_VALUES

    def plain(self, value: Any, depth: int) -> Any:
        """Lists, dictionaries, numbers, text; what cannot be shown becomes None."""
        if isinstance(value, list):
            return self._all(value, depth)
        if not isinstance(value, dict):
            return value
        if depth > MAX_DEPTH:
            raise Invalid(f"{self.name} is nested deeper than {MAX_DEPTH} levels.", field=self.name)
        tag = value.get("$")
        if tag is None:
            return {k: self.plain(v, depth + 1) for k, v in value.items()}
        if tag == "scalar":
            return self.plain(value.get("value"), depth + 1)
        if tag == "tuple":
            return self.plain(value.get("items") or [], depth + 1)
        if tag == "dict":
            pairs = [p for p in value.get("items") or [] if isinstance(p, list) and len(p) == 2]
            return {str(self.plain(k, depth + 1)): self.plain(v, depth + 1) for k, v in pairs}
        return self._array(value, depth) if tag == "array" else None

    def _all(self, values: list[Any], depth: int) -> list[Any]:
        if depth > MAX_DEPTH:
            raise Invalid(f"{self.name} is nested deeper than {MAX_DEPTH} levels.", field=self.name)
        return [self.plain(v, depth + 1) if isinstance(v, (list, dict)) else v for v in values]

    def _array(self, value: dict[str, Any], depth: int) -> Any:
        shape = value.get("shape")
        # Sides of more than there are values: [9999999, 0] would be ten million empty lists.
        if not isinstance(shape, list) or not all(type(s) is int and 0 < s <= MAX_VALUES for s in shape):
            return []
        try:
            if "data" in value:
                array = np.frombuffer(base64.b64decode(value["data"], validate=True), np.dtype(str(value.get("dtype"))))
                if array.dtype.kind not in KINDS:
                    return None
                self._take(array.size)
                array = array.reshape(shape)
                if array.dtype.kind == "f":
                    array = np.where(np.isfinite(array), array.astype(object), np.array(None, dtype=object))
                return array.tolist()
            flat = value["items"]
            items = np.empty(len(flat), dtype=object)
            for i, one in enumerate(self._all(list(flat), depth + 1)):
                items[i] = one  # one at a time: numpy would take a list of lists for a matrix
            return items.reshape(shape).tolist()
        except (ValueError, TypeError, KeyError, SyntaxError, OverflowError, binascii.Error):
            return None

    def _take(self, count: int) -> None:
        self.left -= count
        if self.left < 0:
            raise _too_many(self.name)
