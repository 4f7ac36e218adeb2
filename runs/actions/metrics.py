"""Append metrics: one transaction of three statements a batch, whatever it holds.

A batch is (1) its id, so that a repeat is ignored; (2) one upsert of its series with their new counts, last, minimum
and maximum; (3) its chunks. The upsert locks the series' rows, so that two writers append one after the other; its
RETURNING says where the chunks start. When a series has gathered many small chunks they are merged on the way.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import Any

from django.db import IntegrityError
from django.utils import timezone

from runs import metricstore
from runs.limits import clean_name, limit
from runs.metricstore import Chunk
from runs.models import raw
from runs.models.raw import Claim, RunKey
from studio.errors import Conflict, Invalid, TooLarge

ONE_COLUMN = frozenset({"scalar", "list", "image", "confusion_matrix", "accuracy_table", "residuals", "predictions"})
COLUMNS = frozenset({"row", "table"})
TYPED = ONE_COLUMN - {"scalar", "list"}
_ALIKE = (frozenset({"scalar", "list"}), COLUMNS)
_SERIES = (
    'run_id, experiment_id, name, "column", kind, type, position, count, loose, last, last_text, last_time, min, max, '
    "updated_at"
)
_UPSERT = f"""INSERT INTO runs_metricseries ({_SERIES}) VALUES {{values}}
ON CONFLICT (run_id, name, "column") DO UPDATE SET
 count = runs_metricseries.count + excluded.count,
 loose = runs_metricseries.loose + excluded.loose,
 type = CASE WHEN runs_metricseries.type = excluded.type OR excluded.count = 0 THEN runs_metricseries.type
  WHEN runs_metricseries.count = 0 THEN excluded.type
  WHEN runs_metricseries.type IN ('int', 'float') AND excluded.type IN ('int', 'float') THEN 'float' ELSE 'mixed' END,
 last = CASE WHEN excluded.last_time >= runs_metricseries.last_time THEN excluded.last ELSE runs_metricseries.last END,
 last_text = CASE WHEN excluded.last_time >= runs_metricseries.last_time
  THEN excluded.last_text ELSE runs_metricseries.last_text END,
 last_time = CASE WHEN excluded.last_time >= runs_metricseries.last_time
  THEN excluded.last_time ELSE runs_metricseries.last_time END,
 min = CASE WHEN runs_metricseries.min IS NULL THEN excluded.min
  WHEN excluded.min IS NULL OR runs_metricseries.min <= excluded.min THEN runs_metricseries.min ELSE excluded.min END,
 max = CASE WHEN runs_metricseries.max IS NULL THEN excluded.max
  WHEN excluded.max IS NULL OR runs_metricseries.max >= excluded.max THEN runs_metricseries.max ELSE excluded.max END,
 updated_at = excluded.updated_at
RETURNING id, name, "column", count, loose, kind"""
_BATCH = "INSERT INTO runs_metricbatch (run_id, batch) {row} ON CONFLICT DO NOTHING RETURNING id"
_TAIL = "SELECT id, start, count FROM runs_metricchunk WHERE series_id = %s ORDER BY start DESC LIMIT 512"
MERGED_AT_ONCE = 20
"""Series whose chunks are in memory together while they are merged: at most 1.5 MB each."""
_CHUNKS = "INSERT INTO runs_metricchunk (series_id, start, count, data) VALUES "


@dataclass(slots=True)
class Column:
    """What a batch adds to one column: chunks and the row, counted from the batch's first, that each starts at."""

    position: int
    pieces: list[tuple[int, Chunk]] = field(default_factory=list)

    def add(self, offset: int, chunk: Chunk) -> None:
        """Take a chunk; one that goes on where the last ended is joined to it."""
        if self.pieces:
            last_offset, last = self.pieces[-1]
            if last_offset + last.count == offset:
                self.pieces[-1] = (last_offset, metricstore.merge([last, chunk]))
                return
        self.pieces.append((offset, chunk))


@dataclass(slots=True)
class Metric:
    """What a batch adds to one metric."""

    name: str
    kind: str
    rows: int = 0
    last_time: float = 0.0
    columns: dict[str, Column] = field(default_factory=dict)


def append(run: RunKey, batch: Any, series: Any, claim: Claim | None = None) -> int:
    """Add a batch's values to the run; how many values were accepted, 0 for a batch that came before.

    `series` is the wire's list of {name, kind, columns, steps, times}. Raises Invalid, TooLarge, or Conflict when a
    name was logged as something else before; then nothing of the batch is kept. With a claim it is proven on the way
    (raw.Unproven).
    """
    try:
        identity = uuid.UUID(batch).hex
    except (ValueError, TypeError, AttributeError):
        raise Invalid(
            "batch is a UUID that the client makes for each batch, so that a repeat is told apart.", "batch"
        ) from None
    metrics, accepted = parse(series)
    try:
        with raw.batch():
            _write(run, identity, metrics, claim)
    except _Repeated:
        if claim is not None and not claim.holds():
            raise raw.Unproven from None
        return 0
    except IntegrityError:
        raw.run_key(run.id)  # it was deleted meanwhile: NotFound
        raise
    return accepted


class _Repeated(Exception):
    """The batch came before: roll back what was sent together with its id."""


# -- reading the batch ------------------------------------------------------------------------------------------------


def parse(series: Any) -> tuple[list[Metric], int]:
    """The metrics of a batch in the order of their names, and how many values it holds."""
    if not isinstance(series, list):
        raise Invalid("series is a list of {name, kind, columns, steps, times}.", "series")
    found: dict[str, Metric] = {}
    accepted = 0
    for entry in series:
        if not isinstance(entry, dict):
            raise Invalid("series is a list of objects: {name, kind, columns, steps, times}.", "series")
        accepted += _take(found, entry)
        if accepted > limit("metric_batch_points"):
            most = limit("metric_batch_points")
            raise TooLarge(f"A batch holds at most {most:,} values; send this one in several.", "series")
    # In one order, so that two batches that share series wait for each other and never for a circle.
    return sorted(found.values(), key=lambda metric: metric.name), accepted


def _take(found: dict[str, Metric], entry: dict[str, Any]) -> int:
    name = clean_name(entry.get("name"), "metric name", "metric_name")
    kind = entry.get("kind", "scalar")
    if kind not in ONE_COLUMN and kind not in COLUMNS:
        raise Invalid(
            f"{str(kind)[:40]!r} is no kind of metric; there are {', '.join(sorted(ONE_COLUMN | COLUMNS))}.", "kind"
        )
    columns: Any = entry.get("columns")
    rows = _check_columns(name, kind, columns)
    metric = found.setdefault(name, Metric(name, kind))
    _same_kind(name, metric.kind, kind)
    times: Any = entry.get("times")
    steps: Any = entry.get("steps")
    for column, values in columns.items():
        chunk = metricstore.pack(values, steps, times)
        if chunk.encoding == "js":
            _check_texts(name, kind, values)
        if rows:
            metric.columns.setdefault(column, Column(len(metric.columns))).add(metric.rows, chunk)
        else:
            metric.columns.setdefault(column, Column(len(metric.columns)))
    metric.rows += rows
    if rows:
        metric.last_time = max(metric.last_time, float(times[-1]))
    return rows * len(columns)


def _check_columns(name: str, kind: str, columns: Any) -> int:
    if not isinstance(columns, dict) or not columns:
        raise Invalid(f"The metric {name!r} needs columns: an object of lists.", "columns")
    if kind in ONE_COLUMN and list(columns) != [""]:
        raise Invalid(f'The metric {name!r} of kind {kind} has one column, named "".', "columns")
    if kind in COLUMNS:
        if len(columns) > limit("metric_columns"):
            most = limit("metric_columns")
            raise TooLarge(f"The metric {name!r} has {len(columns)} columns; the limit is {most}.", "columns")
        for column in columns:
            clean_name(column, f"column name of {name!r}", "metric_name")
    lengths = set()
    for values in columns.values():
        if not isinstance(values, list):
            raise Invalid(f"The columns of {name!r} are lists of values.", "columns")
        lengths.add(len(values))
    if len(lengths) != 1:
        raise Invalid(f"The columns of {name!r} have different lengths; a row has a value in each.", "columns")
    return int(lengths.pop())


def _check_texts(name: str, kind: str, values: list[Any]) -> None:
    most = limit("artifact_path") + 500 if kind in TYPED else limit("metric_value")
    for value in values:
        if isinstance(value, str):
            if len(value) > most:
                raise Invalid(
                    f"A value of {name!r} has {len(value):,} characters; the limit is {most}. "
                    "Keep long text as a file of the run (run.upload_file).",
                    "columns",
                )
            if "\x00" in value:
                raise Invalid(f"A value of {name!r} holds a NUL character, which can't be kept.", "columns")
        elif value is None and kind not in COLUMNS:
            raise Invalid(f"A value of {name!r} is null; send a number, a string or a boolean.", "columns")


def _same_kind(name: str, old: str, new: str) -> None:
    if old != new and not any(old in alike and new in alike for alike in _ALIKE):
        raise Conflict(
            f"The metric {name!r} was logged as {old} before and can't be {new} too; use another name.", "kind"
        )


# -- writing it -------------------------------------------------------------------------------------------------------


def _write(run: RunKey, identity: str, metrics: list[Metric], claim: Claim | None) -> None:
    now = timezone.now()
    params: list[Any] = []
    count = 0
    for metric in metrics:
        if metric.kind in COLUMNS:
            params += [run.id, run.experiment_id, metric.name, "", metric.kind, "float", 0, metric.rows, 0]
            params += [None, "", metric.last_time, None, None, now]
            count += 1
        for name, column in metric.columns.items():
            params += _series_row(run, metric, name, column, now)
            count += 1
    row, values = claim.row("r.id, %s", [identity]) if claim else ("VALUES (%s, %s)", [run.id, identity])
    statements: list[tuple[str, raw.Params]] = [(_BATCH.format(row=row), values)]
    if count:
        statements.append((_UPSERT.format(values=raw.values(count, 15)), params))
    fresh, *found = raw.together(*statements)
    if not fresh:
        raise _Repeated
    if not count:
        return
    returned = found[0]
    state = {(name, column): (key, total, loose) for key, name, column, total, loose, _ in returned}
    for _, name, _, _, _, kind in returned:
        _same_kind(name, kind, next(metric.kind for metric in metrics if metric.name == name))
    _check_limits(run, metrics, state)
    _write_chunks(metrics, state)
    full = [key for key, _, _, _, loose, _ in returned if loose > metricstore.LOOSE_ALLOWED]
    for at in range(0, len(full), MERGED_AT_ONCE):
        merge_loose(full[at : at + MERGED_AT_ONCE])


def _series_row(run: RunKey, metric: Metric, name: str, column: Column, now: Any) -> list[Any]:
    row: list[Any] = [run.id, run.experiment_id, metric.name, name, metric.kind]
    if not column.pieces:
        return [*row, "float", column.position, 0, 0, None, "", 0.0, None, None, now]
    chunks = [chunk for _, chunk in column.pieces]
    stats = [metricstore.stats(chunk) for chunk in chunks]
    latest = stats[-1]
    types = {stat.type for stat in stats}
    type_ = latest.type if len(types) == 1 else "float" if types <= {"int", "float"} else "mixed"
    minimum = min((stat.minimum for stat in stats if stat.minimum is not None), default=None)
    maximum = max((stat.maximum for stat in stats if stat.maximum is not None), default=None)
    loose = sum(chunk.count < metricstore.LOOSE for chunk in chunks)
    total = sum(chunk.count for chunk in chunks)
    row += [type_, column.position, total, loose, latest.last, latest.last_text, latest.last_time, minimum, maximum]
    return [*row, now]


State = dict[tuple[str, str], tuple[int, int, int]]


def _check_limits(run: RunKey, metrics: list[Metric], state: State) -> None:
    """TooLarge, before the transaction ends, when the run would have more than it may. Counts what is new only."""
    most = limit("metric_rows")
    for metric in metrics:
        total = state[metric.name, ""][1]
        if total > most:
            raise TooLarge(f"The metric {metric.name!r} would have {total:,} rows; the limit is {most:,}.")
    if any(state[metric.name, ""][1] == metric.rows for metric in metrics):
        row = raw.one('SELECT count(*) FROM runs_metricseries WHERE run_id = %s AND "column" = %s', [run.id, ""])
        names, most = row[0] if row else 0, limit("metric_names")
        if names > most:
            raise TooLarge(f"A run has at most {most} metrics with different names; this would be {names}.")
    most = limit("metric_columns")
    for metric in metrics:
        if metric.kind in COLUMNS and any(
            state[metric.name, name][1] == sum(chunk.count for _, chunk in column.pieces)
            for name, column in metric.columns.items()
        ):
            row = raw.one(
                "SELECT count(*) FROM runs_metricseries WHERE run_id = %s AND name = %s", [run.id, metric.name]
            )
            columns = row[0] - 1 if row else 0
            if columns > most:
                raise TooLarge(f"The metric {metric.name!r} has at most {most} columns; this would be {columns}.")


def _write_chunks(metrics: list[Metric], state: State) -> None:
    params: list[Any] = []
    count = 0
    for metric in metrics:
        first = state[metric.name, ""][1] - metric.rows
        for name, column in metric.columns.items():
            for offset, chunk in column.pieces:
                params += [state[metric.name, name][0], first + offset, chunk.count, chunk.to_blob()]
                count += 1
    if count:
        raw.send(_CHUNKS + raw.values(count, 4), params)


def merge_loose(series_ids: Sequence[int]) -> None:
    """Merge the small chunks at the end of each series into one. Within a transaction that has the series' rows locked.
    The metrics of a script grow together, and so they are merged together: in three round trips, however many."""
    tails = raw.together(*((_TAIL, [key]) for key in series_ids))
    taken: dict[int, list[int]] = {}
    for series_id, tail in zip(series_ids, tails, strict=True):
        near = 1
        while near < len(tail) and tail[near - 1][1] - (tail[near][1] + tail[near][2]) < metricstore.LOOSE:
            near += 1  # rows that have no value of this column are filled in, unless they are many
        count = metricstore.merge_run([count for _, _, count in reversed(tail[:near])])
        if count > 1:
            taken[series_id] = [key for key, _, _ in tail[:count]]
    if taken:
        _merge_chunks(taken)
    where, params = raw.among("id", series_ids)
    raw.send(f"UPDATE runs_metricseries SET loose = 0 WHERE {where}", params)


def _merge_chunks(taken: dict[int, list[int]]) -> None:
    """One chunk in place of those, for each series."""
    where, params = raw.among("id", [key for keys in taken.values() for key in keys])
    sql = f"SELECT series_id, start, count, data FROM runs_metricchunk WHERE {where} ORDER BY series_id, start"
    found = raw.rows(sql, params, binary=True)
    merged: list[Any] = []
    for series_id, rows in groupby(found, itemgetter(0)):
        chunks: list[Chunk] = []
        start = end = None
        for _, at, count, data in rows:
            if start is None or end is None:
                start = end = at
            if at > end:  # a column that was left out of some rows
                chunks.append(metricstore.gap(at - end))
            chunks.append(Chunk.from_blob(count, data))
            end = at + count
        whole = metricstore.merge(chunks)
        merged += [series_id, start, whole.count, whole.to_blob()]
    raw.send(f"DELETE FROM runs_metricchunk WHERE {where}", params)
    raw.send(_CHUNKS + raw.values(len(taken), 4), merged)
