"""Metric batches on disk while the server is away.

`<spool>/<run id>/<time_ns>-<batch>.json` is one body of POST /runs/{id}/metrics. The batch id within makes a second
delivery harmless, so the script, `atelier spool` and the job's agent may all deliver the same folder.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from atelier.client import Client, segment
from atelier.errors import ConflictError, InvalidRequest, NotFoundError, TooLargeError

REFUSED = ".refused"
#: Errors that a repeat of the same batch cannot cure.
FOR_GOOD = (InvalidRequest, NotFoundError, ConflictError, TooLargeError)


def keep(folder: Path, batch: str, body: bytes) -> Path:
    """Write one batch into a run's spool `folder`; whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = folder / f"{time.time_ns():020d}-{batch}.json"
    part = file.with_suffix(".part")
    part.write_bytes(body)
    part.replace(file)
    return file


def waiting(folder: Path) -> list[Path]:
    """The batches in a run's spool folder, oldest first."""
    try:
        return sorted(file for file in folder.iterdir() if file.suffix == ".json")
    except (FileNotFoundError, NotADirectoryError):
        return []


def deliver(client: Client, folder: str | os.PathLike[str]) -> int:
    """Send what waits in `folder` (one run's, named by its id, or the spool above several); how many batches went.

    Stops with `ServiceError` when the server is away, and with the token's error when that is the matter: what is left
    stays. A batch that the server refuses for good is renamed to *.refused, so that it neither blocks the others nor
    vanishes.
    """
    folder = Path(folder)
    sent = sum(deliver(client, child) for child in _subfolders(folder))
    for file in waiting(folder):
        try:
            body = file.read_bytes()
        except FileNotFoundError:
            continue  # another process delivered it
        try:
            post(client, folder.name, body)
        except FOR_GOOD as error:
            file.rename(file.with_suffix(REFUSED))
            file.with_suffix(".reason").write_text(json.dumps({"message": error.message}))
            continue
        file.unlink(missing_ok=True)
        sent += 1
    _remove_if_empty(folder)
    return sent


def post(client: Client, run_id: str, body: bytes) -> None:
    """One batch to the server, without waiting for it to come back."""
    client.call(
        "POST",
        f"/runs/{segment(run_id)}/metrics",
        body=body,
        headers={"Content-Type": "application/json"},
        repeatable=True,
        timeout=30.0,
        patience=0.0,
    )


def _subfolders(folder: Path) -> list[Path]:
    try:
        return sorted(child for child in folder.iterdir() if child.is_dir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _remove_if_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        return  # refused batches, or another process is writing
