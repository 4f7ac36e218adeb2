"""The submitted folder: downloaded, checked against its id, unpacked. No file leaves the working folder."""

from __future__ import annotations

import hashlib
import stat
import tempfile
import zipfile
from pathlib import Path, PurePosixPath
from typing import IO

from atelier.client import Client
from atelier.errors import SnapshotError
from atelier.snapshots import EXECUTABLE, PLAIN, content_id


def fetch(client: Client, path: str, snapshot_id: str, folder: Path) -> int:
    """Downloads the zip at an API path and unpacks it into `folder`; returns the number of files.

    Raises SnapshotError when its content is not what the id says.
    """
    with tempfile.TemporaryFile(dir=folder.parent) as file:
        answer = client.open("GET", path, timeout=120)
        for chunk in answer.chunks():
            file.write(chunk)
        file.seek(0)
        return unpack(file, snapshot_id, folder)


def unpack(file: IO[bytes], snapshot_id: str, folder: Path) -> int:
    """Unpacks a snapshot's zip and checks that its content is what the id says; returns the number of files."""
    listing: list[tuple[str, str, str]] = []
    try:
        archive = zipfile.ZipFile(file)
    except zipfile.BadZipFile as error:
        raise SnapshotError(f"The snapshot {snapshot_id[:12]} is not a zip file ({error}).", error) from error
    with archive:
        for member in archive.infolist():
            if member.is_dir():
                continue
            target = inside(folder, member.filename)
            mode = EXECUTABLE if (member.external_attr >> 16) & 0o100 else PLAIN
            target.parent.mkdir(parents=True, exist_ok=True)
            digest = hashlib.sha256()
            with archive.open(member) as source, target.open("wb") as out:
                while chunk := source.read(1 << 20):
                    digest.update(chunk)
                    out.write(chunk)
            target.chmod(int(mode, 8))
            listing.append((member.filename, mode, digest.hexdigest()))
    found = content_id(listing)
    if found != snapshot_id:
        raise SnapshotError(
            f"The snapshot's content does not match its id: {found[:12]} where {snapshot_id[:12]} was asked."
        )
    return len(listing)


def inside(folder: Path, name: str) -> Path:
    """The path of a member below `folder`. Raises SnapshotError for one that would lead out of it."""
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or not path.parts or ":" in path.parts[0] or "\0" in name:
        raise SnapshotError(f"The snapshot holds the name {name!r}, which leads out of the working folder.")
    target = folder.joinpath(*path.parts)
    # An earlier member cannot be a link (they are written as files), but the folder may have held one before.
    if not target.parent.resolve().is_relative_to(folder.resolve()):
        raise SnapshotError(
            f"The snapshot holds the name {name!r}, which leads through a link out of the working folder."
        )
    if target.is_symlink() or (target.exists() and not stat.S_ISREG(target.stat().st_mode)):
        raise SnapshotError(f"The snapshot holds the name {name!r}, where something else stands already.")
    return target
