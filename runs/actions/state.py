"""What moves a run: start, end, cancel. The move itself is lifecycle's."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone

from runs import limits
from runs.lifecycle import move
from runs.models import Run, raw
from runs.models.raw import RunKey
from runs.queue import wake
from runs.states import State, is_final
from studio.errors import Conflict, Invalid

ENDS = {"Completed": State.COMPLETED, "Failed": State.FAILED, "Canceled": State.CANCELED}


def start(key: RunKey) -> Run:
    """A child that was made with others begins to run. A run that runs already stays as it is."""
    run = loaded(key)
    if run.kind != Run.Kind.INTERACTIVE:
        raise Conflict("A worker starts this run when its compute has room; it can't be started from outside.")
    if run.state == State.RUNNING or move(run, State.RUNNING, reason="started by its script"):
        return run
    raise Conflict(f"The run is {run.status} and can't be started again; make a new one.")


def end(key: RunKey, status: Any, error: Any = None) -> Run:
    """Say how the run ended. For a job this is what its script says; the worker moves it when the process has ended.

    The same end again changes nothing; another end of a final run is a Conflict.
    """
    if status not in ENDS:
        raise Invalid(f"status is Completed, Failed or Canceled; {str(status)[:40]!r} is none of them.", "status")
    fields = clean_error(error)
    # What the caller has just read is enough for a move; when it is old, the move fails and the row is read.
    run = Run(id=key.id, state=key.state, kind=key.kind, parent_id=key.parent_id)
    if run.kind != Run.Kind.INTERACTIVE:
        return _said(loaded(key), status, fields)
    for _ in range(3):
        if is_final(run.state):
            if run.state == ENDS[status]:
                return loaded(key)
            raise Conflict(f"The run ended as {run.state} before; an end is not changed.")
        if move(run, ENDS[status], reason=fields.get("error_message", "")[:300], **fields):
            _wake_parent(run)
            return run
        run = loaded(key)
    raise Conflict("The run was changed by others at the same time; try again.")


def _said(run: Run, status: str, fields: dict[str, str]) -> Run:
    if is_final(run.state):
        if run.state == ENDS[status]:
            return run
        raise Conflict(f"The run ended as {run.state} before; an end is not changed.")
    Run.objects.filter(pk=run.pk).update(said_status=status, **fields)
    run.said_status = status
    for name, value in fields.items():
        setattr(run, name, value)
    return run


def _wake_parent(run: Run) -> None:
    """A job that waits for its children looks again."""
    if run.parent_id is not None:
        row = raw.one("SELECT kind FROM runs_run WHERE id = %s", [run.parent_id])
        if row is not None and row[0] != Run.Kind.INTERACTIVE:
            wake(run.parent_id)


def clean_error(error: Any) -> dict[str, str]:
    """The columns for {"code", "message", "details"}. Long texts are cut, not refused: the run did fail."""
    if error is None:
        return {}
    if not isinstance(error, dict):
        raise Invalid('error is an object: {"code", "message", "details"}.', "error")
    most = limits.limit("error_message")
    return {
        "error_code": printable(error.get("code") or "UserError", 100),
        "error_message": printable(error.get("message") or "", most),
        "error_details": printable(error.get("details") or "", 20 * most),
    }


def printable(value: Any, most: int) -> str:
    """Text from a program that failed: without control characters, and cut with a mark when it is too long."""
    text = value if isinstance(value, str) else str(value)
    if limits.control_character(text, lines=True) is not None:
        text = "".join("�" if limits.control_character(c, lines=True) else c for c in text)
    return text if len(text) <= most else text[: most - 1] + "…"


def cancel(key: RunKey, by: str) -> Run:
    """Ask that the run and everything below it stops. Jobs are stopped by their worker; interactive runs end here."""
    run = loaded(key)
    if is_final(run.state):
        raise Conflict(f"The run is {run.state} already; there is nothing to cancel.")
    now = timezone.now()
    reason = f"canceled by {by}" if by else "canceled"
    with transaction.atomic():
        for found in Run.objects.filter(pk__in=_open_below(run.pk)):
            if found.kind == Run.Kind.INTERACTIVE:
                move(found, State.CANCELED, reason=reason, cancel_requested_at=found.cancel_requested_at or now)
                continue
            Run.objects.filter(pk=found.pk, cancel_requested_at=None).update(cancel_requested_at=now)
            wake(found.pk)
    run = loaded(key)
    _wake_parent(run)
    return run


def _open_below(run_id: str) -> list[str]:
    sql = (
        "WITH RECURSIVE below(id) AS (SELECT id FROM runs_run WHERE id = %s UNION ALL SELECT r.id FROM runs_run r JOIN below b ON r.parent_id = b.id) "
        "SELECT id FROM below"
    )
    return [key for (key,) in raw.rows(sql, [run_id])]


def loaded(key: RunKey) -> Run:
    """The run's row, or NotFound when it was deleted meanwhile."""
    run = Run.objects.filter(pk=key.id).first()
    if run is None:
        raise raw.no_run(key.id)
    return run
