"""Metrics leave in the background: a log call appends to a queue, one thread a run packs and sends.

What the server cannot take now goes to the spool on disk, in order, and is delivered when it is back, on `flush`, at
exit, or by whoever delivers the spool later. What it refuses is kept too, and said: once as a warning, and by `flush`.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time
import uuid
import weakref
from collections import deque
from pathlib import Path
from typing import Any

from atelier import journal, spool
from atelier.client import Client
from atelier.errors import AtelierError, ServiceError, UserError
from atelier.journal import Journal
from atelier.packing import Entry, halves, pack, weight
from atelier.values import dumps

#: How long points are gathered once there is one (seconds): little at first, more while many come.
QUICK, GATHER = 0.02, 0.2
BATCH = 20_000
#: A log call waits when this many points are queued, so that a loop faster than the wire cannot fill the memory.
FULL = 1_000_000
LONGEST_WAIT = 10.0
AT_EXIT = 30.0
#: How many requests may be spent on finding the points of one batch that the server refuses.
SEARCH = 64
LONGEST_PAUSE = 15.0


class MetricSender:
    """The queue, thread and spool folder of one run."""

    def __init__(self, client: Client, run_id: str, folder: Path) -> None:
        self._client = client
        self.run_id = run_id
        self._folder = folder
        self._refused: list[str] = []
        self._said: set[str] = set()
        self._stuck = False
        self._locked_out = False
        self._searching = SEARCH
        self._reset()
        _senders.add(self)

    def _reset(self) -> None:
        self._queue: deque[Entry] = deque()
        self._wake = threading.Event()
        self._hurry = threading.Event()
        self._sending = threading.RLock()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._asleep = False
        self._away_until = 0.0
        self._pause = 0.0
        self._spooled = bool(spool.waiting(self._folder))
        self._journal = _journal(self._folder)

    def put(self, kind: str, name: str, value: Any, step: int | None) -> None:
        """Queue one point, row, list or table; costs a few microseconds."""
        if self._journal is None:
            self._queue.append((kind, name, value, step, time.time()))
        else:
            self._put_down((kind, name, value, step, time.time()))
        if self._thread is None:
            self._start()
        elif self._asleep:
            self._wake.set()
        elif len(self._queue) > FULL:
            self._wait_for_room()

    def _put_down(self, entry: Entry) -> None:
        """Queue an entry that is also in the journal; a disk that takes no more does not stop the script."""
        kept = self._journal
        assert kept is not None
        with kept.lock:
            self._queue.append(entry)
            try:
                kept.add(entry)
            except OSError:
                self._journal = None

    def _wait_for_room(self) -> None:
        deadline = time.monotonic() + LONGEST_WAIT
        while len(self._queue) > FULL // 2 and self._thread is not None and time.monotonic() < deadline:
            time.sleep(0.005)

    def _start(self) -> None:
        with self._starting:
            if self._thread is not None:
                return
            thread = threading.Thread(target=self._loop, name=f"atelier-metrics-{self.run_id[:12]}", daemon=True)
            self._thread = thread
            try:
                thread.start()
            except RuntimeError:
                self._thread = None  # the interpreter is ending: the exit handler sends what is queued
        _close_at_the_end_of_a_worker()

    def _loop(self) -> None:
        gather = QUICK
        me = threading.current_thread()
        while self._thread is me:
            if not self._queue and not self._spooled:
                self._asleep = True
                if not self._queue and self._thread is me:
                    self._wake.wait()
                self._asleep = False
                self._wake.clear()
                gather = QUICK
            self._hurry.wait(gather)
            self._hurry.clear()
            gather = GATHER if self._queue else QUICK
            self._send_queued()
            if not self._queue and self._spooled:
                self._hurry.wait(max(0.05, self._away_until - time.monotonic()))
                self._deliver_spooled()

    def _take(self) -> list[Entry]:
        taken: list[Entry] = []
        points = 0
        while points < BATCH:
            try:
                entry = self._queue.popleft()
            except IndexError:
                break
            taken.append(entry)
            points += weight(entry)
        return taken

    def _send_queued(self, *, at_once: bool = False) -> None:
        with self._sending:
            while True:
                entries = self._take()
                if not entries:
                    return
                batch, kept = str(uuid.uuid4()), self._journal
                if kept:
                    kept.taken(batch, len(entries))
                try:
                    self._send(pack(entries), at_once=at_once, batch=batch)
                except OSError as error:  # the disk is full, or the spool cannot be written
                    self._queue.extendleft(reversed(entries))
                    if kept:
                        kept.back(batch)
                    self._say(
                        f"The server is away and metrics of run {self.run_id} cannot be kept in {self._folder}: {error}. "
                        "They wait in memory."
                    )
                    self._stuck = True
                    self._hurry.wait(1.0)
                    return
                if kept:
                    kept.arrived(batch)
                self._stuck = False

    def _send(self, series: list[dict[str, Any]], *, at_once: bool, searching: bool = False, batch: str = "") -> None:
        """Posts one batch, or keeps it in the spool. `batch` is the id that the journal knows it by."""
        if not searching:
            self._searching = SEARCH
        batch = batch or str(uuid.uuid4())
        body = dumps({"batch": batch, "series": series})
        if self._spooled and not self._deliver_spooled(at_once=at_once):
            spool.keep(self._folder, batch, body)  # behind what waits already, so that the order stays
            return
        try:
            spool.post(self._client, self.run_id, body)
        except ServiceError:
            self._keep(batch, body)
        except spool.FOR_GOOD as error:
            self._take_refusal(series, error, at_once=at_once)
        except UserError as error:
            self._keep(batch, body)
            self._lock_out(error)

    def _keep(self, batch: str, body: bytes) -> None:
        spool.keep(self._folder, batch, body)
        self._spooled = True
        self._pause = min(LONGEST_PAUSE, self._pause * 2 or 0.25)
        self._away_until = time.monotonic() + self._pause

    def _take_refusal(self, series: list[dict[str, Any]], error: UserError, *, at_once: bool) -> None:
        """One bad point must not take others with it: halves are sent until what is refused stands alone."""
        if self._searching > 0:
            for half in halves(series):
                self._searching -= 1
                self._send(half, at_once=at_once, searching=True)
            if len(series) > 1 or len(series[0]["times"]) > 1:
                return
        names = ", ".join(sorted({one["name"] for one in series}))
        self._refuse(f"The server refused metrics of run {self.run_id} ({names}): {error.message}")

    def _lock_out(self, error: UserError) -> None:
        """The token is the matter (expired, revoked): with another one the points will be taken, so they are kept."""
        self._away_until = time.monotonic() + LONGEST_PAUSE
        self._locked_out = True
        self._refuse(
            f"The server does not take metrics of run {self.run_id} now: {error.message} They are kept in {self._folder}; "
            "with a new token, `atelier spool` delivers them."
        )

    def _refuse(self, sentence: str) -> None:
        if sentence not in self._refused:
            self._refused.append(sentence)
            self._say(sentence)

    def _say(self, sentence: str) -> None:
        """Tell the person at the terminal, once; not as a warning, which a filter may turn into an exception here."""
        if sentence not in self._said:
            self._said.add(sentence)
            print(sentence, file=sys.stderr)

    def _deliver_spooled(self, *, at_once: bool = False) -> bool:
        """Whether nothing waits on disk any more."""
        if not at_once and time.monotonic() < self._away_until:
            return False
        with self._sending:
            try:
                spool.deliver(self._client, self._folder)
            except ServiceError:
                self._pause = min(LONGEST_PAUSE, self._pause * 2 or 0.25)
                self._away_until = time.monotonic() + self._pause
                return False
            except UserError as error:
                self._lock_out(error)
                return False
            self._spooled, self._pause, self._away_until = False, 0.0, 0.0
            return True

    def flush(self, seconds: float = 300.0) -> None:
        """Deliver everything logged so far, within `seconds`.

        Raises the server's refusal of metrics since the last flush, or `ServiceError` when the server stays away; the
        points are then safe in the spool.
        """
        if not self._queue and not self._spooled and not self._refused and not self._sending_now():
            return
        deadline = time.monotonic() + seconds
        self._locked_out = False  # the token may be another one by now
        self._send_queued(at_once=True)
        while (self._stuck or self._spooled) and not self._locked_out and time.monotonic() < deadline:
            if self._stuck:
                self._send_queued(at_once=True)
            elif self._deliver_spooled(at_once=True):
                break
            time.sleep(min(0.25, max(0.0, deadline - time.monotonic())))
        if self._refused:
            message, self._refused = " ".join(self._refused), []
            raise UserError(message)
        if self._stuck:
            raise ServiceError(
                f"The server has not been reached within {seconds:g} s; metrics of {self.run_id} are in memory."
            )
        if self._spooled:
            raise ServiceError(
                f"The server has not been reached within {seconds:g} s; the metrics of run {self.run_id} wait in "
                f"{self._folder} (`atelier spool` delivers them)."
            )

    def _sending_now(self) -> bool:
        free = self._sending.acquire(blocking=False)
        if free:
            self._sending.release()
        return not free

    def close(self, seconds: float = AT_EXIT) -> None:
        """Flush as far as possible and end the thread; never raises: this is the way out of the process."""
        try:
            self.flush(min(seconds, 2.0) if self._spooled else seconds)
        except AtelierError as error:
            print(error.message, file=sys.stderr)
        self._thread = None
        self._wake.set()
        self._hurry.set()
        if self._journal is not None:
            self._journal.close()
            self._journal = None


def _journal(folder: Path) -> Journal | None:
    """The journal where an agent reads it, which it says."""
    if not os.environ.get(journal.SWITCH):
        return None
    try:
        return Journal(folder)
    except OSError:
        return None  # no room on the disk: the points are still sent


def recover(folder: Path) -> int:
    """Puts what killed processes left in their journals (of all runs below `folder`) into the spool; how many batches.

    Call it when those processes have ended. Doing it again is harmless.
    """
    count = 0
    for file in sorted(folder.glob(f"*/*{journal.ENDING}")):
        for batch, entries in journal.read(file):
            body = dumps({"batch": batch, "series": pack(entries)})
            spool.keep(file.parent, batch, body)
            count += 1
        file.unlink(missing_ok=True)
    return count


_senders: weakref.WeakSet[MetricSender] = weakref.WeakSet()
_shared: weakref.WeakValueDictionary[tuple[str, str], MetricSender] = weakref.WeakValueDictionary()


def sender_for(client: Client, run_id: str, folder: Path) -> MetricSender:
    """The one sender of a run in this process, so that two `Run` objects of it keep one order."""
    key = (client.url, run_id)
    sender = _shared.get(key)
    if sender is None:
        sender = _shared.setdefault(key, MetricSender(client, run_id, folder))
    return sender


def close_all() -> None:
    """Deliver what every run of this process still holds."""
    for sender in list(_senders):
        sender.close()


def _after_fork_in_child() -> None:
    # What was queued before the fork is the parent's to send; locks may be held by threads that are not here.
    for sender in list(_senders):
        sender._reset()


def _close_at_the_end_of_a_worker() -> None:
    """multiprocessing ends its forked workers by os._exit, past atexit; its own finalizers do run."""
    global _finalizing
    processes = sys.modules.get("multiprocessing.process")
    if processes is None or processes.parent_process() is None or _finalizing == os.getpid():
        return
    from multiprocessing.util import Finalize

    Finalize(None, close_all, exitpriority=100)
    _finalizing = os.getpid()


_finalizing = 0
os.register_at_fork(after_in_child=_after_fork_in_child)
atexit.register(close_all)
