"""Points of a job on disk before they are sent, so that a script that is killed loses none.

In a job the agent outlives the script, or another one comes after it; what a killed script still had in memory would be
lost to both. So each point is also a line of a file in the spool folder (a microsecond or two: it is not flushed to the
disk, as a killed process loses nothing of what the kernel has). Lines of other kinds say which points went off as which
batch, and that they arrived; the batch's id keeps a second delivery harmless.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
import uuid
from pathlib import Path
from typing import Any

ENDING = ".wal"
#: Set by the agent, which reads what is left.
SWITCH = "ATELIER_JOURNAL"
#: A journal of which all has arrived begins anew at this size (bytes).
LONG = 4 << 20


class Journal:
    """The journal of one process and one run. `lock` keeps the order of lines that of the queue beside it."""

    def __init__(self, folder: Path, long: int = LONG) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.lock = threading.Lock()
        self._long = long
        self._file = folder / f"{time.time_ns():020d}-{os.getpid()}{ENDING}"
        self._descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._open = self._size = 0
        self._taken: dict[str, int] = {}

    def add(self, entry: tuple[Any, ...]) -> None:
        """Keeps one entry. Call it with the lock held, together with putting the entry into the queue."""
        self._write(entry)
        self._open += 1

    def taken(self, batch: str, count: int) -> None:
        """The next `count` entries are on their way as this batch."""
        with self.lock:
            self._taken[batch] = count
            self._mark({"taken": batch, "count": count})

    def back(self, batch: str) -> None:
        """They could not go; they stand at the head of the queue again."""
        with self.lock:
            self._taken.pop(batch, None)
            self._mark({"back": batch})

    def arrived(self, batch: str) -> None:
        """They are with the server, or in the spool, or refused for good."""
        with self.lock:
            self._open -= self._taken.pop(batch, 0)
            self._mark({"arrived": batch})
            if self._size > self._long and not self._open:
                os.ftruncate(self._descriptor, 0)
                self._size = 0

    def close(self) -> None:
        """Removes the file when all has arrived."""
        with self.lock:
            os.close(self._descriptor)
            if not self._open:
                self._file.unlink(missing_ok=True)

    def _write(self, line: Any) -> None:
        self._size += os.write(self._descriptor, json.dumps(line).encode() + b"\n")

    def _mark(self, line: Any) -> None:
        """A mark that a full disk does not take is left out: a point that comes twice is better than one that is lost."""
        with contextlib.suppress(OSError):
            self._write(line)


def read(file: Path) -> list[tuple[str, list[tuple[Any, ...]]]]:
    """What a killed process left: (batch id, entries) of each batch that did not arrive, in the order of logging.

    Entries that were in no batch yet are one whose id follows from the file's name, so that reading twice is harmless.
    """
    waiting: list[tuple[Any, ...]] = []
    batches: dict[str, list[tuple[Any, ...]]] = {}
    for line in file.read_bytes().splitlines():
        try:
            told = json.loads(line)
        except ValueError:
            break  # the disk was full in the middle of a line: what follows cannot be trusted
        if isinstance(told, list):
            waiting.append(tuple(told))
        elif "taken" in told:
            batches[told["taken"]] = waiting[: told["count"]]
            del waiting[: told["count"]]
        elif "back" in told:
            waiting[:0] = batches.pop(told["back"], [])
        else:
            batches.pop(told["arrived"], None)
    left = list(batches.items())
    if waiting:
        left.append((str(uuid.uuid5(uuid.NAMESPACE_OID, file.name)), waiting))
    return left
