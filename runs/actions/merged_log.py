"""70_driver_log.txt of a distributed run: the ranks' logs, line by line in the order in which they came.

Each rank has a log of its own; agents send what is new each half second, so that is how close the order is to the
clock. A line is taken when it is whole; what is left without a line's end follows when the logs are closed.
"""

from __future__ import annotations

import re

from runs.models import Log, LogChunk

MERGED = "azureml-logs/70_driver_log.txt"
RANK = re.compile(r"azureml-logs/70_driver_log_(\d+)\.txt")
LONGEST_LINE = 64 * 1024  # a longer one is cut into lines of this length


def rank_of(path: str) -> int | None:
    """The rank whose log this is, None for any other log."""
    match = RANK.fullmatch(path)
    return int(match[1]) if match else None


def follow(run_id: str, log_id: int, path: str, offset: int, data: bytes) -> None:
    """Takes what was just added to a rank's log at `offset`, inside the transaction that added it."""
    rank = rank_of(path)
    if rank is None or not data:
        return
    begun = _open_line(log_id, offset)
    whole, newline, rest = data.rpartition(b"\n")
    if newline:
        _append(run_id, rank, begun + whole)
    elif len(begun) + len(rest) > LONGEST_LINE:
        _append(run_id, rank, begun + rest)


def finish(run_id: str) -> None:
    """Takes the last lines that have no end, before the logs are closed."""
    for log in Log.objects.filter(run_id=run_id, complete=False, path__startswith="azureml-logs/70_driver_log_"):
        rank = rank_of(log.path)
        left = _open_line(log.pk, log.size) if rank is not None else b""
        if left and rank is not None:
            _append(run_id, rank, left)


def _open_line(log_id: int, offset: int) -> bytes:
    """What stands before `offset` since the last line's end: not merged yet. A cut line counts as ended."""
    begun = b""
    chunks = LogChunk.objects.filter(log_id=log_id, offset__lt=offset).order_by("-offset")
    for chunk in chunks.values_list("data", flat=True).iterator(chunk_size=4):
        _, newline, tail = bytes(chunk).rpartition(b"\n")
        begun = tail + begun
        if newline:
            break
        if len(begun) > LONGEST_LINE:
            return b""
    return begun


def _append(run_id: str, rank: int, text: bytes) -> None:
    """Adds lines to the merged log, each with its rank before it."""
    mark = f"[{rank}] ".encode()
    data = b"".join(mark + line.rstrip(b"\r") + b"\n" for line in text.split(b"\n"))
    Log.objects.get_or_create(run_id=run_id, path=MERGED)
    merged = Log.objects.select_for_update().get(run_id=run_id, path=MERGED)
    if merged.complete:
        return
    LogChunk.objects.create(log=merged, offset=merged.size, data=data)
    merged.size += len(data)
    merged.save(update_fields=["size", "updated_at"])
