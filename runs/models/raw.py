"""SQL by hand, for the few paths where each microsecond counts: ingestion and lists.

Django's query compiler costs more than PostgreSQL does there. The statements are those that SQLite (3.35 and later) and
PostgreSQL both know; times and booleans, which raw rows give differently, are put right here.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connection, connections, transaction
from django.db.models import AutoField, JSONField, Model

from runs.states import NOT_FINAL
from studio.errors import NotFound

if TYPE_CHECKING:
    from runs.models.session import Session

Params = Sequence[Any]
Statement = tuple[str, Params]
_PLAIN = frozenset({str, int, float, type(None), dt.datetime})
# SQLite's times come without a zone: UTC like all that is kept.
WIRE_TIMES = orjson.OPT_UTC_Z | orjson.OPT_NAIVE_UTC
# The few runs under way, by the partial index runs_not_final: SQLite takes it only when the states are written out, in
# the order of the index's own list. As parameters they make it walk all the runs there ever were.
UNDER_WAY = f"state IN ({', '.join(repr(state) for state in sorted(s.value for s in NOT_FINAL))})"


def _adapted(params: Params) -> Params:
    """SQLite keeps a time as UTC text without an offset, as Django writes it; PostgreSQL takes the time itself."""
    if connection.vendor == "sqlite" and any(isinstance(value, dt.datetime) for value in params):
        adapt = connection.ops.adapt_datetimefield_value
        return [adapt(value) if isinstance(value, dt.datetime) else value for value in params]
    return params


@contextmanager
def _cursor(binary: bool = False) -> Iterator[Any]:
    """A cursor. On PostgreSQL it is psycopg's own with parameters bound by the server: bytes travel as they are, where
    Django's writes every value into the text of the statement."""
    wrapper = connections[DEFAULT_DB_ALIAS]
    session = _session(wrapper)
    if session is None:
        with wrapper.cursor() as cursor:
            yield cursor
        return
    import psycopg  # a server on SQLite never needs it
    from psycopg.types.datetime import TimestamptzLoader

    with wrapper.wrap_database_errors:
        session.flush()
        with psycopg.Cursor(wrapper.connection) as cursor:
            # The connection's time zone is UTC: psycopg's own loader, in C, gives what Django's gives ten times as fast.
            cursor.adapters.register_loader("timestamptz", TimestamptzLoader)
            if binary:
                cursor.format = psycopg.pq.Format.BINARY
            yield cursor


def _session(wrapper: Any) -> Session | None:
    """The session of a connection to PostgreSQL. None on SQLite, and while somebody counts or logs Django's statements."""
    if wrapper.vendor != "postgresql" or wrapper.queries_logged or wrapper.execute_wrappers:
        return None
    wrapper.ensure_connection()
    kept: Session | None = getattr(wrapper, "atelier_session", None)
    if kept is None or kept.server is not wrapper.connection:
        from runs.models.session import Session

        kept = wrapper.atelier_session = Session(wrapper.connection, settings.PREPARED_STATEMENTS)
    return kept


@contextmanager
def batch() -> Iterator[None]:
    """A transaction; on PostgreSQL its begin, what `send` gives and its end travel with their neighbours.

    Only the functions of this module may be used in it, no model: Django does not know of this transaction.
    Inside a transaction of Django's it is a savepoint of that.
    """
    wrapper = connections[DEFAULT_DB_ALIAS]
    session = _session(wrapper)
    if session is None or wrapper.in_atomic_block:
        with transaction.atomic():
            yield
        return
    with wrapper.wrap_database_errors, session.batch():
        yield


def together(*statements: Statement) -> list[list[tuple[Any, ...]]]:
    """The rows of several statements; on PostgreSQL they make one round trip."""
    wrapper = connections[DEFAULT_DB_ALIAS]
    session = _session(wrapper)
    if session is None:
        return [rows(sql, params) for sql, params in statements]
    with wrapper.wrap_database_errors:
        return session.execute(*statements)


def in_transaction(*statements: Statement) -> list[list[tuple[Any, ...]]]:
    """The rows of several statements in a transaction of their own; on PostgreSQL all of it is one round trip."""
    wrapper = connections[DEFAULT_DB_ALIAS]
    session = _session(wrapper)
    if session is None or wrapper.in_atomic_block:
        with transaction.atomic():
            return together(*statements)
    with wrapper.wrap_database_errors:
        return session.transaction(statements)


def change_and_add(update: Statement, row: Model) -> bool:
    """Run an UPDATE that matches one row or none, and when it did add `row`; both or nothing. Whether it matched."""
    wrapper = connections[DEFAULT_DB_ALIAS]
    sql, values = insert(row)
    if wrapper.vendor == "postgresql":  # one statement does both
        added = sql.replace(" VALUES (", " SELECT ", 1).removesuffix(")") + " FROM changed RETURNING 1"
        return bool(together((f"WITH changed AS ({update[0]} RETURNING 1) {added}", [*update[1], *values]))[0])
    with transaction.atomic():
        if not run(*update):
            return False
        run(sql, values)
    return True


def rows(sql: str, params: Params = (), *, binary: bool = False) -> list[tuple[Any, ...]]:
    """All rows of a statement. `binary` reads large bytes without decoding them from text; not for JSON columns."""
    with _cursor(binary) as cursor:
        cursor.execute(sql, _adapted(params))
        # A statement that gives no rows has no description; SQLite's cursor is read before the next statement.
        return list(cursor.fetchall()) if cursor.description else []


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
    wrapper = connections[DEFAULT_DB_ALIAS]
    session = _session(wrapper)
    if session is None:
        run(sql, params)
        return
    with wrapper.wrap_database_errors:
        session.later((sql, params))


def insert(row: Model, computed: dict[str, str] | None = None, source: Statement = ("", ())) -> Statement:
    """The INSERT of a model's row, without what the query compiler costs.

    `computed` are columns that the database takes from `source` (what follows FROM), and the statement gives them back.
    """
    given = computed or {}
    columns = [(column, field) for column, field in _columns(type(row)) if column not in given]
    values = [_prepared(field, field.pre_save(row, True)) for _, field in columns]
    into = f"INSERT INTO {row._meta.db_table} ({_listed([*(column for column, _ in columns), *given])})"
    if not given:
        return f"{into} VALUES ({marks(len(columns))})", values
    taken = ", ".join(given.values())
    sql = f"{into} SELECT {marks(len(columns))}, {taken} FROM {source[0]} RETURNING {_listed(given)}"
    return sql, [*values, *source[1]]


def _prepared(field: Any, value: Any) -> Any:
    """The value as the database takes it. Most are that already, and Django's way to find out is long."""
    if type(value) in _PLAIN and type(field) is not JSONField:
        return value
    return field.get_db_prep_save(value, connection)


def _listed(columns: Iterable[str]) -> str:
    return ", ".join(f'"{column}"' for column in columns)


@cache
def _columns(model: type[Model]) -> list[tuple[str, Any]]:
    fields = [field for field in model._meta.concrete_fields if not isinstance(field, AutoField)]
    return [(str(field.column), field) for field in fields]


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
    """The same for an answer of many rows: text, or a time that orjson writes so itself (with WIRE_TIMES)."""
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


class Claim(NamedTuple):
    """What is believed of a run; the statement that writes proves it, by what is the source of its row."""

    run: RunKey
    where: str
    """A condition on `runs_run r`, which one row fulfils or none."""
    params: list[Any]

    def row(self, columns: str, values: Params) -> Statement:
        """What follows the column list of an INSERT: a row of `columns` if the claim holds."""
        return f"SELECT {columns} FROM runs_run r WHERE {self.where}", [*values, *self.params]

    def holds(self) -> bool:
        """Ask for the claim alone."""
        return bool(together((f"SELECT 1 FROM runs_run r WHERE {self.where}", self.params))[0])


class Unproven(Exception):
    """A claim did not hold; nothing was written. Ask anew."""


_KEY = "SELECT id, state, workspace_id, experiment_id, parent_id, root_id, kind FROM runs_run WHERE id = %s"


def run_key(run_id: str) -> RunKey:
    """The run, or NotFound. One query by primary key."""
    found = together((_KEY, [run_id]))[0]
    if not found:
        raise no_run(run_id)
    return RunKey._make(found[0])


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
