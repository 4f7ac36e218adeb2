"""Logs: appended while a run lives, one artifact each when it has ended."""

from __future__ import annotations

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from runs import limits
from runs.actions import merged_log
from runs.actions.artifacts import Stored, name_files
from runs.models import Artifact, Log, raw
from runs.paths import check_path
from studio.errors import Conflict, Invalid, TooLarge
from studio.workspace import storage
from studio.workspace.storage import Incoming

_LOCK = """INSERT INTO runs_log (run_id, path, size, base, complete, updated_at) VALUES (%s, %s, 0, 0, %s, %s)
ON CONFLICT (run_id, path) DO UPDATE SET updated_at = excluded.updated_at RETURNING id, size, complete, base"""


def append(run_id: str, path: str, data: bytes, offset: int | None = None) -> int:
    """Add bytes to a log, at its end when `offset` is None; the log's size afterwards.

    Offset and size are those of this attempt of the job. Bytes that are there already change nothing. Conflict, with the
    size that there is, when `offset` lies behind the end. A log that was closed stays as it is.
    """
    check_path(path)
    if len(path) > Log._meta.get_field("path").max_length:  # type: ignore[operator]
        raise Invalid("A log's path has at most 600 characters.", "path")
    try:
        with transaction.atomic():
            row = raw.one(_LOCK, [run_id, path, False, timezone.now()])
            assert row is not None
            key, size, complete, base = row
            at = size if offset is None else base + offset
            if at > size:
                raise Conflict(
                    f"The log has {size - base} bytes; the chunk starts at {offset}, and what is between is missing.",
                    str(size - base),
                )
            new = data[size - at :]
            if complete or not new:
                return int(size - base)
            if size + len(new) > limits.limit("log_bytes"):
                raise TooLarge(f"The log is larger than the limit of {limits.limit('log_bytes') / 1024**2:,.0f} MB.")
            raw.run('INSERT INTO runs_logchunk (log_id, "offset", data) VALUES (%s, %s, %s)', [key, size, new])
            raw.run("UPDATE runs_log SET size = %s WHERE id = %s", [size + len(new), key])
            merged_log.follow(run_id, key, path, size, new)
            return int(size - base) + len(new)
    except IntegrityError:
        raw.run_key(run_id)
        raise


def begin_again(run_id: str, words: str, *, but: str) -> None:
    """Have the next attempt's logs follow what there is, with a line of `words` between them in the driver's log.

    A line that was cut off in its middle ends here. The log `but` goes on as it is.
    """
    with transaction.atomic():
        opened = Log.objects.select_for_update().filter(run_id=run_id, complete=False).exclude(path=but)
        for path in sorted(opened.values_list("path", flat=True), key=merged_log.MERGED.__eq__):  # the merged one last
            last = opened.get(path=path).chunks.order_by("-offset").values_list("data", flat=True).first()
            end = b"\n" if last and not bytes(last).endswith(b"\n") else b""
            if path == merged_log.MERGED and last:
                end += f"--- {words}\n".encode()
            if end:
                append(run_id, path, end)
        opened.update(base=F("size"))


def close_all(run_id: str) -> None:
    """Make an artifact of each open log of the run. Safe to call again, and while another worker does it."""
    with transaction.atomic():
        merged_log.finish(run_id)
    for key, path in list(Log.objects.filter(run_id=run_id, complete=False).values_list("pk", "path")):
        _close(run_id, key, path)


def _close(run_id: str, key: int, path: str) -> None:
    with transaction.atomic():
        log = Log.objects.select_for_update().filter(pk=key, complete=False).first()
        if log is None:
            return
        # The agent sends a log that it could not follow as a whole file; then that is what is kept.
        if not Artifact.objects.filter(run_id=run_id, path_key=Artifact.key_of(path)).exists():
            with Incoming() as incoming:
                for data in log.chunks.order_by("offset").values_list("data", flat=True).iterator(chunk_size=64):
                    incoming.write(bytes(data))
                with storage.held([incoming.sha256]):
                    incoming.keep()
                    name_files(run_id, [Stored(path, incoming.size, incoming.sha256)])
        log.chunks.all().delete()
        Log.objects.filter(pk=key).update(complete=True)
