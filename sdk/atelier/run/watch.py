"""Waiting for a run, its logs streamed to the terminal in the layout people know."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TextIO

from atelier.client import file_path
from atelier.errors import NotFoundError, RunFailed
from atelier.progress import Progress
from atelier.run.record import FINAL, STARTED

if TYPE_CHECKING:
    from atelier.run.run import Run

#: Logs worth showing, as they appear: image build, execution, driver; one file per process is merged by the server.
SHOWN = re.compile(r"^(azureml-logs/\d{2}.+\.txt|user_logs/std_log\D*0*(?:_ps)?\.txt)$")
ONE_RANK = re.compile(r"_\d+\.txt$")
#: Seconds between looks; AZUREML_RUN_POLLING_INTERVAL_MIN and _MAX change them.
QUICKEST, SLOWEST = 0.1, 2.0
PIECE = 1 << 20


def wait(run: Run, *, show_output: bool, raise_on_error: bool, out: TextIO | None = None) -> dict[str, Any]:
    """Poll until `run` is final, and show; its details. See `Run.wait_for_completion`."""
    out = out or sys.stdout
    logs = LogStream(run, out)
    if show_output:
        out.write(f"RunId: {run.id}\nWeb View: {run.get_portal_url()}\n")
        out.flush()
    try:
        with Progress("", show=show_output and out is sys.stdout) as progress:
            _until_final(run, logs if show_output else None, progress)
    except KeyboardInterrupt:
        if show_output:
            out.write(
                "The output streaming for the run interrupted.\nBut the run is still executing on the compute target. "
                f"\nDetails: {run.get_portal_url()}\n"
            )
        raise
    details = run.get_details()
    if show_output:
        _summary(run, details, out)
    if raise_on_error and details["status"] in ("Failed", "NotResponding"):
        raise RunFailed(_sentence(run, details), details=details)
    return details


def _until_final(run: Run, logs: LogStream | None, progress: Progress) -> None:
    quickest = float(os.environ.get("AZUREML_RUN_POLLING_INTERVAL_MIN") or QUICKEST)
    slowest = max(quickest, float(os.environ.get("AZUREML_RUN_POLLING_INTERVAL_MAX") or SLOWEST))
    pause = quickest
    before = ""
    while True:
        status = run.get_status()
        moved = logs.show_new(progress.wipe) if logs else False
        if status in FINAL:
            return
        pause = quickest if moved or status != before else min(slowest, pause * 1.3)
        if progress.visible and status not in STARTED:
            progress.say(_waits_for(run))
        before = status
        time.sleep(pause)


def _waits_for(run: Run) -> str:
    found = run.get_detailed_status()
    return f"{found['status']}: {found['details']}" if found["details"] else str(found["status"])


class LogStream:
    """Prints what is new of a run's logs, each under its own heading."""

    def __init__(self, run: Run, out: TextIO) -> None:
        self._run = run
        self._out = out
        self._shown: dict[str, int] = {}
        self._current = ""

    def show_new(self, before: Callable[[], None] = lambda: None) -> bool:
        """Print new text; whether there was any. `before` is called when there may be."""
        logs = self._run._logs()
        names = {log["path"] for log in logs}
        moved = False
        for log in sorted(logs, key=lambda one: one["path"]):
            name = log["path"]
            if SHOWN.match(name) and not (ONE_RANK.search(name) and ONE_RANK.sub(".txt", name) in names):
                while self._shown.get(name, 0) < log["size"]:
                    before()
                    if not self.show(name):
                        break
                    moved = True
        return moved

    def show(self, name: str, *, heading: bool = True) -> bool:
        """Print what is new of one log; whether there was any."""
        offset = self._shown.get(name, 0)
        address = self._run._address(f"/logs/{file_path(name)}")
        try:
            answer = self._run._client.open("GET", address, params={"offset": offset, "limit": PIECE})
        except NotFoundError:
            return False  # it has just become an artifact; the next look finds it there
        whole = _whole_characters(answer.read())
        if not whole:
            return False
        if heading and self._current != name:
            self._out.write(f"\nStreaming {name}\n{'=' * (len(name) + 10)}\n\n")
            self._current = name
        self._out.write(whole.decode(errors="replace"))
        self._out.flush()
        self._shown[name] = offset + len(whole)
        return True


def _whole_characters(data: bytes) -> bytes:
    """`data` without the beginning of a UTF-8 character whose rest is still to come."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if 0xC2 <= byte <= 0xF4:
            needed = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return data[:-back] if back < needed else data
        if byte & 0xC0 != 0x80:
            break
    return data


def _summary(run: Run, details: dict[str, Any], out: TextIO) -> None:
    out.write(f"\nExecution Summary\n=================\nRunId: {run.id}\nWeb View: {run.get_portal_url()}\n")
    if details.get("warnings"):
        out.write("\nWarnings:\n")
        out.writelines(warning["message"] + "\n" for warning in details["warnings"])
    if details.get("error"):
        out.write("\nError:\n" + json.dumps(details["error"], indent=4, default=str) + "\n")
    out.write("\n")
    out.flush()


def _sentence(run: Run, details: dict[str, Any]) -> str:
    error = (details.get("error") or {}).get("error") or {}
    reason = error.get("message") or "The server gives no reason."
    return f"The run {run.id} ended as {details['status']}: {reason}\nSee {run.get_portal_url()}"
