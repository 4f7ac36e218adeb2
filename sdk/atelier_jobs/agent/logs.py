"""Logs as they grow. The file on disk is the spool: what the server has is an offset, so nothing is sent out of order,
nothing twice, and a server that was away gets the rest when it is back."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from pathlib import Path

from atelier.client import Client, file_path, segment
from atelier.errors import (
    AtelierError,
    AuthenticationError,
    ConflictError,
    ForbiddenError,
    InvalidRequest,
    NotFoundError,
    ServiceError,
    TooLargeError,
)
from atelier_jobs.agent.masking import Mask

# One request; a script that prints faster than this is sent as many as it takes.
PIECE = 1 << 20
# Between two looks at a file's size, and at the least between two requests for one file.
LOOK_SECONDS, SEND_SECONDS = 0.05, 0.5
# New files below logs/ are looked for this often.
SCAN_SECONDS = 1.0
HEARTBEAT_SECONDS = 15.0
LONGEST_PAUSE = 5.0
# More live files than this are uploaded at the end instead: each is a look per second.
MOST_LIVE_FILES = 200

Sink = Callable[[int, bytes], None]


class Tail:
    """Follows one file and hands what is new to a sink, masked. `sent` is how far it got."""

    def __init__(self, file: Path, sink: Sink, mask: Mask, sent: int = 0) -> None:
        self.file = file
        self.sent = sent
        # What was sent is not what the file holds: the whole file follows at the end.
        self.rewritten = False
        self._sink = sink
        self._mask = mask
        self._digest = hashlib.sha256()
        self._last = 0.0

    def due(self) -> bool:
        """Whether the last piece went long enough ago; the first one goes at once."""
        return time.monotonic() - self._last >= SEND_SECONDS

    def step(self, *, last: bool = False) -> bool:
        """Sends one piece. True when there may be more. `last`: nothing is written any more, so nothing is held back."""
        try:
            with self.file.open("rb") as file:
                size = file.seek(0, 2)
                if size < self.sent:
                    self.rewritten = True
                if size <= self.sent or self.rewritten:
                    return False
                file.seek(self.sent)
                data = file.read(PIECE)
        except (FileNotFoundError, IsADirectoryError, PermissionError):
            return False
        more = self.sent + len(data) < size
        back = 0 if last and not more else self._mask.held_back(data)
        data = data[: len(data) - back]
        if not data:
            return False
        try:
            self._sink(self.sent, self._mask(data))
        except (InvalidRequest, TooLargeError):
            self.rewritten = True  # the server does not take it live; no other log waits for that
            return False
        self.sent += len(data)
        self._digest.update(data)
        self._last = time.monotonic()
        return more

    def whole(self) -> bool:
        """Whether the file on disk is just what was sent, to its last byte."""
        if self.rewritten:
            return False
        digest = hashlib.sha256()
        try:
            with self.file.open("rb") as file:
                while chunk := file.read(PIECE):
                    digest.update(chunk)
        except OSError:
            return True  # the script removed it: what was sent is all there is
        return digest.digest() == self._digest.digest()


class Server:
    """The sink that is a run's log on the server."""

    def __init__(self, client: Client, run_id: str, path: str) -> None:
        self._client = client
        self._url = f"/runs/{segment(run_id)}/logs"
        self._path = path
        self.size: int | None = None

    def known_size(self) -> int:
        """How much of this attempt the server holds already; 0 for a log it has not seen."""
        answer = self._client.call("GET", self._url, patience=0.0, timeout=20)
        return next((int(log["attempt_size"]) for log in answer["items"] if log["path"] == self._path), 0)

    def __call__(self, offset: int, data: bytes) -> None:
        """Sends bytes that begin at `offset`. Raises ServiceError while the server is away, ConflictError at a gap."""
        answer = self._client.call(
            "PUT",
            f"{self._url}/{file_path(self._path)}",
            params={"offset": offset},
            body=data,
            patience=0.0,
            timeout=20,
        )
        self.size = int(answer["size"])


class Shipper:
    """The thread that sends: the driver's log, what appears below logs/, and a heartbeat."""

    def __init__(self, client: Client, run_id: str, mask: Mask, watched: Path, on_gone: Callable[[], None]) -> None:
        self._client, self._run_id, self._mask, self._watched = client, run_id, mask, watched
        self._on_gone = on_gone
        self._tails: dict[str, Tail] = {}
        self._echoes: list[Tail] = []
        # Called with each look for new files, and once more at the end: who else has something to take up or report.
        self.looks: list[Callable[[], None]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="shipper", daemon=True)
        self._scanned = self._beaten = float("-inf")
        self.gone = False

    def follow(self, path: str, file: Path, *, resume: bool = False) -> None:
        """Sends a file as the run's log `path`; `resume` goes on where the server's copy ends."""
        sink = Server(self._client, self._run_id, path)
        tail = Tail(file, sink, self._mask)
        if resume:
            self._resume(tail, sink)
        self._tails[path] = tail

    def _resume(self, tail: Tail, sink: Server) -> None:
        """Reads what the server has already into the tail's digest, so that `whole` can compare."""
        known = sink.known_size()
        try:
            with tail.file.open("rb") as file:
                while tail.sent < known and (chunk := file.read(min(PIECE, known - tail.sent))):
                    tail._digest.update(chunk)
                    tail.sent += len(chunk)
        except OSError:
            return

    def followed(self) -> set[str]:
        """The logs that are sent live."""
        return set(self._tails)

    def echo(self, file: Path, write: Callable[[bytes], None]) -> None:
        """Also hands a file to a local writer: the container's own output."""
        self._echoes.append(Tail(file, lambda _, data: write(data), self._mask))

    def start(self) -> None:
        """Begins to send."""
        self._thread.start()

    def finish(self, patience_seconds: float) -> list[str]:
        """Sends what is left, trying as long as `patience_seconds`; returns the logs whose files differ from what went.

        Raises the last ServiceError when the server stayed away.
        """
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        for tail in self._echoes:
            while tail.step(last=True):
                pass
        deadline = time.monotonic() + patience_seconds
        pause = 0.1
        while not self.gone:
            try:
                self._scan()
                for tail in self._tails.values():
                    while tail.step(last=True):
                        pass
                break
            except ConflictError:
                self._realign()
            except (AuthenticationError, ForbiddenError, NotFoundError):
                self.gone = True
            except ServiceError:
                if time.monotonic() + pause > deadline:
                    raise
                time.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
        return [path for path, tail in self._tails.items() if not tail.whole()]

    def _run(self) -> None:
        pause = 0.0
        while not self._stop.wait(max(LOOK_SECONDS, pause)):
            for tail in self._echoes:
                tail.step()
            try:
                self._round()
                pause = 0.0
            except ConflictError:
                self._realign()
            except (AuthenticationError, ForbiddenError, NotFoundError):
                # The run was deleted or is over for the server: nobody wants what this job still does.
                self.gone = True
                self._on_gone()
                return
            except AtelierError:
                pause = min(max(0.1, pause * 2), LONGEST_PAUSE)

    def _round(self) -> None:
        now = time.monotonic()
        if now - self._scanned >= SCAN_SECONDS:
            self._scan()
            self._scanned = now
        for tail in self._tails.values():
            if tail.due():
                while tail.step() and not self._stop.is_set():
                    pass
        if now - self._beaten >= HEARTBEAT_SECONDS:
            self._client.call("POST", f"/runs/{segment(self._run_id)}/job/heartbeat", patience=0.0, timeout=20)
            self._beaten = now

    def _scan(self) -> None:
        """Takes up files below logs/; links are left out, as they may lead anywhere."""
        for look in self.looks:
            look()
        if not self._watched.is_dir():
            return
        for file in sorted(self._watched.rglob("*")):
            if len(self._tails) >= MOST_LIVE_FILES:
                return
            name = f"{self._watched.name}/{file.relative_to(self._watched).as_posix()}"
            if name not in self._tails and file.is_file() and not file.is_symlink():
                self.follow(name, file)

    def _realign(self) -> None:
        """The server has less (a restored backup) than was sent: go on from what it has."""
        for path, tail in self._tails.items():
            try:
                known = Server(self._client, self._run_id, path).known_size()
            except AtelierError:
                return  # away again: the next round finds the same gap
            if known < tail.sent:
                fresh = Tail(tail.file, Server(self._client, self._run_id, path), self._mask)
                self._resume(fresh, Server(self._client, self._run_id, path))
                self._tails[path] = fresh
