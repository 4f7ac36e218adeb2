"""Reading metrics: whole values, summaries, samples for charts, histories for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import orjson

from runs import metricstore
from runs.metricstore import Chunk
from runs.models import raw
from runs.models.raw import RunKey
from runs.values import encode_all
from studio.errors import Invalid, NotFound

COLUMNS = ("row", "table")
X_AXES = ("step", "time", "relative")
MOST_SAMPLED = 20_000


class Series(NamedTuple):
    """A row of MetricSeries, without its chunks."""

    id: int
    run_id: str
    name: str
    column: str
    kind: str
    type: str
    count: int  # type: ignore[assignment]  # a tuple's own count() is of no use here
    last: float | None
    last_text: str
    min: float | None
    max: float | None


_FIELDS = 'id, run_id, name, "column", kind, type, count, last, last_text, min, max'


def series_of(run_ids: Sequence[str], name: str | None = None) -> list[Series]:
    """The series of some runs, by name and then in the order of the columns; of one name when it is given."""
    if not run_ids:
        return []
    where, params = raw.among("run_id", run_ids)
    if name is not None:
        where, params = f"{where} AND name = %s", [*params, name]
    sql = f'SELECT {_FIELDS} FROM runs_metricseries WHERE {where} ORDER BY run_id, name, position, "column"'
    return [Series._make(row) for row in raw.rows(sql, params)]


def chunks_of(series_ids: Sequence[int]) -> dict[int, list[tuple[int, Chunk]]]:
    """(start, chunk) of each series, in order."""
    found: dict[int, list[tuple[int, Chunk]]] = {key: [] for key in series_ids}
    for part in _parts(series_ids, 500):
        where, params = raw.among("series_id", part)
        sql = f"SELECT series_id, start, count, data FROM runs_metricchunk WHERE {where} ORDER BY series_id, start"
        for key, start, count, data in raw.rows(sql, params, binary=True):
            found[key].append((start, Chunk.from_blob(count, data)))
    return found


def _parts(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    for at in range(0, len(items), size):
        yield items[at : at + size]


# -- whole values -----------------------------------------------------------------------------------------------------


def whole(run_ids: Sequence[str], name: str | None = None) -> dict[str, dict[str, Any]]:
    """{run id: {name: {kind, columns: {column: values}, steps, times}}}, values as on the wire.

    Every run that was asked for has an entry. A column that was left out of a row has null there.
    """
    rows = [row for part in _parts(run_ids, 500) for row in series_of(part, name)]
    chunks = chunks_of([row.id for row in rows])
    result: dict[str, dict[str, Any]] = {run_id: {} for run_id in run_ids}
    for (run_id, metric), members in _grouped(rows):
        result[run_id][metric] = _whole_metric(members, chunks)
    return result


def _grouped(rows: list[Series]) -> Iterator[tuple[tuple[str, str], list[Series]]]:
    groups: dict[tuple[str, str], list[Series]] = {}
    for row in rows:
        groups.setdefault((row.run_id, row.name), []).append(row)
    yield from groups.items()


def _whole_metric(members: list[Series], chunks: dict[int, list[tuple[int, Chunk]]]) -> dict[str, Any]:
    if members[0].kind not in COLUMNS:
        found = [chunk for _, chunk in chunks[members[0].id]]
        return {
            "kind": members[0].kind,
            "columns": {"": joined(found)},
            "steps": [step for chunk in found for step in metricstore.wire_steps(chunk)],
            "times": np.concatenate([metricstore.times(chunk) for chunk in found]) if found else [],
        }
    count = next((row.count for row in members if row.column == ""), 0)
    steps: list[int | None] = [None] * count
    times = np.full(count, np.nan)
    columns: dict[str, list[Any]] = {}
    for row in members:
        if row.column == "":
            continue
        values = columns[row.column] = [None] * count
        for start, chunk in chunks[row.id]:
            end = start + chunk.count
            values[start:end] = metricstore.wire_values(chunk)
            known = metricstore.times(chunk)
            times[start:end] = np.where(np.isnan(known), times[start:end], known)
            for at, step in enumerate(metricstore.wire_steps(chunk), start):
                steps[at] = step if step is not None else steps[at]
    return {"kind": members[0].kind, "columns": columns, "steps": steps, "times": times}


def joined(chunks: list[Chunk]) -> Any:
    """The values of chunks as something that orjson writes: an array where all are finite floats, else a list."""
    if chunks and all(chunk.encoding == "f8" for chunk in chunks):
        array = np.concatenate([metricstore.numbers(chunk) for chunk in chunks])
        return array if np.isfinite(array).all() else encode_all(array.tolist())
    return [value for chunk in chunks for value in metricstore.wire_values(chunk)]


# -- summaries --------------------------------------------------------------------------------------------------------


def summary(run_id: str) -> list[dict[str, Any]]:
    """[{name, kind, columns: {column: {type, count, last, min, max}}}] without reading a chunk."""
    items = []
    for (_, name), members in _grouped(series_of([run_id])):
        shown = [row for row in members if row.column or row.kind not in COLUMNS]
        columns = {
            row.column: {
                "type": row.type,
                "count": row.count,
                "last": orjson.Fragment(row.last_text or "null"),
                "min": _number(row.min),
                "max": _number(row.max),
            }
            for row in shown
        }
        rows = next((row.count for row in members if row.column == ""), 0)
        items.append({"name": name, "kind": members[0].kind, "rows": rows, "columns": columns})
    return items


def _number(value: float | None) -> Any:
    return None if value is None else encode_all([value])[0]


# -- one series -------------------------------------------------------------------------------------------------------


class Points:
    """A whole numeric series: arrays of one length, each put together when it is first asked for; `steps` are positions
    where none was logged."""

    def __init__(self, chunks: list[tuple[int, Chunk]]) -> None:
        self._chunks = chunks

    @cached_property
    def steps(self) -> np.ndarray:
        """int64."""
        return _joined("<i8", [metricstore.steps(chunk, start) for start, chunk in self._chunks])

    @cached_property
    def times(self) -> np.ndarray:
        """float64, epoch seconds."""
        return _joined("<f8", [metricstore.times(chunk) for _, chunk in self._chunks])

    @cached_property
    def values(self) -> np.ndarray:
        """float64; what is not a number is NaN."""
        return _joined("<f8", [metricstore.numbers(chunk) for _, chunk in self._chunks])


def _joined(kind: str, parts: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(parts) if parts else np.empty(0, kind)


def find(run_id: str, name: str, column: str = "") -> Series:
    """The series, or NotFound saying which columns there are."""
    rows = series_of([run_id], name)
    for row in rows:
        if row.column == column and (column or row.kind not in COLUMNS):
            return row
    if rows:
        known = ", ".join(repr(row.column) for row in rows if row.column) or "one without a name"
        raise NotFound(f"The metric {name!r} has no column {column!r}; it has {known}.", "column")
    raise NotFound(f"The run has no metric {name!r}.", "name")


def points(series_id: int) -> Points:
    """Every point of a series."""
    return Points(chunks_of([series_id])[series_id])


def sample(
    run_id: str,
    name: str,
    column: str = "",
    *,
    count: int = 2000,
    x: str = "step",
    low: float | None = None,
    high: float | None = None,
    started_at: float | None = None,
) -> tuple[np.ndarray, np.ndarray, int]:
    """x and y of at most `count` points with low <= x <= high, and how many points there are in that range.

    x is the step, the time (epoch seconds), or the seconds since `started_at` (the first point when None). The
    downsampling is MinMaxLTTB (Van Der Donckt et al., 2023): extremes stay, so spikes do. Points whose value is not a
    finite number are left out.
    """
    if x not in X_AXES:
        raise Invalid(f"x is {x!r}; it is one of {', '.join(X_AXES)}.", "x")
    if not 3 <= count <= MOST_SAMPLED:
        raise Invalid(f"points is {count}; ask for 3 to {MOST_SAMPLED:,}.", "points")
    all_points = points(find(run_id, name, column).id)
    xs, ys = axis(all_points, x, started_at), all_points.values
    keep = np.isfinite(ys)
    if low is not None:
        keep &= xs >= low
    if high is not None:
        keep &= xs <= high
    if not keep.all():
        xs, ys = xs[keep], ys[keep]
    return (*downsample(xs, ys, count), len(xs))


def axis(all_points: Points, x: str, started_at: float | None) -> np.ndarray:
    """The x values that a chart asked for."""
    if x == "step":
        return all_points.steps
    if x == "time" or not len(all_points.times):
        return all_points.times
    return all_points.times - (all_points.times[0] if started_at is None else started_at)


def downsample(xs: np.ndarray, ys: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """At most `count` of the points, in the order of x, extremes kept."""
    if len(xs) > 1 and (np.diff(xs) < 0).any():
        order = np.argsort(xs, kind="stable")  # batches that came late
        xs, ys = xs[order], ys[order]
    if len(xs) <= count:
        return xs, ys
    from tsdownsample import MinMaxLTTBDownsampler

    chosen = MinMaxLTTBDownsampler().downsample(
        np.ascontiguousarray(xs), np.ascontiguousarray(ys), n_out=count - count % 2
    )
    return xs[chosen], ys[chosen]


def history(run_id: str, name: str, column: str = "") -> Iterator[bytes]:
    """The binary history: a JSON line {"count": n}, then n int64 steps, n float64 times, n float64 values, little-endian."""
    series = find(run_id, name, column)
    found = chunks_of([series.id])[series.id]
    return _history(found)


def _history(found: list[tuple[int, Chunk]]) -> Iterator[bytes]:
    yield orjson.dumps({"count": sum(chunk.count for _, chunk in found)}) + b"\n"
    # Joined by the hundred: a piece for each chunk would cost more than its bytes.
    for part in _parts(found, 128):
        yield b"".join(metricstore.steps(chunk, start).tobytes() for start, chunk in part)
    for part in _parts(found, 128):
        yield b"".join(chunk.times for _, chunk in part)
    for part in _parts(found, 128):
        yield b"".join(metricstore.numbers(chunk).tobytes() for _, chunk in part)


# -- trees ------------------------------------------------------------------------------------------------------------


def tree(run: RunKey, type_: str | None = None) -> list[str]:
    """The run and all below it, oldest first; of one run type when it is given."""
    sql = (
        "WITH RECURSIVE below(id) AS (SELECT id FROM runs_run WHERE id = %s UNION ALL SELECT r.id FROM runs_run r JOIN below b ON r.parent_id = b.id) "
        "SELECT r.id FROM runs_run r JOIN below b ON r.id = b.id"
    )
    params: list[Any] = [run.id]
    if type_:
        sql, params = f"{sql} WHERE r.type = %s", [*params, type_]
    return [key for (key,) in raw.rows(f"{sql} ORDER BY r.created_at, r.number", params)]


def last_values(run_ids: Sequence[str], names: Sequence[str]) -> raw.Statement:
    """Asks for (run id, name, last value in JSON) for lists: the last logged value as on the wire."""
    (of_runs, keys), (of_names, wanted) = raw.among("run_id", run_ids), raw.among("name", names)
    sql = (
        "SELECT run_id, name, last_text FROM runs_metricseries "
        f"WHERE {of_runs} AND {of_names} AND \"column\" = '' AND last_text <> ''"
    )
    return sql, [*keys, *wanted]
