"""Files that a job leaves: `outputs/`, and of `logs/` what was not sent live. Small ones travel together."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from atelier.client import Client, file_path, segment

# One bundle is one request and one transaction; above SMALL a file is streamed by itself.
SMALL = 1 << 20
BUNDLE_BYTES = 16 << 20
BUNDLE_FILES = 500


def files_below(folder: Path) -> Iterator[Path]:
    """Regular files, sorted. A link counts when what it points to lies in the same working folder, else it is left out."""
    root = folder.parent.resolve()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and (not path.is_symlink() or path.resolve().is_relative_to(root)):
            yield path


def upload(client: Client, run_id: str, named: Iterable[tuple[str, Path]]) -> int:
    """Sends files as the run's artifacts of the given names; returns how many. Sending one again changes nothing."""
    bundle: list[tuple[str, bytes]] = []
    size = count = 0
    for name, file in named:
        try:
            length = file.stat().st_size
            if length > SMALL:
                with file.open("rb") as body:
                    client.call("PUT", f"/runs/{segment(run_id)}/artifacts/{file_path(name)}", body=body, timeout=600)
            else:
                bundle.append((name, file.read_bytes()))
                size += length
        except FileNotFoundError:
            continue  # removed by something the script left running
        count += 1
        if len(bundle) >= BUNDLE_FILES or size >= BUNDLE_BYTES:
            _send(client, run_id, bundle)
            bundle, size = [], 0
    if bundle:
        _send(client, run_id, bundle)
    return count


def _send(client: Client, run_id: str, bundle: list[tuple[str, bytes]]) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, data in bundle:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    client.call(
        "PUT",
        f"/runs/{segment(run_id)}/artifacts-bundle",
        body=buffer.getvalue(),
        headers={"Content-Type": "application/x-tar"},
        timeout=300,
    )
