"""The beat in a worker's thread: it sends what is due, and goes on after a failure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
from celery import Celery, current_app
from celery.schedules import schedule

from studio.beat import Clock


class FailsOnce(schedule):
    """An interval that cannot be asked the first time."""

    asked = 0

    def is_due(self, last_run_at: Any) -> Any:
        """As Celery's own, from the second time on."""
        type(self).asked += 1
        if type(self).asked == 1:
            raise RuntimeError("the first look fails")
        return super().is_due(last_run_at)


@pytest.fixture
def app() -> Iterator[Celery]:
    """An app of its own, with a broker in memory and one entry in its schedule."""
    before = current_app._get_current_object()
    made = Celery("clock", broker="memory://", set_as_current=False)
    every = FailsOnce(dt.timedelta(seconds=0.05), app=made)
    made.conf.beat_schedule = {"tick": {"task": "tick", "schedule": every, "args": ("tock",)}}
    yield made
    before.set_current()
    made.close()


def test_the_clock_begins_again_after_a_failure_sends_what_is_due_and_ends_when_told(app: Celery):
    FailsOnce.asked = 0
    clock = Clock(app)
    clock.start()
    with app.connection() as connection:
        queue = connection.SimpleQueue(app.conf.task_default_queue)
        message = queue.get(timeout=30)  # raises when nothing comes
        queue.close()
    clock.stop()
    assert message.headers["task"] == "tick" and message.payload[0] == ["tock"]
    assert FailsOnce.asked > 1 and not clock.is_alive()
