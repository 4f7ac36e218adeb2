"""The hot statements on PostgreSQL: prepared once a connection, and those that belong together in one round trip.

psycopg's cursors cost more in this process than the statements cost the server, and Django turns their preparing off.
So these few go straight to libpq, through psycopg's own binding of it (psycopg.pq). Parameters travel as text without a
type, and the server takes the type from the column: one prepared statement serves whatever values come. Large bytes
travel as they are.
"""

from __future__ import annotations

import datetime as dt
import re
import select
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from psycopg import Connection, Cursor, DataError, OperationalError
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, ExecStatus, TransactionStatus
from psycopg.types.datetime import TimestamptzLoader

Statement = tuple[str, Sequence[Any]]
Rows = list[tuple[Any, ...]]
MOST_PREPARED = 100
MOST_PARAMETERS = 600
"""A longer statement is a batch of an odd size: its plan is large, and it hardly comes again."""
_LOST = "the connection to PostgreSQL is lost"
_BEGIN: Statement = ("BEGIN", ())
_COMMIT: Statement = ("COMMIT", ())
Take = Callable[[Any], Rows | None]
"""Reads one result: rows, or None for what was sent on the session's own account."""


def _text(value: str) -> bytes:
    if "\x00" in value:  # libpq would end the text there
        raise DataError("PostgreSQL can't keep a NUL (0x00) in a text.")
    return value.encode()


_PLAIN_TEXT = re.compile(r"[\w-]+").fullmatch


def _array(texts: Sequence[str]) -> bytes:
    """PostgreSQL's own text of an array of texts: each in quotes, within them " and the backslash behind a backslash."""
    quoted = ",".join(f'"{text if _PLAIN_TEXT(text) else _quoted(text)}"' for text in texts)
    return _text("{" + quoted + "}")


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


_DUMP: dict[type, Callable[[Any], bytes | None]] = {
    str: _text,
    int: lambda value: b"%d" % value,
    float: lambda value: float.__repr__(value).encode(),
    bool: lambda value: b"t" if value else b"f",
    bytes: lambda value: value,
    dt.datetime: lambda value: value.isoformat(" ").encode(),
    uuid.UUID: lambda value: value.hex.encode(),
    type(None): lambda value: None,
}


def _dumper(kind: type) -> Callable[[Any], bytes | None] | None:
    """How values of a type derived from those become text; None for those that psycopg's own adaptation knows."""
    return next((_DUMP[base] for base in kind.__mro__ if base in _DUMP), None)


@lru_cache(1000)
def _numbered(sql: str) -> bytes:
    """The statement with $1, $2 … for each %s."""
    count = iter(range(1, sql.count("%s") + 1))
    return re.sub("%s", lambda _: f"${next(count)}", sql).encode()


class Session:
    """What this process knows of one connection. Django's own statements go on beside it."""

    def __init__(self, server: Connection[Any], prepare: bool) -> None:
        self.server = server
        self._pg = server.pgconn
        self._prepare = prepare
        adapted = Cursor(server)
        # The connection's time zone is UTC: psycopg's own loader, in C, gives what Django's gives ten times as fast.
        adapted.adapters.register_loader("timestamptz", TimestamptzLoader)
        self._adapter = Transformer(adapted)
        self._names: OrderedDict[str, bytes] = OrderedDict()
        self._made = 0
        self._waiting: list[Statement] = []
        self._open = False
        self._poll = select.poll()
        self._poll.register(self._pg.socket, select.POLLIN)

    # -- what raw asks for --------------------------------------------------------------------------------------------

    def execute(self, *statements: Statement) -> list[Rows]:
        """The rows of each, in one round trip with what waits before them."""
        before, self._waiting = self._waiting, []
        return self._run([*before, *statements])[len(before) :]

    def later(self, statement: Statement) -> None:
        """Within `batch`: send it along with the next one. Otherwise now."""
        if self._open:
            self._waiting.append(statement)
        else:
            self._run([statement])

    def flush(self) -> None:
        """Send what waits: somebody is about to use the connection without us."""
        if self._waiting:
            self.execute()

    @contextmanager
    def batch(self) -> Iterator[None]:
        """A transaction. Its begin goes out with the first statement, its last statements with the commit."""
        self._open, self._waiting = True, [_BEGIN]
        try:
            yield
            if self._waiting == [_BEGIN]:
                self._waiting = []
            else:
                self.execute(_COMMIT)
        except BaseException:
            self._roll_back()
            raise
        finally:
            self._open, self._waiting = False, []

    def transaction(self, statements: Sequence[Statement]) -> list[Rows]:
        """The rows of each; all in a transaction and in one round trip."""
        if len(statements) == 1:  # is a transaction of its own
            return self._run(statements)
        try:
            return self._run([_BEGIN, *statements, _COMMIT])[1:-1]
        except BaseException:
            self._roll_back()
            raise

    def _roll_back(self) -> None:
        if self._pg.transaction_status in (TransactionStatus.INTRANS, TransactionStatus.INERROR):
            self._pg.exec_(b"ROLLBACK")

    # -- libpq --------------------------------------------------------------------------------------------------------

    def _run(self, statements: Sequence[Statement]) -> list[Rows]:
        dumped = [
            (sql, list(map(self._dump, params)), [type(value) is bytes for value in params])
            for sql, params in statements
        ]
        pg = self._pg
        if len(dumped) == 1 and (name := self._names.get(dumped[0][0])) is not None:
            self._names.move_to_end(dumped[0][0])
            return [self._take(pg.exec_prepared(name, *dumped[0][1:]))]  # waits without holding up other threads
        pg.enter_pipeline_mode()
        try:
            expected: list[Take] = []
            for sql, values, binary in dumped:
                self._queue(sql, values, binary, expected)
            pg.pipeline_sync()
            found = [rows for take in expected if (rows := take(self._next())) is not None]
            self._next()  # the answer to the sync
            pg.exit_pipeline_mode()
        except BaseException:
            self._recover()
            raise
        return found

    def _dump(self, value: Any) -> Any:
        if dump := _DUMP.get(type(value)):  # of most, said here: a batch has hundreds
            return dump(value)
        if type(value) is list and all(type(item) is str for item in value):
            return _array(value)
        if dump := _dumper(type(value)):
            return dump(value)
        return self._adapter.get_dumper(value, PyFormat.TEXT).dump(value)

    def _queue(self, sql: str, values: list[Any], binary: list[bool], expected: list[Take]) -> None:
        name = self._names.get(sql)
        if name is not None:
            self._names.move_to_end(sql)
        elif self._prepare and len(values) <= MOST_PARAMETERS:
            name = self._prepared(sql, expected)
        if name is not None:
            self._pg.send_query_prepared(name, values, binary)
        else:
            self._pg.send_query_params(_numbered(sql), values, None, binary)
        expected.append(self._take)

    def _prepared(self, sql: str, expected: list[Take]) -> bytes:
        if len(self._names) >= MOST_PREPARED:
            _, oldest = self._names.popitem(last=False)
            self._pg.send_query_params(b"DEALLOCATE " + oldest, None)
            expected.append(self._check)
        self._made += 1
        name = b"atelier_%d" % self._made
        self._pg.send_prepare(name, _numbered(sql))

        def take(result: Any) -> None:
            self._check(result)
            self._names[sql] = name

        expected.append(take)
        return name

    def _next(self) -> Any:
        """The next result. Other threads run while the server works."""
        pg = self._pg
        while pg.flush():
            self._poll.modify(pg.socket, select.POLLIN | select.POLLOUT)
            self._poll.poll()
            self._poll.modify(pg.socket, select.POLLIN)
            pg.consume_input()
        while True:
            while pg.is_busy():
                self._poll.poll()
                pg.consume_input()
            if (result := pg.get_result()) is not None:
                return result
            if pg.status != ConnStatus.OK:
                raise OperationalError(_LOST)

    def _check(self, result: Any) -> None:
        if result.status in (ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK):
            return
        if self._pg.status != ConnStatus.OK:  # libpq's own words, without a code
            raise OperationalError(result.get_error_message() or _LOST)
        raise error_from_result(result, encoding="utf-8")

    def _take(self, result: Any) -> Rows:
        if result.status == ExecStatus.TUPLES_OK:
            self._adapter.set_pgresult(result)
            return self._adapter.load_rows(0, result.ntuples, tuple)  # type: ignore[arg-type]
        self._check(result)
        return []

    def _recover(self) -> None:
        """Read what the server still says of a pipeline that failed; a connection that stays unclear is closed."""
        try:
            while self._next().status != ExecStatus.PIPELINE_SYNC:
                pass
            self._pg.exit_pipeline_mode()
        except (OperationalError, OSError):
            self.server.close()
