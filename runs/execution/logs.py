"""Logs that the worker writes itself: the build's, and what a job that could not speak for itself had printed."""

from __future__ import annotations

import re

from runs.actions import logs
from runs.models import Log, Run, RunTask
from studio.environments import logs as builds

BUILD_LOG = "azureml-logs/20_image_build_log.txt"
DRIVER_LOG = "azureml-logs/70_driver_log.txt"
# What is compared to find where a log ends inside an output.
MATCH_BYTES = 400


def copy_build_log(run: Run, build_id: int | None) -> None:
    """Brings the run's 20_image_build_log.txt up to what the build has printed by now."""
    if build_id is None:
        return
    have = Log.objects.filter(run=run, path=BUILD_LOG).values_list("size", flat=True).first() or 0
    if data := builds.build_log(build_id, have).data:
        logs.append(run.pk, BUILD_LOG, data, have)


def append_output(run: Run, row: RunTask, output: bytes) -> None:
    """Completes the driver's log from what the job's process wrote: only what comes after the log's own end."""
    if not output.strip():
        return
    path = str(row.job.get("environment", {}).get("ATELIER_JOB_LOG_PATH") or DRIVER_LOG)
    log = Log.objects.filter(run=run, path=path).first()
    logs.append(run.pk, path, missing_part(tail_of(log), output) if log else output)


def tail_of(log: Log) -> bytes:
    """The last bytes of a log."""
    data = b""
    for chunk in log.chunks.order_by("-offset").values_list("data", flat=True):
        data = bytes(chunk) + data
        if len(data) >= MATCH_BYTES:
            break
    return data[-MATCH_BYTES:]


def missing_part(tail: bytes, output: bytes) -> bytes:
    """What of `output` comes after the log that ends with `tail`. An output that does not hold the tail is new."""
    if not tail:
        return output
    # The job's own lines may repeat; the last place where all of the tail stands is where the log ended.
    found = [match.end() for match in re.finditer(re.escape(tail), output)]
    return output[found[-1] :] if found else output
