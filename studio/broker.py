"""The broker of one machine: a folder. Kombu's file transport, made safe for several processes, and without its wait.

Kombu writes a message in place, so a worker may read half of it and end with an error; here a message appears whole,
by a rename. Kombu looks for messages once per interval; here the kernel says when one appears (inotify, on Linux), so a
run is taken up within a millisecond and an idle worker costs nothing. Elsewhere it looks ten times a second.
"""

from __future__ import annotations

import ctypes
import os
import select
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from queue import Empty
from typing import Any

from kombu.exceptions import ChannelError
from kombu.transport import filesystem, virtual
from kombu.utils.json import dumps, loads

# Without a watch from the kernel. With one, a look per second finds what another host wrote into a shared folder.
POLL_SECONDS, WATCHED_SECONDS = 0.1, 1.0
IN_MOVED_TO = 0x80
IN_FLAGS = os.O_NONBLOCK | os.O_CLOEXEC if hasattr(os, "O_CLOEXEC") else 0


def write_whole(file: Path, data: bytes) -> None:
    """The file appears with all of its content, or not at all."""
    descriptor, part = tempfile.mkstemp(dir=file.parent, prefix=".part-")
    with os.fdopen(descriptor, "wb") as out:
        out.write(data)
    Path(part).replace(file)


class Channel(filesystem.Channel):
    """Messages as files `<time>_<id>.<queue>.msg`, taken in order of time by renaming them."""

    def _put(self, queue: str, message: Any, **kwargs: Any) -> None:  # type: ignore[override] # kombu's own disagree
        name = f"{time.time_ns():020d}_{uuid.uuid4().hex}.{queue}.msg"
        try:
            write_whole(Path(self.data_folder_out) / name, dumps(message).encode())
        except OSError as error:
            raise ChannelError(f"A message cannot be written into {self.data_folder_out}: {error.strerror}.") from error

    def _get(self, queue: str, timeout: Any = None) -> Any:
        folder, ending = Path(self.data_folder_in), f".{queue}.msg"
        # The part before the first dot is ours; a queue's name may hold dots, and may end like another's.
        for file in sorted(file for file in folder.iterdir() if file.name[53:] == ending and file.name[0] != "."):
            taken = folder / f".taken-{file.name}"
            try:
                file.rename(taken)  # of several workers one succeeds
                payload = taken.read_bytes()
                taken.unlink()
            except OSError:
                continue
            try:
                return loads(payload.decode())
            except ValueError:
                continue  # not ours: somebody put a file there
        raise Empty()

    def get_table(self, exchange: str) -> list[Any]:
        """Who listens to an exchange."""
        try:
            rows = loads(self._exchange_file(exchange).read_text())
        except FileNotFoundError:
            return []
        except (OSError, ValueError) as error:
            raise ChannelError(f"The broker's folder {self.control_folder} cannot be read: {error}.") from error
        return [filesystem.exchange_queue_t(*row) for row in rows]

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:
        row = filesystem.exchange_queue_t(routing_key or "", pattern or "", queue or "")
        self._change(exchange, lambda rows: rows if row in rows else [row, *rows])

    def _delete(self, queue: str, exchange: str, routing_key: str, pattern: str, *args: Any, **kwargs: Any) -> None:
        super(filesystem.Channel, self)._delete(queue, exchange, routing_key, pattern, *args, **kwargs)
        gone = filesystem.exchange_queue_t(routing_key or "", pattern or "", queue or "")
        if self._exchange_file(exchange).exists():
            self._change(exchange, lambda rows: [row for row in rows if row != gone])

    def _change(self, exchange: str, change: Callable[[list[Any]], list[Any]]) -> None:
        """Rewrites an exchange's table, one process at a time; readers see the old one or the new one."""
        self.control_folder.mkdir(parents=True, exist_ok=True)
        with (self.control_folder / ".lock").open("w") as lock:
            filesystem.lock(lock, filesystem.LOCK_EX)
            rows = self.get_table(exchange)
            changed = change(rows)
            if changed != rows or not self._exchange_file(exchange).exists():
                write_whole(self._exchange_file(exchange), dumps(changed).encode())


class Watch:
    """Tells when a file appears in a folder. `wait` returns at once for what appeared since the last `clear`."""

    def __init__(self, folder: str) -> None:
        self._fd = -1
        if not sys.platform.startswith("linux"):
            return
        libc = ctypes.CDLL(None, use_errno=True)
        self._fd = libc.inotify_init1(IN_FLAGS)
        if self._fd >= 0 and libc.inotify_add_watch(self._fd, os.fsencode(folder), IN_MOVED_TO) < 0:
            os.close(self._fd)  # the machine's watches are used up: looking by the clock works as well
            self._fd = -1

    def clear(self) -> None:
        """Forgets what has appeared so far."""
        while self._fd >= 0:
            try:
                os.read(self._fd, 65_536)
            except BlockingIOError:
                return

    def wait(self, seconds: float) -> None:
        """Until something appears, at most so long."""
        if self._fd < 0:
            time.sleep(min(seconds, POLL_SECONDS))
        else:
            select.select([self._fd], [], [], min(seconds, WATCHED_SECONDS))

    def close(self) -> None:
        """Gives the watch back."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class Transport(filesystem.Transport):
    """Kombu's file transport with the channel above, waiting on the watch."""

    Channel = Channel
    _watch: Watch | None = None

    def __init__(self, client: Any, **kwargs: Any) -> None:
        super().__init__(client, **kwargs)
        # Kombu's is one for the process: what was declared in one folder would not be written into another.
        self.state = virtual.BrokerState()

    def drain_events(self, connection: Any, timeout: float | None = None, **kwargs: Any) -> None:
        """Hands over one message; raises socket.timeout when none comes in time."""
        if self._watch is None:
            self._watch = Watch(connection.client.transport_options["data_folder_in"])
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            self._watch.clear()
            try:
                self.cycle.get(self._deliver, timeout=timeout)  # type: ignore[union-attr] # set by the base class
            except Empty:
                left = WATCHED_SECONDS if end is None else end - time.monotonic()
                if left <= 0:
                    raise TimeoutError() from None
                self._watch.wait(left)
            else:
                return

    def close_connection(self, connection: Any) -> None:
        """Closes the watch with the connection."""
        if self._watch is not None:
            self._watch.close()
            self._watch = None
        super().close_connection(connection)
