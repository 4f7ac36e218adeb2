"""Metric chunks: how points become bytes and bytes become points again.

A chunk holds consecutive points of one series (run, name, column) as three arrays: times (float64, epoch seconds),
steps (int64) and values. Everything is little-endian, so the bytes are the wire form of the history endpoint too. As a
blob it is an 8-byte head (two letters of the values' encoding, "s" or "-" for with or without steps, five of padding, so
that the arrays are aligned), then times, steps and values. The encodings:

    f8  float64, NaN and infinities included
    i8  int64
    b1  one byte a boolean
    js  a JSON list: strings, mixed values, gaps (null), integers beyond int64

Pure: numpy and orjson, no database.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from runs.values import Value, decode, encode_all
from studio.errors import Invalid

Buffer = bytes | memoryview
HEAD = 8
NO_STEP = -(2**63)
"""The step of a point that was logged without one, in a chunk where others have steps."""
LOOSE = 1024
"""A chunk of fewer points is loose: it waits to be merged."""
LOOSE_ALLOWED = 64
"""So many loose chunks may wait; one more merges them."""
FULL = 8192
"""A chunk of so many points is never merged again (192 kB)."""
MOST = 65_536
"""No merge makes a chunk of more points."""
_EXACT = 2**53  # integers up to here are floats without loss
_DTYPES = {"f8": np.dtype("<f8"), "i8": np.dtype("<i8"), "b1": np.dtype("?")}
_STEP, _TIME = np.dtype("<i8"), np.dtype("<f8")
_NUMBERS = ("f8", "i8", "b1")


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive points, packed. `steps` is empty when no point has one."""

    count: int
    encoding: str
    steps: Buffer
    times: Buffer
    values: Buffer

    def to_blob(self) -> bytes:
        """The bytes that the database keeps."""
        head = self.encoding.encode() + (b"s" if self.steps else b"-") + b"\0" * 5
        return b"".join((head, self.times, self.steps, self.values))

    @classmethod
    def from_blob(cls, count: int, blob: Buffer) -> Chunk:
        """The chunk of `count` points whose bytes these are; nothing is copied."""
        view = memoryview(blob)
        at = HEAD + 8 * count
        after = at + 8 * count if view[2] == ord("s") else at
        return cls(count, bytes(view[:2]).decode(), view[at:after], view[HEAD:at], view[after:])


@dataclass(frozen=True, slots=True)
class Stats:
    """What a list shows of a series without reading it. Numbers leave out NaN; `last_text` is the wire value as JSON."""

    type: str
    """int, float, bool, text or mixed."""
    last_text: str
    last: float | None
    """The last value where it is a number other than NaN: what lists are ordered by."""
    minimum: float | None
    maximum: float | None
    last_time: float


def pack_values(values: Sequence[Any]) -> tuple[str, bytes]:
    """The smallest encoding that keeps every value as it is, and the bytes. Values are wire values."""
    kinds = set(map(type, values))
    if kinds == {float}:
        return "f8", np.array(values, _DTYPES["f8"]).tobytes()
    if kinds == {bool}:
        return "b1", np.array(values, _DTYPES["b1"]).tobytes()
    if kinds == {int}:
        try:
            return "i8", np.array(values, _DTYPES["i8"]).tobytes()
        except OverflowError:
            return "js", orjson.dumps(list(values))
    plain = (
        [decode(value) for value in values]
        if dict in kinds or not kinds <= {float, int, bool, str, type(None)}
        else values
    )
    if all(type(v) is float or (type(v) is int and -_EXACT <= v <= _EXACT) for v in plain) and plain:
        return "f8", np.array(plain, _DTYPES["f8"]).tobytes()
    return "js", orjson.dumps(encode_all(plain))


def pack_times(times: Sequence[Any], rows: int) -> bytes:
    """Epoch seconds as float64; Invalid unless there is one finite number for each row."""
    _same_length("times", times, rows)
    if not set(map(type, times)) <= {float, int}:
        raise Invalid("times are epoch seconds: one number for each value.", "times")
    try:
        packed = np.array(times, _TIME)
    except OverflowError:
        raise Invalid("times are epoch seconds: one of them is too large.", "times") from None
    # A sum is finite only when each of them is; most batches need no more than that.
    if not math.isfinite(sum(times, 0.0)) and not np.isfinite(packed).all():
        raise Invalid("times are epoch seconds: one of them is not finite.", "times")
    return packed.tobytes()


def pack_steps(steps: Sequence[Any] | None, rows: int) -> bytes:
    """Steps as int64, nothing when none is given; Invalid unless each is an integer or null."""
    if steps is None:
        return b""
    _same_length("steps", steps, rows)
    kinds = set(map(type, steps))
    if not kinds <= {int, type(None)}:
        raise Invalid("steps are whole numbers: one integer or null for each value.", "steps")
    if kinds == {type(None)}:
        return b""
    if type(None) in kinds:
        steps = [NO_STEP if step is None else step for step in steps]
    try:
        return np.array(steps, _STEP).tobytes()
    except OverflowError:
        raise Invalid("steps are 64-bit integers; one of them is larger.", "steps") from None


def _same_length(what: str, given: Any, rows: int) -> None:
    if not isinstance(given, (list, tuple)):
        raise Invalid(f"{what} is a list with one entry for each value.", what)
    if len(given) != rows:
        raise Invalid(
            f"{what} has {len(given)} entries and the columns have {rows} values; each value needs one.", what
        )


def pack(values: Sequence[Any], steps: Sequence[Any] | None, times: Sequence[Any]) -> Chunk:
    """One chunk of wire values."""
    encoding, packed = pack_values(values)
    return Chunk(len(values), encoding, pack_steps(steps, len(values)), pack_times(times, len(values)), packed)


# -- reading ----------------------------------------------------------------------------------------------------------


def numbers(chunk: Chunk) -> np.ndarray:
    """float64[count] for charts: booleans are 0 and 1; strings and gaps are NaN."""
    if chunk.encoding == "f8":
        return np.frombuffer(chunk.values, _DTYPES["f8"])
    if chunk.encoding in _NUMBERS:
        return np.frombuffer(chunk.values, _DTYPES[chunk.encoding]).astype(_DTYPES["f8"])
    return np.array([_number(decode(value)) for value in orjson.loads(chunk.values)], _DTYPES["f8"])


def _number(value: Value) -> float:
    if value is None or isinstance(value, str):
        return math.nan
    return float(value)


def wire_values(chunk: Chunk) -> list[Any]:
    """The values as they were sent."""
    if chunk.encoding == "js":
        return list(orjson.loads(chunk.values))
    array = np.frombuffer(chunk.values, _DTYPES[chunk.encoding])
    if chunk.encoding == "f8" and not np.isfinite(array).all():
        return encode_all(array.tolist())
    return list(array.tolist())


def times(chunk: Chunk) -> np.ndarray:
    """float64[count], epoch seconds."""
    return np.frombuffer(chunk.times, _TIME)


def steps(chunk: Chunk, start: int) -> np.ndarray:
    """int64[count]: the steps; where a point has none, its position in the series (`start` is the chunk's)."""
    given = np.frombuffer(chunk.steps, _STEP)
    missing = given == NO_STEP
    if len(given) and not missing.any():
        return given
    positions = np.arange(start, start + chunk.count, dtype=_STEP)
    return np.where(missing, positions, given) if len(given) else positions


def wire_steps(chunk: Chunk) -> list[int | None]:
    """The steps as they were sent: null where a point has none."""
    if not chunk.steps:
        return [None] * chunk.count
    given = np.frombuffer(chunk.steps, _STEP)
    if (given == NO_STEP).any():
        return [None if step == NO_STEP else step for step in given.tolist()]
    return list(given.tolist())


# -- merging ----------------------------------------------------------------------------------------------------------


def merge(chunks: Sequence[Chunk]) -> Chunk:
    """One chunk with the points of all, in order, every value as it was."""
    count = sum(chunk.count for chunk in chunks)
    if any(chunk.steps for chunk in chunks):
        steps_ = b"".join(chunk.steps or np.full(chunk.count, NO_STEP, _STEP).tobytes() for chunk in chunks)
    else:
        steps_ = b""
    encodings = {chunk.encoding for chunk in chunks}
    if len(encodings) == 1 and encodings <= set(_NUMBERS):
        encoding, values = encodings.pop(), b"".join(chunk.values for chunk in chunks)
    else:
        encoding, values = pack_values([value for chunk in chunks for value in wire_values(chunk)])
    return Chunk(count, encoding, steps_, b"".join(chunk.times for chunk in chunks), values)


def gap(rows: int) -> Chunk:
    """`rows` rows in which the column has no value: null, without step, with NaN for a time."""
    nothing = orjson.dumps([None] * rows)
    return Chunk(rows, "js", b"", np.full(rows, np.nan, _TIME).tobytes(), nothing)


# -- statistics -------------------------------------------------------------------------------------------------------


def stats(chunk: Chunk) -> Stats:
    """Type, last, minimum and maximum of a chunk with at least one point."""
    last_time = float(np.frombuffer(chunk.times, _TIME)[-1])
    if chunk.encoding == "js":
        return _stats_of_list([decode(value) for value in orjson.loads(chunk.values)], last_time)
    array = np.frombuffer(chunk.values, _DTYPES[chunk.encoding])
    type_ = {"f8": "float", "i8": "int", "b1": "bool"}[chunk.encoding]
    last = array[-1].item()
    number = None if last != last else float(last)
    low, high = float(np.fmin.reduce(array)), float(np.fmax.reduce(array))  # these pass over NaN; all NaN gives NaN
    if low != low:
        return Stats(type_, _text(last), number, None, None, last_time)
    return Stats(type_, _text(last), number, low, high, last_time)


def _stats_of_list(values: list[Value], last_time: float) -> Stats:
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {int, float}:
        type_ = "int" if kinds == {int} else "float"
    elif len(kinds) == 1:
        type_ = {str: "text", bool: "bool"}[kinds.pop()]
    else:
        type_ = "mixed"
    counted = [_number(v) for v in values if v is not None and not isinstance(v, str) and v == v]
    last = values[-1]
    number = None if last is None or isinstance(last, str) or last != last else float(last)
    return Stats(type_, _text(last), number, min(counted, default=None), max(counted, default=None), last_time)


def _text(value: Value) -> str:
    return orjson.dumps(encode_all([value])[0]).decode()


def merge_run(counts: Sequence[int]) -> int:
    """How many of a series' last chunks to merge into one; `counts` are the points of its chunks, in order.

    Loose chunks at the end are taken always. To their left the rule is that of the logarithmic method (Bentley and
    Saxe, 1980): go on while the next is not larger than what is taken and not full. So a point is rewritten a few times
    however small the batches are, and a growing chunk is never rewritten for each of them.
    """
    taken = total = 0
    for count in reversed(counts):
        if total + count > MOST or not (count < LOOSE or (count <= total and count < FULL)):
            break
        taken, total = taken + 1, total + count
    return taken
