"""A build's log: written as it comes, with secrets masked, and read at any offset while it grows."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Max

from studio.environments.models import ACTIVE, Build, BuildLog

FLUSH_SECONDS = 0.5
FLUSH_BYTES = 64_000
# A log beyond this is cut in the middle of the build: an installer in a loop must not fill the database.
MAX_BYTES = 20_000_000
SHORTEST_SECRET = 4


class Writer:
    """Collects lines and writes them at most twice a second. Safe to use from several threads."""

    def __init__(self, build_id: int, secrets: Iterable[str] = ()) -> None:
        self.build_id = build_id
        self.offset = size(build_id)
        self.tail = b""
        self._secrets = {secret.encode() for secret in secrets if len(secret) >= SHORTEST_SECRET}
        self._line = b""
        self._ready = b""
        self._written_at = time.monotonic()
        self._lock = threading.RLock()

    def hide(self, secrets: Iterable[str]) -> None:
        """From now on these are masked too."""
        self._secrets |= {secret.encode() for secret in secrets if len(secret) >= SHORTEST_SECRET}

    def say(self, sentence: str) -> None:
        """A line of ours."""
        self.write(sentence.encode() + b"\n")

    def write(self, data: bytes) -> None:
        """Whatever a tool printed; a line is kept back until it is whole, so that no secret slips through in halves."""
        with self._lock:
            whole, newline, rest = (self._line + data).rpartition(b"\n")
            self._line = rest
            if len(self._line) > FLUSH_BYTES:
                whole, newline, self._line = whole + newline + self._line, b"\n", b""
            self._take(whole + newline)
            if len(self._ready) > FLUSH_BYTES or time.monotonic() - self._written_at > FLUSH_SECONDS:
                self.flush()

    def _take(self, data: bytes) -> None:
        for secret in self._secrets:
            data = data.replace(secret, b"***")
        # PostgreSQL has no place for NUL in what pages show as text, and no tool means it.
        data = data.replace(b"\x00", b"")
        self.tail = (self.tail + data)[-32_000:]
        if self.offset + len(self._ready) > MAX_BYTES:
            return
        self._ready += data
        if self.offset + len(self._ready) > MAX_BYTES:
            self._ready += b"\nThe log is longer than 20 MB; the rest is left out.\n"

    def flush(self) -> None:
        """Writes what is whole."""
        with self._lock:
            self._written_at = time.monotonic()
            if not self._ready:
                return
            data, self._ready = self._ready, b""
            BuildLog.objects.create(build_id=self.build_id, offset=self.offset, data=data)
            self.offset += len(data)

    def close(self) -> None:
        """Writes the rest and merges the pieces into one."""
        with self._lock:
            rest, self._line = self._line, b""
            self._take(rest + b"\n" if rest else b"")
            self.flush()
        with transaction.atomic():
            pieces = list(BuildLog.objects.filter(build_id=self.build_id).order_by("offset"))
            if len(pieces) > 1:
                whole = b"".join(bytes(piece.data) for piece in pieces)
                BuildLog.objects.filter(build_id=self.build_id).delete()
                BuildLog.objects.create(build_id=self.build_id, offset=0, data=whole)


@dataclass(frozen=True)
class Log:
    """Bytes of a log from an offset; `size` is how long it is by now, `complete` that no more will come."""

    data: bytes
    size: int
    complete: bool


def size(build_id: int) -> int:
    """How many bytes the log has by now."""
    last = BuildLog.objects.filter(build_id=build_id).order_by("-offset").values_list("offset", "data").first()
    return last[0] + len(last[1]) if last else 0


def build_log(build_id: int, offset: int = 0) -> Log:
    """The log of a build from `offset` on. For the run's 20_image_build_log.txt and for pages that follow it live.

    An unknown build has an empty, complete log.
    """
    # The state first: a build that ends between the two queries is read as complete the next time.
    active = Build.objects.filter(pk=build_id, state__in=ACTIVE).exists()
    start = BuildLog.objects.filter(build_id=build_id, offset__lte=offset).aggregate(start=Max("offset"))["start"] or 0
    pieces = (
        BuildLog.objects.filter(build_id=build_id, offset__gte=start).order_by("offset").values_list("offset", "data")
    )
    data, first, end = b"", None, 0
    for at, piece in pieces:
        first = at if first is None else first
        data += bytes(piece)
        end = at + len(piece)
    return Log(data[max(0, offset - (first or 0)) :], end, not active)
