"""The beat as a thread of a worker: the shape of one machine, where a process of its own would be 50 MB for a clock.

    celery -A studio.celery worker -P threads --with-beat

Celery's own `-B` forks the worker while threads of it run: what a thread holds at that moment (a lock of the log, a
connection) is held in the child for ever, and a child that ends is not started again. A team runs `celery beat` instead.
"""

from __future__ import annotations

import logging
from threading import Event, Thread
from typing import Any

from celery import Celery, bootsteps
from celery.beat import Scheduler, Service
from click import Option

log = logging.getLogger(__name__)
# The longest sleep between two looks at the schedule, and so the longest wait for the thread's end.
LONGEST_SLEEP, AGAIN_SECONDS = 1.0, 1.0


class Clock(Thread):
    """Sends what the schedule has due, until it is stopped. What fails is logged and begun again."""

    def __init__(self, app: Celery) -> None:
        super().__init__(name="beat", daemon=True)
        self.app = app
        self._ended = Event()
        self._service: Service | None = None

    def run(self) -> None:
        """The thread's work."""
        self.app.set_current()
        while not self._ended.is_set():
            # In memory: every entry is an interval of seconds, and one that was missed is of no use later.
            self._service = Service(self.app, max_interval=LONGEST_SLEEP, scheduler_cls=Scheduler, remote_control=False)
            try:
                self._service.start()
            except Exception:  # a worker's loop: the clock of a machine must not end by one bad moment
                log.exception("the beat failed and starts again")
                self._ended.wait(AGAIN_SECONDS)

    def stop(self) -> None:
        """Returns when the thread has ended."""
        self._ended.set()
        if self._service is not None:
            self._service.stop()
        if self.is_alive():
            self.join(10 * LONGEST_SLEEP)


class BeatStep(bootsteps.StartStopStep):  # type: ignore[misc] # celery is untyped
    """Starts the clock with the worker that was given `--with-beat`, and ends it with it."""

    requires = ("celery.worker.components:Pool",)

    def __init__(self, worker: Any, with_beat: bool = False, **options: Any) -> None:
        super().__init__(worker, **options)
        self.enabled = with_beat

    def include_if(self, worker: Any) -> bool:
        """Whether this worker has the clock."""
        return bool(self.enabled)

    def create(self, worker: Any) -> Clock:
        """What the blueprint starts and stops."""
        return Clock(worker.app)


def install(app: Celery) -> None:
    """Gives the app's workers the option."""
    app.user_options["worker"].add(
        Option(["--with-beat"], is_flag=True, help="Run the beat in a thread of this worker.")
    )
    app.steps["worker"].add(BeatStep)
