"""Files that a job leaves: `outputs/`, and of `logs/` what was not sent live. Small ones travel together."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from atelier.client import Client, file_path, segment
from atelier.errors import InvalidRequest, TooLargeError

# One bundle is one request and one transaction; above SMALL a file is streamed by itself.
SMALL = 1 << 20
BUNDLE_BYTES = 16 << 20
BUNDLE_FILES = 500
REFUSED = (InvalidRequest, TooLargeError)


def files_below(folder: Path) -> Iterator[Path]:
    """Regular files, sorted. A link counts when what it points to lies in the same working folder, else it is left out."""
    root = folder.parent.resolve()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and (not path.is_symlink() or path.resolve().is_relative_to(root)):
            yield path


def upload(client: Client, run_id: str, named: Iterable[tuple[str, Path]]) -> tuple[int, list[str]]:
    """Sends files as the run's artifacts of the given names. Sending one again changes nothing.

    Returns how many went, and a sentence for each that the server refuses (a name or size it does not take): one bad
    file does not keep the others.
    """
    batch = _Batch(client, run_id)
    for name, file in named:
        try:
            length = file.stat().st_size
            if length > SMALL:
                batch.alone(name, file)
            else:
                batch.add(name, file.read_bytes())
        except (FileNotFoundError, PermissionError) as error:
            # Removed by something the script left running, or made unreadable by it.
            batch.refused.append(f"{name}: {error.strerror}")
    batch.flush()
    return batch.count, batch.refused


class _Batch:
    """Small files on their way together."""

    def __init__(self, client: Client, run_id: str) -> None:
        self._client, self._run_id = client, run_id
        self._waiting: list[tuple[str, bytes]] = []
        self._size = 0
        self.count = 0
        self.refused: list[str] = []

    def add(self, name: str, data: bytes) -> None:
        self._waiting.append((name, data))
        self._size += len(data)
        if len(self._waiting) >= BUNDLE_FILES or self._size >= BUNDLE_BYTES:
            self.flush()

    def alone(self, name: str, file: Path) -> None:
        with file.open("rb") as body:
            self._put(name, body)

    def flush(self) -> None:
        waiting, self._waiting, self._size = self._waiting, [], 0
        if not waiting:
            return
        try:
            self._bundle(waiting)
            self.count += len(waiting)
        except REFUSED:
            for name, data in waiting:  # which of them it was
                self._put(name, data)

    def _put(self, name: str, body: bytes | IO[bytes]) -> None:
        address = f"/runs/{segment(self._run_id)}/artifacts/{file_path(name)}"
        try:
            self._client.call("PUT", address, body=body, timeout=600)
            self.count += 1
        except REFUSED as error:
            self.refused.append(f"{name}: {error.message}")

    def _bundle(self, files: list[tuple[str, bytes]]) -> None:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for name, data in files:
                member = tarfile.TarInfo(name)
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
        self._client.call(
            "PUT",
            f"/runs/{segment(self._run_id)}/artifacts-bundle",
            body=buffer.getvalue(),
            headers={"Content-Type": "application/x-tar"},
            timeout=300,
        )
