"""A run's files as pages read them: artifacts and logs that still grow, by one name, in windows of bytes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from runs.models import Artifact, Log, LogChunk, Run
from studio.errors import Invalid, NotFound
from studio.workspace import storage

URI = "aml://artifactId/ExperimentRun/dcid."
DOCUMENT_BYTES = 8 * 1024**2
_PIECE = 1 << 20


@dataclass(frozen=True)
class RunFile:
    """A file of a run. ``live``: it still grows, and its bytes are log chunks; else they lie under ``sha256``."""

    path: str
    size: int
    content_type: str
    created_at: datetime
    sha256: str = ""
    log_id: int | None = None
    live: bool = False

    def read(self, offset: int = 0, limit: int | None = None) -> bytes:
        """The bytes from ``offset`` on, at most ``limit``."""
        end = self.size if limit is None else min(self.size, offset + limit)
        if offset >= end:
            return b""
        if self.log_id is None:
            with storage.open_content(self.sha256) as content:
                content.seek(offset)
                return _exactly(content, end - offset)
        return b"".join(_log_bytes(self.log_id, offset, end))

    def pieces(self) -> Iterator[bytes]:
        """All bytes, a megabyte at a time."""
        offset = 0
        while offset < self.size:
            piece = self.read(offset, _PIECE)
            if not piece:
                return
            offset += len(piece)
            yield piece


def _exactly(content: Any, count: int) -> bytes:
    """``count`` bytes or what there is: an unbuffered file may give fewer at once."""
    found = bytearray()
    while len(found) < count:
        piece = content.read(count - len(found))
        if not piece:
            break
        found += piece
    return bytes(found)


def _log_bytes(log_id: int, offset: int, end: int) -> Iterator[bytes]:
    chunks = LogChunk.objects.filter(log_id=log_id)
    first = chunks.filter(offset__lte=offset).order_by("-offset").values_list("offset", flat=True).first() or 0
    for start, data in (
        chunks.filter(offset__gte=first, offset__lt=end).order_by("offset").values_list("offset", "data")
    ):
        piece = bytes(data)
        yield piece[max(0, offset - start) : max(0, end - start)]


def _of_artifact(row: Artifact) -> RunFile:
    return RunFile(row.path, row.size, row.content_type, row.created_at, sha256=row.sha256)


def _of_log(row: Log) -> RunFile:
    return RunFile(row.path, row.size, "text/plain", row.updated_at, log_id=row.pk, live=True)


def files_of(run: Run, most: int | None = None) -> list[RunFile]:
    """Every file by path; a log that was closed is its artifact."""
    artifacts = Artifact.objects.filter(run=run).order_by("path")
    found = {row.path: _of_artifact(row) for row in (artifacts if most is None else artifacts[:most])}
    for row in Log.objects.filter(run=run, complete=False):
        found.setdefault(row.path, _of_log(row))
    return [found[path] for path in sorted(found)]


def file_of(run: Run, path: str) -> RunFile:
    """The file at ``path`` of the run; NotFound when it has none."""
    artifact = Artifact.objects.filter(run=run, path=path).first()
    if artifact is not None:
        return _of_artifact(artifact)
    log = Log.objects.filter(run=run, path=path, complete=False).first()
    if log is None:
        raise NotFound(f"This run has no file {path!r}.")
    return _of_log(log)


def path_in(run: Run, value: Any) -> str | None:
    """The path that an "aml://artifactId/…" value of this run names; None for any other value."""
    prefix = f"{URI}{run.id}/"
    return value.removeprefix(prefix) if isinstance(value, str) and value.startswith(prefix) else None


def document_of(run: Run, value: Any) -> Any:
    """The JSON that a typed metric's value names (or is); Invalid when it can't be read as JSON."""
    if isinstance(value, dict):
        return value
    path = path_in(run, value)
    if path is None:
        raise Invalid("The metric's value names no file of this run.")
    file = file_of(run, path)
    if file.size > DOCUMENT_BYTES:
        raise Invalid(f"{path} is larger than {DOCUMENT_BYTES // 1024**2} MB; download it to read it.")
    try:
        return orjson.loads(file.read())
    except orjson.JSONDecodeError:
        raise Invalid(f"{path} is not JSON.") from None
