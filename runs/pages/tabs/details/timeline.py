"""The states a run went through and how long each took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from runs.models import RunEvent
from runs.states import FINAL, MEANING, State

WIDTH = 1000
"""The timeline's bar is an SVG of so many units; each state gets its share, but never less than can be seen."""
LEAST = 12


@dataclass(frozen=True)
class Stage:
    """One state: ``seconds`` is None while it goes on, ``elapsed`` is never; ``x`` and ``width`` place it on the bar."""

    state: str
    meaning: str
    at: datetime
    seconds: float | None
    elapsed: float
    reason: str
    x: float
    width: float

    @property
    def final(self) -> bool:
        """Whether nothing follows it."""
        return self.state in FINAL


def stages(events: Sequence[RunEvent], now: datetime) -> list[Stage]:
    """The events in order, each with the time until the next; the last goes on until ``now`` unless it is final."""
    spans: list[float] = []
    for place, event in enumerate(events):
        if event.state in FINAL:
            spans.append(0.0)
            continue
        until = events[place + 1].at if place + 1 < len(events) else now
        spans.append(max(0.0, (until - event.at).total_seconds()))
    shown = [place for place, event in enumerate(events) if event.state not in FINAL]
    room, total = WIDTH - LEAST * len(shown), sum(spans) or 1.0
    found, x = [], 0.0
    for place, event in enumerate(events):
        final, last = event.state in FINAL, place + 1 == len(events)
        width = 0.0 if final else LEAST + max(0.0, room) * spans[place] / total
        meaning = MEANING.get(State(event.state), "") if event.state in set(State) else ""
        ongoing = last and not final
        found.append(
            Stage(
                event.state,
                meaning,
                event.at,
                None if ongoing else spans[place],
                spans[place],
                event.reason,
                round(x, 1),
                round(width, 1),
            )
        )
        x += width
    return found
