"""The processes of a distributed run: a timeline that shows stragglers and the first failure, and its table."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_GET

from runs.models import RunRank
from runs.pages.access import run_of
from studio.htmx import respond

WIDTH, ROW = 600, 14  # of the timeline's SVG
# A rank that began or ended this much later than the middle one, and by a tenth of the run's time, holds the others up.
STRAGGLER_SECONDS = 2.0
MOST_BARS = 256


@dataclass(frozen=True)
class Bar:
    """One rank's line of the timeline. `tone`: ok, busy, bad (failed by itself), idle (ended with the others)."""

    row: RunRank
    x: float
    width: float
    y: int
    tone: str
    words: str
    seconds: float


@require_GET
def ranks(request: HttpRequest, ws: str, run_id: str) -> HttpResponse:
    """The timeline as a page of its own, or as the part of the run's Details that asks for itself while it is live."""
    run = run_of(request, ws, run_id)
    rows = list(RunRank.objects.filter(run=run, attempt=run.retries).order_by("rank"))
    context = {
        "run": run,
        "workspace": run.workspace,
        "bars": bars(rows, run.ended_at or timezone.now()),
        "height": ROW * min(len(rows), MOST_BARS),
        "width": WIDTH,
        "live": not run.is_final,
    }
    return respond(request, page="runs/ranks.html", fragment="runs/parts/ranks.html", context=context)


def bars(rows: Sequence[RunRank], now: dt.datetime) -> list[Bar]:
    """The bars in order of ranks; times are scaled to the first start and the last end."""
    begun = [row for row in rows if row.started_at]
    if not begun:
        return []
    first = min(row.started_at for row in begun if row.started_at)
    last = max(row.ended_at or now for row in begun)
    span = max((last - first).total_seconds(), 0.001)
    culprit = _culprit(begun)
    late = stragglers(begun, now)
    made = []
    for place, row in enumerate(begun[:MOST_BARS]):
        start = row.started_at or first
        seconds = max(0.0, ((row.ended_at or now) - start).total_seconds())
        made.append(
            Bar(
                row,
                round((start - first).total_seconds() / span * WIDTH, 1),
                max(2.0, round(seconds / span * WIDTH, 1)),
                place * ROW,
                _tone(row, culprit),
                _words(row, culprit, late.get(row.rank, "")),
                seconds,
            )
        )
    return made


def _failed(row: RunRank) -> bool:
    return row.ended_at is not None and (row.exit_code != 0 or bool(row.error_type))


def _culprit(rows: Sequence[RunRank]) -> RunRank | None:
    """The first that failed by itself, not by a signal with the others."""
    own = [row for row in rows if _failed(row) and row.error_type not in ("", "Signal")]
    return min(own, key=lambda row: row.ended_at or timezone.now(), default=None)


def stragglers(rows: Sequence[RunRank], now: dt.datetime) -> dict[int, str]:
    """Rank -> in what it was late: its start, or its end when all ended well."""
    found: dict[int, str] = {}
    if len(rows) < 2:
        return found
    starts = {row.rank: row.started_at.timestamp() for row in rows if row.started_at}
    ends = {row.rank: row.ended_at.timestamp() for row in rows if row.ended_at and not _failed(row)}
    span = max([*(row.ended_at or now for row in rows)]).timestamp() - min(starts.values())
    least = max(STRAGGLER_SECONDS, span / 10)
    for word, moments in (("began", starts), ("ended", ends)):
        middle = median(moments.values()) if moments else 0.0
        for rank, moment in moments.items():
            if moment - middle > least:
                found.setdefault(rank, f"{word} {moment - middle:.1f} s after the middle rank")
    return found


def _tone(row: RunRank, culprit: RunRank | None) -> str:
    if row.ended_at is None:
        return "busy"
    if not _failed(row):
        return "ok"
    return "bad" if culprit is None or row == culprit or row.error_type not in ("", "Signal") else "idle"


def _words(row: RunRank, culprit: RunRank | None, late: str) -> str:
    if row.ended_at is None:
        words = "runs"
    elif not _failed(row):
        words = "ended well"
    elif row == culprit:
        words = f"failed first: {row.error_message}"
    elif row.role == "ps" and row.error_type == "Signal":
        words = "ended with the workers"
    elif row.error_type == "Signal":
        words = f"ended by {row.signal or 'a signal'}, with the others" if culprit else row.error_message
    else:
        words = f"failed: {row.error_message}"
    return f"{words}; straggler: {late}" if late else words
