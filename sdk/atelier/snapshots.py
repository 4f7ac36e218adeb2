"""Snapshots: a folder as it was, kept under an id that only its content decides.

The id is the SHA-256 (hex) of the canonical listing: one line `path NUL mode NUL sha256-of-the-content LF` per file,
sorted by path (UTF-8), mode "755" where the owner may execute the file, else "644". So whether the server has
this content is known before anything is zipped.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from types import ModuleType
from typing import IO, Any, NamedTuple

from atelier.client import Client, segment
from atelier.errors import InvalidRequest, NotFoundError, SnapshotError
from atelier.ignore import ignore_file, walk
from atelier.progress import Counted, Progress

MB = 1024 * 1024
EXECUTABLE, PLAIN = "755", "644"


class Limits:
    """What a snapshot may hold. Both may be raised (the server has its own limits)."""

    max_bytes: int = 300 * MB
    max_files: int = 2000


class File(NamedTuple):
    """One file of a listing."""

    path: str
    mode: str
    sha256: str
    size: int


class Listing(NamedTuple):
    """What a folder holds now."""

    folder: Path
    id: str
    files: tuple[File, ...]

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(file.size for file in self.files)


def content_id(files: list[tuple[str, str, str]]) -> str:
    """The id of (path, mode, sha256) triples, in any order."""
    lines = sorted(
        path.encode() + b"\0" + mode.encode() + b"\0" + digest.encode() + b"\n" for path, mode, digest in files
    )
    return hashlib.sha256(b"".join(lines)).hexdigest()


def listing(folder: str | os.PathLike[str]) -> Listing:
    """Read and hash a folder; raises `SnapshotError` when it is no folder or more than the limits allow."""
    root = Path(folder)
    if not root.is_dir():
        raise SnapshotError(f"The source directory {str(folder)!r} does not exist or is not a folder.")
    found = _checked(root)
    files = []
    with Progress(f"Reading {len(found):,} files of the source directory") as progress:
        for path, mode in found:
            digest, size = _hash(root / path)
            files.append(File(path, mode, digest, size))
            progress.add(size)
    return Listing(root, content_id([file[:3] for file in files]), tuple(files))


def _checked(root: Path) -> list[tuple[str, str]]:
    """(path, mode) of every file; the limits are checked before anything is read."""
    found: list[tuple[str, str]] = []
    total, largest, largest_size = 0, "", -1
    for path, info in walk(root):
        try:
            path.encode()
        except UnicodeEncodeError:
            raise SnapshotError(
                f"The name of the file {path!r} is not valid UTF-8. Rename it, or list it in .amlignore."
            ) from None
        if "\\" in path or "\n" in path or "\r" in path:
            raise SnapshotError(
                f"The name of the file {path!r} holds a backslash or a line break, which not every system can "
                "unpack. Rename it, or list it in .amlignore."
            )
        found.append((path, EXECUTABLE if info.st_mode & 0o100 else PLAIN))
        total += info.st_size
        if info.st_size > largest_size:
            largest, largest_size = path, info.st_size
        if total > Limits.max_bytes:
            raise SnapshotError(
                f"Your total snapshot size exceeds the limit of {Limits.max_bytes / MB:.1f} MB. The largest file up to "
                f"there is {largest} ({largest_size / MB:.1f} MB) in {root}. {_advice(root)}"
            )
        if len(found) > Limits.max_files:
            raise SnapshotError(
                f"Your total snapshot exceeds the limit of {Limits.max_files} files in {root}. {_advice(root)}"
            )
    return found


def _advice(root: Path) -> str:
    file = ignore_file(root)
    where = (
        f"Add what the run does not need to {file.name}" if file else "List what the run does not need in .amlignore"
    )
    return f"{where} (data belongs into outputs or a shared folder), or raise azureml._restclient.snapshots_client.SNAPSHOT_MAX_SIZE_BYTES."  # fmt: skip


def _hash(file: Path) -> tuple[str, int]:
    try:
        with file.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
            return digest, content.tell()
    except OSError as error:
        raise SnapshotError(f"{file} cannot be read: {error.strerror}.", error) from error


def write_zip(files: Listing, out: IO[bytes]) -> None:
    """The listing's files as a zip; equal listings make equal zips."""
    import zipfile

    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for file in files.files:
            entry = zipfile.ZipInfo(file.path, date_time=(1980, 1, 1, 0, 0, 0))
            entry.external_attr = (0o100000 | int(file.mode, 8)) << 16
            entry.create_system = 3  # Unix, so that the mode is read back
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.file_size = file.size
            with (files.folder / file.path).open("rb") as content, archive.open(entry, "w") as target:
                while piece := content.read(MB):
                    target.write(piece)


def upload(client: Client, workspace: str, folder: str | os.PathLike[str]) -> Listing:
    """Make sure that the server has `folder` as it is now; nothing is sent when it knows the content already."""
    files = listing(folder)
    try:
        _send(client, workspace, files)
    except InvalidRequest:
        again = listing(folder)
        if again.id == files.id:
            raise
        files = again  # a file was written between the listing and the zip
        _send(client, workspace, files)
    return files


def _send(client: Client, workspace: str, files: Listing) -> None:
    address = f"/workspaces/{segment(workspace)}/snapshots/{files.id}"
    try:
        client.call("GET", address)
        return
    except NotFoundError:
        pass
    import tempfile

    with tempfile.SpooledTemporaryFile(max_size=32 * MB) as out:
        write_zip(files, out)
        size = out.tell()
        out.seek(0)
        headers = {"Content-Type": "application/zip", "Content-Length": str(size)}
        with Progress("Sending the snapshot", size) as progress:
            body: Any = Counted(out, progress)
            client.call("PUT", address, body=body, headers=headers, timeout=300.0)


def download(client: Client, workspace: str, snapshot_id: str, target: Path) -> Path:
    """The snapshot as the zip file `target`."""
    from atelier.artifacts import save

    answer = client.open("GET", f"/workspaces/{segment(workspace)}/snapshots/{snapshot_id}/zip", timeout=300.0)
    return save(answer, target)


class LimitsModule(ModuleType):
    """A module whose names SNAPSHOT_MAX_SIZE_BYTES and SNAPSHOT_MAX_FILES are the limits themselves."""

    @property
    def SNAPSHOT_MAX_SIZE_BYTES(self) -> int:
        """The limit of a snapshot's size in bytes."""
        return Limits.max_bytes

    @SNAPSHOT_MAX_SIZE_BYTES.setter
    def SNAPSHOT_MAX_SIZE_BYTES(self, value: int) -> None:
        Limits.max_bytes = int(value)

    @property
    def SNAPSHOT_MAX_FILES(self) -> int:
        """The limit of a snapshot's number of files."""
        return Limits.max_files

    @SNAPSHOT_MAX_FILES.setter
    def SNAPSHOT_MAX_FILES(self, value: int) -> None:
        Limits.max_files = int(value)
