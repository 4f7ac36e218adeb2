"""Wakes that are due in a moment. Celery's own timer looks once a second, which is long beside a run of one second.

A thread of the worker holds them; a worker that is killed forgets them, and the beat wakes the runs all the same.
"""

from __future__ import annotations

import heapq
import threading
import time

from runs.queue import wake


class Later:
    """A heap of (when, run id) and the thread that empties it. A run is due once, at the earliest of its times."""

    def __init__(self) -> None:
        self._due: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def wake(self, run_id: str, seconds: float) -> None:
        """Wakes the run in so many seconds, unless it is due earlier anyway."""
        when = time.monotonic() + seconds
        with self._changed:
            if self._due.get(run_id, float("inf")) <= when:
                return
            self._due[run_id] = when
            heapq.heappush(self._heap, (when, run_id))
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="later", daemon=True)
                self._thread.start()
            self._changed.notify()

    def _run(self) -> None:
        while True:
            wake(self._next())

    def _next(self) -> str:
        """Waits for the next run that is due."""
        with self._changed:
            while True:
                left = self._heap[0][0] - time.monotonic() if self._heap else None
                if left is None or left > 0:
                    self._changed.wait(left)
                    continue
                when, run_id = heapq.heappop(self._heap)
                if self._due.get(run_id) == when:  # else it was due earlier and has gone
                    del self._due[run_id]
                    return run_id


later = Later()
