"""SQL by hand, for the few paths where each microsecond counts: ingestion and lists.

Django's query compiler costs more than PostgreSQL does there. The statements are those that SQLite (3.35 and later) and
PostgreSQL both know; times and booleans, which raw rows give differently, are put right here.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.db.models import AutoField, Model

from studio.errors import NotFound

Params = Sequence[Any]


def _adapted(params: Params) -> Params:
    """SQLite keeps a time as UTC text without an offset, as Django writes it; PostgreSQL takes the time itself."""
    if connection.vendor == "sqlite" and any(isinstance(value, dt.datetime) for value in params):
        adapt = connection.ops.adapt_datetimefield_value
        return [adapt(value) if isinstance(value, dt.datetime) else value for value in params]
    return params


@contextmanager
def _cursor(binary: bool = False) -> Iterator[Any]:
    """A cursor. On PostgreSQL it is psycopg's own with parameters bound by the server: statements are prepared once
    and bytes travel as they are, where Django's writes every value into the text of the statement."""
    if not _is_plain_postgresql():
        with connection.cursor() as cursor:
            yield cursor
        return
    import psycopg  # a server on SQLite never needs it
    from psycopg.types.datetime import TimestamptzLoader

    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        # The connection's time zone is UTC: psycopg's own loader, in C, gives what Django's gives ten times as fast.
        cursor.adapters.register_loader("timestamptz", TimestamptzLoader)
        if binary:
            cursor.format = psycopg.pq.Format.BINARY
        yield cursor


def _is_plain_postgresql() -> bool:
    return connection.vendor == "postgresql" and not (connection.queries_logged or connection.execute_wrappers)


@contextmanager
def batch() -> Iterator[None]:
    """A transaction whose statements are sent together where the database can (PostgreSQL's pipeline mode).

    Only the functions of this module may be used in it, no model: Django does not know of this transaction.
    Inside a transaction of Django's it is a savepoint of that.
    """
    if not _is_plain_postgresql() or connection.in_atomic_block:
        with transaction.atomic():
            yield
        return
    connection.ensure_connection()
    server = connection.connection
    # By hand: psycopg's own transaction() waits for the server at its begin and at its end, pipeline or not.
    with connection.wrap_database_errors:
        try:
            with server.pipeline():
                with _cursor() as cursor:
                    cursor.execute("BEGIN")
                yield
                with _cursor() as cursor:
                    cursor.execute("COMMIT")
        except BaseException:
            _roll_back(server)
            raise


def _roll_back(server: Any) -> None:
    from psycopg.pq import TransactionStatus

    if server.info.transaction_status in (TransactionStatus.INTRANS, TransactionStatus.INERROR):
        with _cursor() as cursor:
            cursor.execute("ROLLBACK")


def together(*statements: tuple[str, Params]) -> list[list[tuple[Any, ...]]]:
    """The rows of several statements; within `batch` they make one round trip."""
    with ExitStack() as stack:
        cursors = [stack.enter_context(_cursor()) for _ in statements]
        if not _is_plain_postgresql():  # a cursor of SQLite is read before the next statement changes its rows
            return [_read(cursor, sql, params) for cursor, (sql, params) in zip(cursors, statements, strict=True)]
        for cursor, (sql, params) in zip(cursors, statements, strict=True):
            cursor.execute(sql, _adapted(params))
        return [cursor.fetchall() for cursor in cursors]


def _read(cursor: Any, sql: str, params: Params) -> list[tuple[Any, ...]]:
    cursor.execute(sql, _adapted(params))
    return list(cursor.fetchall())


def rows(sql: str, params: Params = (), *, binary: bool = False) -> list[tuple[Any, ...]]:
    """All rows of a statement. `binary` reads large bytes without decoding them from text; not for JSON columns."""
    with _cursor(binary) as cursor:
        cursor.execute(sql, _adapted(params))
        return cursor.fetchall()


def one(sql: str, params: Params = ()) -> tuple[Any, ...] | None:
    """The first row, None when there is none."""
    with _cursor() as cursor:
        cursor.execute(sql, _adapted(params))
        return cursor.fetchone()


def run(sql: str, params: Params = ()) -> int:
    """Execute; how many rows it touched."""
    with _cursor() as cursor:
        cursor.execute(sql, _adapted(params))
        return cursor.rowcount


def send(sql: str, params: Params = ()) -> None:
    """Execute without asking how many rows it touched: inside `batch` nothing waits for it."""
    with _cursor() as cursor:
        cursor.execute(sql, _adapted(params))


def insert(row: Model) -> tuple[str, list[Any]]:
    """The INSERT of a model's row and its parameters, without what the query compiler costs."""
    columns, fields = _columns(type(row))
    values = [field.get_db_prep_save(field.pre_save(row, True), connection) for field in fields]
    return f"INSERT INTO {row._meta.db_table} ({columns}) VALUES ({marks(len(fields))})", values


@cache
def _columns(model: type[Model]) -> tuple[str, list[Any]]:
    fields = [field for field in model._meta.concrete_fields if not isinstance(field, AutoField)]
    return ", ".join(f'"{field.column}"' for field in fields), fields


def assignments(model: type[Model], changes: dict[str, Any]) -> tuple[str, list[Any]]:
    """The SET part of an UPDATE, and its parameters."""
    fields = [(model._meta.get_field(name), value) for name, value in changes.items()]
    sql = ", ".join(f'"{field.column}" = %s' for field, _ in fields)  # type: ignore[union-attr]
    return sql, [field.get_db_prep_save(value, connection) for field, value in fields]  # type: ignore[union-attr]


def marks(count: int) -> str:
    """count placeholders: %s, %s, …"""
    return ", ".join(["%s"] * count)


def among(column: str, keys: Params) -> tuple[str, list[Any]]:
    """The condition that `column` is one of the keys, and its parameters. On PostgreSQL it is one parameter: a statement
    with a hundred would be taken apart, prepared and planned anew for each number of them."""
    if connection.vendor == "postgresql":
        return f"{column} = ANY(%s)", [list(keys)]
    return f"{column} IN ({marks(len(keys)) or 'NULL'})", list(keys)


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


def moment(value: Any) -> Any:
    """The same for an answer of many rows: text, or a time that orjson writes so itself (with OPT_UTC_Z)."""
    return iso(value) if isinstance(value, str) else value


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
