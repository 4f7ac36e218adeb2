"""Artifacts and logs by name: what the API lists and serves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from runs.models import Artifact, raw
from studio.errors import NotFound
from studio.workspace import storage


class Kept(NamedTuple):
    """A file of a run. An open log has no hash yet: its bytes are the chunks of `log_id`."""

    path: str
    size: int
    sha256: str | None
    content_type: str
    created_at: Any
    log_id: int | None = None


_FILE = "SELECT path, size, sha256, content_type, created_at FROM runs_artifact WHERE run_id = %s"
_LOG = "SELECT path, size, NULL, 'text/plain', updated_at, id FROM runs_log WHERE run_id = %s AND complete = %s"


def find(run_id: str, path: str) -> Kept:
    """The artifact or open log of that name, or NotFound."""
    row = raw.one(f"{_FILE} AND path_key = %s", [run_id, Artifact.key_of(path)])
    row = row or raw.one(f"{_LOG} AND path = %s", [run_id, False, path])
    if row is None:
        raise NotFound(f"The run has no file {path[:200]!r}.", "path")
    return Kept._make(row) if len(row) == 6 else Kept(*row)


def listed(run_id: str, prefix: str = "") -> list[Kept]:
    """Every artifact and open log whose path starts with `prefix`, by path."""
    found = {row[0]: Kept(*row) for row in raw.rows(_FILE, [run_id])}
    for row in raw.rows(_LOG, [run_id, False]):
        found.setdefault(row[0], Kept._make(row))
    return [found[path] for path in sorted(found) if path.startswith(prefix)]


def as_dict(kept: Kept) -> dict[str, Any]:
    """The wire form."""
    return {
        "path": kept.path,
        "size": kept.size,
        "sha256": kept.sha256,
        "content_type": kept.content_type,
        "created_at": raw.iso(kept.created_at),
    }


class LogState(NamedTuple):
    """A log as followers see it."""

    id: int
    path: str
    size: int
    complete: bool
    base: int
    """Where the part of this attempt of the job begins."""


def logs_of(run_id: str) -> list[LogState]:
    """The run's logs, open and closed, by path."""
    rows = raw.rows("SELECT id, path, size, complete, base FROM runs_log WHERE run_id = %s ORDER BY path", [run_id])
    return [LogState(key, path, size, bool(complete), base) for key, path, size, complete, base in rows]


def read_log(run_id: str, path: str, offset: int, limit: int) -> tuple[bytes, int, bool]:
    """At most `limit` bytes of a log from `offset` on (a negative one counts from the end), its size, and whether it is closed."""
    row = raw.one("SELECT id, path, size, complete, base FROM runs_log WHERE run_id = %s AND path = %s", [run_id, path])
    if row is None:
        raise NotFound(f"The run has no log {path[:200]!r}.", "path")
    log = LogState._make(row)
    start = max(0, log.size + offset) if offset < 0 else offset
    end = min(log.size, start + limit)
    if log.complete:
        kept = find(run_id, path)
        with storage.open_content(kept.sha256 or "") as content:
            content.seek(start)
            return read_exactly(content, limit), kept.size, True
    return b"".join(log_bytes(log.id, start, end)), log.size, False


def read_exactly(content: Any, count: int) -> bytes:
    """`count` bytes, or what there is: an unbuffered file may give fewer at once."""
    found = bytearray()
    while len(found) < count and (piece := content.read(count - len(found))):
        found += piece
    return bytes(found)


def log_bytes(log_id: int, start: int, end: int) -> Iterator[bytes]:
    """The bytes [start, end) of an open log, chunk by chunk."""
    if start >= end:
        return
    first = raw.one('SELECT max("offset") FROM runs_logchunk WHERE log_id = %s AND "offset" <= %s', [log_id, start])
    at = (first and first[0]) or 0
    while at < end:
        rows = raw.rows(
            'SELECT "offset", data FROM runs_logchunk WHERE log_id = %s AND "offset" >= %s AND "offset" < %s '
            'ORDER BY "offset" LIMIT 256',
            [log_id, at, end],
        )
        if not rows:
            return
        for offset, data in rows:
            yield bytes(data)[max(0, start - offset) : max(0, end - offset)]
            at = offset + len(data)
