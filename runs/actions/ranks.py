"""What the agents report of the processes of a distributed run."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from django.utils.dateparse import parse_datetime

from runs.models import Run, RunRank
from runs.queue import wake
from studio.errors import Invalid

MOST_RANKS = 51_200  # the most nodes times the most processes on each
TEXT = {"type": 255, "message": 3000, "traceback": 16_000}


def report(run: Run, node: str, facts: Mapping[str, Any]) -> None:
    """Writes the start or end of one rank; the same again changes nothing, and an end is never taken back.

    `facts`: event ("started" or "finished"), rank, local_rank, role, at; for an end also exit_code, signal, error.
    """
    event, number = facts.get("event"), facts.get("rank")
    if event not in ("started", "finished"):
        raise Invalid(f"event is {event!r}; a rank is 'started' or 'finished'.", "event")
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < MOST_RANKS:
        raise Invalid(f"rank is {number!r}; it must be a whole number from 0 to {MOST_RANKS - 1:,}.", "rank")
    row, _ = RunRank.objects.get_or_create(run=run, attempt=run.retries, rank=number)
    if row.ended_at is not None:
        return
    at = _moment(facts.get("at"))
    row.node = str(node)[:255]
    row.role = str(facts.get("role") or "worker")[:20]
    local = facts.get("local_rank")
    row.local_rank = local if isinstance(local, int) and 0 <= local < MOST_RANKS else 0
    if event == "started":
        row.started_at = row.started_at or at
    else:
        _end(row, facts, at)
    row.save()
    if row.ended_at and (row.exit_code != 0 or row.error_type):
        wake(run.pk)


def _end(row: RunRank, facts: Mapping[str, Any], at: dt.datetime) -> None:
    code = facts.get("exit_code")
    error = facts.get("error") or {}
    row.ended_at = at
    row.started_at = row.started_at or at
    row.exit_code = code if isinstance(code, int) else None
    row.signal = str(facts.get("signal") or "")[:20]
    cut = {name: str(error.get(name) or "").replace("\x00", "")[:limit] for name, limit in TEXT.items()}
    row.error_type, row.error_message, row.error_traceback = cut["type"], cut["message"], cut["traceback"]


def _moment(text: Any) -> dt.datetime:
    found = parse_datetime(text) if isinstance(text, str) else None
    if found is None or found.tzinfo is None:
        raise Invalid(f"at is {text!r}; it must be a time with its zone, such as 2026-01-31T12:00:00Z.", "at")
    return found
