"""The one door for a run's state: compare-and-set on the old state and an event, in one transaction.

Imported by actions and execution alone. docs/run-states.md draws what may follow what.
"""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from runs.models import Run, RunEvent, raw
from runs.states import FINAL, State, may_move


def move(run: Run, to: State, *, reason: str = "", **fields: Any) -> bool:
    """Move the run from the state this object holds to `to`; False when it moved meanwhile or may not.

    `fields` are columns of the run written in the same statement (error_message, image …). On success the object
    holds what the row holds. Whoever gets False looks again: somebody else was faster.
    """
    old = run.state
    if not may_move(old, to):
        return False
    now = timezone.now()
    changes: dict[str, Any] = {"state": to, **fields}
    if to == State.RUNNING and run.started_at is None:
        changes["started_at"] = now
    if to in FINAL:
        changes.setdefault("ended_at", now)
        changes["waiting_for"] = ""
    elif to == State.PROVISIONING and old == State.RUNNING:
        changes["started_at"] = None  # tried again: the clock starts anew
    columns, values = raw.assignments(Run, changes)
    moved = raw.change_and_add(
        (f"UPDATE runs_run SET {columns} WHERE id = %s AND state = %s", [*values, run.pk, str(old)]),
        RunEvent(run_id=run.pk, state=to, at=now, reason=reason),
    )
    if not moved:
        return False
    for name, value in changes.items():
        setattr(run, name, value)
    return True


def born(run: Run, reason: str = "") -> RunEvent:
    """The event of a run that is being created in its first state; unsaved, for the creator's own transaction."""
    return RunEvent(run=run, state=run.state, at=run.created_at, reason=reason)
