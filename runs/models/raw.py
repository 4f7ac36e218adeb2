"""SQL by hand, for the few paths where each microsecond counts: ingestion and lists.

Django's query compiler costs more than PostgreSQL does there. The statements are those that SQLite (3.35 and later) and
PostgreSQL both know; times and booleans, which raw rows give differently, are put right here.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, NamedTuple

from django.db import connection

from studio.errors import NotFound

Params = Sequence[Any]


def rows(sql: str, params: Params = ()) -> list[tuple[Any, ...]]:
    """All rows of a statement."""
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall()


def one(sql: str, params: Params = ()) -> tuple[Any, ...] | None:
    """The first row, None when there is none."""
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchone()


def run(sql: str, params: Params = ()) -> int:
    """Execute; how many rows it touched."""
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.rowcount


def marks(count: int) -> str:
    """count placeholders: %s, %s, …"""
    return ", ".join(["%s"] * count)


def values(row_count: int, width: int) -> str:
    """Placeholders of a VALUES list."""
    return ", ".join([f"({marks(width)})"] * row_count)


def when(value: Any) -> dt.datetime | None:
    """A raw row's time as an aware UTC datetime."""
    if value is None or isinstance(value, dt.datetime):
        return value.replace(tzinfo=dt.UTC) if value is not None and value.tzinfo is None else value
    return dt.datetime.fromisoformat(value).replace(tzinfo=dt.UTC)


def iso(value: Any) -> str | None:
    """A raw row's time on the wire: ISO 8601, UTC, with Z."""
    if value is None:
        return None
    if isinstance(value, str):  # SQLite keeps UTC as text
        return value.replace(" ", "T", 1) + "Z"
    if value.utcoffset():
        value = value.astimezone(dt.UTC)
    return value.replace(tzinfo=None).isoformat() + "Z"


class RunKey(NamedTuple):
    """What the hot paths need of a run."""

    id: str
    state: str
    workspace_id: int
    experiment_id: int
    parent_id: str | None
    root_id: str
    kind: str


_KEY = "SELECT id, state, workspace_id, experiment_id, parent_id, root_id, kind FROM runs_run WHERE id = %s"


def run_key(run_id: str) -> RunKey:
    """The run, or NotFound. One query by primary key."""
    row = one(_KEY, [run_id])
    if row is None:
        raise no_run(run_id)
    return RunKey._make(row)


def no_run(run_id: str) -> NotFound:
    """The same sentence for a run that does not exist and for one of others."""
    return NotFound(f"There is no run {run_id[:260]!r} that you can see.")


def is_below(run: RunKey, ancestor: str) -> bool:
    """Whether `run` is the run `ancestor` or one of its descendants."""
    parent: str | None = run.parent_id
    if run.id == ancestor:
        return True
    while parent is not None and parent != ancestor:
        row = one("SELECT parent_id FROM runs_run WHERE id = %s", [parent])
        parent = row[0] if row else None
    return parent == ancestor
