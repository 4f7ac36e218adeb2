"""What the node's agent sees of its ranks: their logs are followed, their starts and ends reported."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from atelier_jobs.agent import failure

Report = Callable[[Mapping[str, Any]], None]
Follow = Callable[[str, Path], None]
STARTED, ENDED = "started", "finished"


class RankWatch:
    """Looks at the files that rank.py writes. `report` sends one event and raises when the server is away."""

    def __init__(self, folder: Path, report: Report, follow: Follow) -> None:
        self._folder, self._report, self._follow = folder, report, follow
        self._followed: set[str] = set()
        self._told: dict[int, str] = {}
        self._oom = failure.oom_kills()

    def look(self, *, last: bool = False) -> None:
        """Takes up new logs and reports what happened since. `last`: the launcher has ended, so nothing runs any more."""
        for log in sorted((self._folder / "azureml-logs").glob("70_driver_log_*.txt")):
            name = f"azureml-logs/{log.name}"
            if name not in self._followed:
                self._follow(name, log)
                self._followed.add(name)
        for file in sorted((self._folder / "ranks").glob("*.json")):
            facts = json.loads(file.read_text())
            self._tell(facts, last)

    def _tell(self, facts: dict[str, Any], last: bool) -> None:
        number = int(facts["rank"])
        base = {"rank": number, "local_rank": facts["local_rank"], "role": facts["role"]}
        if number not in self._told:
            self._report({"event": STARTED, **base, "at": _moment(facts["started_at"])})
            self._told[number] = STARTED
        over = facts["ended_at"] is not None
        if self._told[number] == STARTED and (over or last):
            self._report({"event": ENDED, **base, **self._end(number, facts), "at": _moment(facts["ended_at"])})
            self._told[number] = ENDED

    def _end(self, number: int, facts: dict[str, Any]) -> dict[str, Any]:
        """How a rank ended: exit code, signal, error; one that could not write it was ended with its node."""
        code = facts["returncode"]
        if code is None:
            message = f"Rank {number} was ended with its node."
            return {
                "exit_code": None,
                "signal": "SIGKILL",
                "error": {"type": "Signal", "message": message, "traceback": ""},
            }
        log = self._folder / "azureml-logs" / f"70_driver_log_{number}.txt"
        return failure.end_of(code, log, self._oom, f"Rank {number}").as_dict()


def _moment(seconds: float | None) -> str:
    at = dt.datetime.now(dt.UTC) if seconds is None else dt.datetime.fromtimestamp(seconds, dt.UTC)
    return at.isoformat().replace("+00:00", "Z")
