"""Long series as bytes: a million numbers come in a fraction of the time that their JSON takes."""

from __future__ import annotations

import json
import sys
from array import array
from typing import Any

from atelier.client import Client, segment

#: From this many points on, bytes are worth the additional request.
LONG = 20_000
#: Whole numbers up to here are exact as 64-bit floats.
EXACT = 2.0**53


def long_series(client: Client, run_id: str, name: str) -> list[Any] | None:
    """The values of the metric `name` if it is a long series of numbers, else None.

    The answer is a line {"count": n}, then n int64 steps, n float64 times and n float64 values, little-endian.
    """
    address = f"/runs/{segment(run_id)}/metrics"
    summary = client.call("GET", f"{address}/summary")["items"]
    found = next((one for one in summary if one["name"] == name), None)
    if found is None or found["kind"] != "scalar":
        return None
    column = found["columns"].get("") or {}
    whole = column.get("type") == "int"
    if column.get("count", 0) < LONG or column.get("type") not in ("int", "float"):
        return None
    if whole and not all(-EXACT <= column[end] <= EXACT for end in ("min", "max")):
        return None
    data = client.open("GET", f"{address}/history", params={"name": name}, timeout=300.0).read()
    start = data.index(b"\n") + 1
    count = json.loads(data[:start])["count"]
    values = array("d")
    values.frombytes(memoryview(data)[start + 16 * count : start + 24 * count])
    if sys.byteorder == "big":
        values.byteswap()
    return [int(value) for value in values] if whole else values.tolist()
