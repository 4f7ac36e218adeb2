"""Which process of a distributed run failed first, in words: rank, host and line. Pure."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass

PLACE = re.compile(r'^\s*File "([^"]+)", line (\d+)', re.MULTILINE)
# Frames of these are libraries' own; the user's line is the last one outside of them.
LIBRARIES = re.compile(r"/(site|dist)-packages/|/lib/python3|<frozen ")
LATEST = dt.datetime.max.replace(tzinfo=dt.UTC)


@dataclass(frozen=True)
class RankEnded:
    """The end of one process as its node's agent reported it."""

    rank: int
    node: str
    role: str = "worker"
    ended_at: dt.datetime | None = None
    exit_code: int | None = None
    signal: str = ""
    error_type: str = ""
    error_message: str = ""
    error_traceback: str = ""

    @property
    def failed(self) -> bool:
        """Whether it ended otherwise than with 0."""
        return self.ended_at is not None and (self.exit_code != 0 or bool(self.error_type))


def first_failure(ranks: Sequence[RankEnded]) -> RankEnded | None:
    """The process that brought the others down: the first that failed by itself.

    Those that were ended with the others (by a signal), and parameter servers, which never end by themselves, speak
    only when there is nobody else.
    """
    failed = [rank for rank in ranks if rank.failed]
    own = [rank for rank in failed if rank.error_type not in ("", "Signal")]
    abrupt = [rank for rank in failed if rank.signal not in ("", "SIGTERM", "SIGKILL")]
    return min(own or abrupt or failed, key=lambda rank: (rank.ended_at or LATEST, rank.rank), default=None)


def words(rank: RankEnded) -> tuple[str, str, str]:
    """(code, message, details) of a run that a rank brought down."""
    where = f"Rank {rank.rank} on {rank.node}" if rank.node else f"Rank {rank.rank}"
    message = rank.error_message or f"it ended with {rank.signal or f'exit code {rank.exit_code}'}."
    line = line_of(rank.error_traceback)
    code = rank.error_type if rank.error_type in ("OutOfMemory", "Signal", "ExitCode") else "UserError"
    return code, f"{where} failed first: {message}{f' ({line})' if line else ''}", rank.error_traceback


def line_of(traceback: str) -> str:
    """“train.py, line 12”: the last frame that is the user's own, else the last one; empty without a traceback."""
    places = PLACE.findall(traceback)
    own = [place for place in places if not LIBRARIES.search(place[0])]
    if not places:
        return ""
    file, number = (own or places)[-1]
    return f"{file.rpartition('/')[2]}, line {number}"
