"""The files of a snapshot, read out of its zip; and what differs between two."""

from __future__ import annotations

import difflib
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, cast

from runs.models import Snapshot, SnapshotFile
from studio.errors import NotFound
from studio.workspace import storage

DIFFED_BYTES = 512 * 1024
DIFFED_LINES = 10_000


def listing(snapshot: Snapshot) -> list[SnapshotFile]:
    """Its files by path."""
    return list(SnapshotFile.objects.filter(snapshot=snapshot).order_by("path"))


def _archive(content: IO[bytes]) -> zipfile.ZipFile:
    # The store's file is unbuffered, and a zip is read in many small steps.
    raw = cast(io.RawIOBase, content)
    return zipfile.ZipFile(io.BufferedReader(raw) if isinstance(content, io.RawIOBase) else content)


def read(snapshot: Snapshot, path: str, most: int | None = None) -> bytes:
    """The first ``most`` bytes of a file, or all; NotFound when the snapshot lacks it."""
    with storage.open_content(snapshot.zip_sha256) as content, _archive(content) as archive:
        try:
            with archive.open(path) as member:
                return member.read() if most is None else member.read(most)
        except KeyError:
            raise NotFound(f"The snapshot has no file {path!r}.") from None


def packed(snapshot: Snapshot) -> Iterator[bytes]:
    """The zip itself, a megabyte at a time."""
    with storage.open_content(snapshot.zip_sha256) as content:
        while piece := content.read(1 << 20):
            yield piece


@dataclass(frozen=True)
class Change:
    """A path that differs: ``kind`` is added, removed or changed, seen from the other snapshot to this one."""

    path: str
    kind: str
    size: int


def changes(this: Snapshot, other: Snapshot) -> list[Change]:
    """What differs, by path; the hashes of the listings decide, so no content is read."""
    mine = {row.path: row for row in listing(this)}
    theirs = {row.path: row for row in listing(other)}
    found = []
    for path in sorted(mine.keys() | theirs.keys()):
        if path not in theirs:
            found.append(Change(path, "added", mine[path].size))
        elif path not in mine:
            found.append(Change(path, "removed", theirs[path].size))
        elif mine[path].sha256 != theirs[path].sha256:
            found.append(Change(path, "changed", mine[path].size))
    return found


def unified_diff(this: Snapshot, other: Snapshot, path: str) -> str | None:
    """The unified diff of a path from ``other`` to ``this``; None when a side is no text or too large to compare."""
    sides = []
    for snapshot in (other, this):
        try:
            data = read(snapshot, path, DIFFED_BYTES + 1)
        except NotFound:
            data = b""
        if len(data) > DIFFED_BYTES or b"\0" in data:
            return None
        try:
            lines = data.decode("utf-8").splitlines(keepends=True)
        except UnicodeDecodeError:
            return None
        if len(lines) > DIFFED_LINES:
            return None
        sides.append([line if line.endswith("\n") else line + "\n" for line in lines])
    return "".join(difflib.unified_diff(sides[0], sides[1], fromfile=f"other/{path}", tofile=f"this/{path}", n=4))
