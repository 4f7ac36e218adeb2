"""Cursors of lists: where the next page starts, as a text that clients pass back and do not read."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import orjson

from studio.errors import Invalid

Value = str | int | float | None


def encode(order: str, *values: Value) -> str:
    """The cursor of the row with these values, in a list with this order."""
    return base64.urlsafe_b64encode(orjson.dumps([order, *values])).decode().rstrip("=")


def decode(cursor: str, order: str, kinds: tuple[type | tuple[type, ...], ...]) -> list[Any]:
    """The values again; Invalid when the text is no cursor of a list with this order."""
    try:
        found = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError):
        found = None
    good = (
        isinstance(found, list)
        and len(found) == len(kinds) + 1
        and found[0] == order
        and all(
            isinstance(value, kind) and not isinstance(value, bool)
            for value, kind in zip(found[1:], kinds, strict=True)
        )
        and not any(isinstance(value, str) and "\x00" in value for value in found)
    )
    if not good:
        raise Invalid("This cursor does not belong to this list; ask for the first page without one.", "cursor")
    return list(found[1:])
