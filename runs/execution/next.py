"""When a run is looked at again."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Next:
    """`seconds` until the next look: 0 at once by the same worker; None: when it is woken, at the latest by the beat."""

    seconds: float | None


NOW = Next(0)
BEAT = Next(None)


def soon(seconds: float) -> Next:
    """In so many seconds, at least a twentieth."""
    return Next(max(0.05, seconds))
