"""Snapshots as zip files: the id that content decides, and the check of what was sent.

The id is the SHA-256 (hex) of the canonical listing: one line `path NUL mode NUL sha256-of-the-content LF` per file,
sorted by path (its UTF-8 bytes), mode "755" where the owner may execute the file, else "644".

The check trusts nothing in the zip: names may not leave the folder, sizes are counted while unpacking and not read from
the headers, so that a small zip of huge files ends at the limit; links and encrypted entries are refused.
"""

from __future__ import annotations

import hashlib
import lzma
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from runs.limits import limit
from runs.paths import check_path
from studio.errors import Invalid, TooLarge

PIECE = 1 << 20
# What zipfile raises for one broken byte or another, found by trying them.
UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    IndexError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
)


class Member(NamedTuple):
    """A file of a snapshot."""

    path: str
    mode: str
    sha256: str
    size: int


def content_id(files: Iterable[tuple[str, str, str]]) -> str:
    """The id of (path, mode, sha256) triples, in any order."""
    lines = sorted(
        path.encode() + b"\0" + mode.encode() + b"\0" + digest.encode() + b"\n" for path, mode, digest in files
    )
    return hashlib.sha256(b"".join(lines)).hexdigest()


def check_zip(archive: Path) -> list[Member]:
    """The members of a zip, each unpacked and hashed; Invalid or TooLarge saying what is wrong with it."""
    try:
        with zipfile.ZipFile(archive) as opened:
            return _members(opened)
    except UNREADABLE as error:
        raise Invalid(f"The snapshot is no zip file that can be read: {error}.") from None


def _members(archive: zipfile.ZipFile) -> list[Member]:
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    if len(entries) > limit("snapshot_files"):
        most = limit("snapshot_files")
        raise TooLarge(f"Your snapshot has {len(entries):,} files; the limit is {most:,}. List some in .amlignore.")
    members: list[Member] = []
    seen: set[str] = set()
    left = limit("snapshot_bytes")
    for entry in entries:
        path = check_path(entry.filename)
        if path in seen:
            raise Invalid(f"The snapshot holds {path[:200]!r} twice.")
        seen.add(path)
        mode = entry.external_attr >> 16
        if stat.S_ISLNK(mode):
            raise Invalid(f"The snapshot holds a link, {path[:200]!r}; send what it points to.")
        if entry.flag_bits & 0x1:
            raise Invalid(f"{path[:200]!r} in the snapshot is encrypted.")
        digest, size = _hash(archive, entry, left)
        left -= size
        members.append(Member(path, "755" if mode & 0o100 else "644", digest, size))
    _no_file_is_a_folder(seen)
    return members


def _no_file_is_a_folder(paths: set[str]) -> None:
    for path in paths:
        while "/" in path:
            path = path.rpartition("/")[0]
            if path in paths:
                raise Invalid(f"{path[:200]!r} in the snapshot is both a file and a folder.")


def _hash(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, most: int) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    with archive.open(entry) as content:
        while piece := content.read(PIECE):
            size += len(piece)
            if size > most:
                megabytes = limit("snapshot_bytes") / 1024**2
                raise TooLarge(f"Your total snapshot size exceeds the limit of {megabytes:.1f} MB.")
            digest.update(piece)
    return digest.hexdigest(), size
