"""Runs on a live server, as a user's client sees them: submit a script, look, wait, read what it left."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from atelier import snapshots
from atelier.client import Client
from atelier.errors import UnavailableError
from runs.states import FINAL
from tests.stack import Stack, wait_for

USER_MANAGED = {"python": {"userManagedDependencies": True, "interpreterPath": "python"}}
# A script that says what it does, keeps a count in a file beside it, and goes on until it is told to end.
TICKS = """
import os, sys, time
from azureml.core import Run
run = Run.get_context()
print("begun", flush=True)
for tick in range(int(sys.argv[1])):
    run.log("tick", tick)
    print("tick", tick, flush=True)
    time.sleep(float(sys.argv[2]))
print("through", flush=True)
"""
# The same without an end of its own: it goes on until the run has the tag "enough". How long a machine takes to notice
# something is then no matter.
UNTIL_TOLD = """
import time
from azureml.core import Run
run = Run.get_context()
print("begun", flush=True)
tick = 0
while "enough" not in run.get_tags():
    run.log("tick", tick)
    print("tick", tick, flush=True)
    tick += 1
    time.sleep(0.25)
print("through", flush=True)
"""


class Live:
    """One server's runs, under one person's token."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.client = Client(stack.url, stack.token)

    def submit(self, source: str, *arguments: str, environment: dict[str, Any] | None = None, **definition: Any) -> str:
        """A run of one script; its id."""
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "train.py").write_text(source)
            listing = snapshots.upload(self.client, self.stack.workspace, folder)
        body = {
            "experiment": "execution",
            "kind": "script",
            "snapshot_id": listing.id,
            "definition": {
                "script": "train.py",
                "arguments": list(arguments),
                "target": "local",
                "environment": environment or USER_MANAGED,
                **definition,
            },
        }
        return str(self.client.call("POST", f"/workspaces/{self.stack.workspace}/runs", json_body=body)["id"])

    def get(self, run_id: str) -> dict[str, Any]:
        """The run's JSON."""
        found: dict[str, Any] = self.client.call("GET", f"/runs/{run_id}")
        return found

    def until(self, run_id: str, look: Callable[[dict[str, Any]], bool], seconds: float, what: str) -> dict[str, Any]:
        """The run when `look` says yes."""

        def seen() -> dict[str, Any] | None:
            run = self.get(run_id)
            if run["status"] in FINAL and not look(run):
                raise AssertionError(
                    f"{what}: the run ended as {run['status']}: {run['error']}\n{self.everything(run_id)}"
                )
            return run if look(run) else None

        try:
            found = wait_for(seen, seconds, what)
        except AssertionError as error:
            raise AssertionError(
                f"{error}\n{self.get(run_id)}\n{self.everything(run_id)}\n{self.stack.log('worker')}"
            ) from None
        assert found is not None
        return found

    def reaches(self, run_id: str, state: str, seconds: float = 60) -> dict[str, Any]:
        """The run in that state."""
        return self.until(run_id, lambda run: run["status"] == state, seconds, f"the run is {state}")

    def ends(self, run_id: str, seconds: float = 60) -> dict[str, Any]:
        """The run when it is final."""
        return self.until(run_id, lambda run: run["status"] in FINAL, seconds, "the run ends")

    def log(self, run_id: str, path: str = "azureml-logs/70_driver_log.txt") -> str:
        """A log's text; empty when there is none yet."""
        names = {log["path"] for log in self.client.call("GET", f"/runs/{run_id}/logs")["items"]}
        if path not in names:
            return ""
        return self.client.open("GET", f"/runs/{run_id}/logs/{path}").read().decode()

    def says(self, run_id: str, text: str, seconds: float = 60) -> str:
        """The driver's log once it holds `text`."""
        self.until(run_id, lambda run: text in self.log(run_id), seconds, f"the log says {text!r}")
        return self.log(run_id)

    def everything(self, run_id: str) -> str:
        """All logs and events, for the message of an assertion."""
        try:
            names = [log["path"] for log in self.client.call("GET", f"/runs/{run_id}/logs")["items"]]
            events = self.client.call("GET", f"/runs/{run_id}/events")["items"]
        except UnavailableError as error:
            return str(error)
        parts = [f"{event['at']} {event['state']} {event['reason']}" for event in events]
        return "\n".join([*parts, *(f"--- {name}\n{self.log(run_id, name)}" for name in names)])

    def metric(self, run_id: str, name: str) -> list[Any]:
        """All values of a scalar."""
        answer = self.client.call("GET", f"/runs/{run_id}/metrics", params={"name": name})
        found = answer["runs"].get(run_id, {}).get(name)
        return list(found["columns"][""]) if found else []

    def artifacts(self, run_id: str) -> dict[str, int]:
        """{path: size} of what the run keeps."""
        return {item["path"]: item["size"] for item in self.client.pages(f"/runs/{run_id}/artifacts")}

    def artifact(self, run_id: str, path: str) -> bytes:
        """One file's bytes."""
        return self.client.open("GET", f"/runs/{run_id}/artifacts/{path}").read()

    def cancel(self, run_id: str) -> float:
        """Asks for the end; when that was."""
        self.client.call("POST", f"/runs/{run_id}/cancel")
        return time.monotonic()

    def enough(self, run_id: str) -> None:
        """Tells the script UNTIL_TOLD to end."""
        self.client.call("PUT", f"/runs/{run_id}/tags", json_body={"set": {"enough": "yes"}})

    def sweep(self) -> None:
        """The worker's sweep as of an hour later: it lets alone what belongs to runs that have only just ended."""
        self.stack.manage(
            *("shell", "--no-imports", "-c"),
            "from datetime import timedelta; from django.db.models import F; from runs.models import Run;"
            "from runs.execution.sweep import sweep;"
            "Run.objects.exclude(ended_at=None).update(ended_at=F('ended_at') - timedelta(hours=1)); sweep()",
        )

    def states(self, run_id: str) -> list[str]:
        """The states it went through."""
        return [event["state"] for event in self.client.call("GET", f"/runs/{run_id}/events")["items"]]

    def folder(self, run_id: str) -> Path:
        """Where a process job has its folder."""
        return self.stack.home / "jobs" / f"atelier-{run_id}-0-0"


def ticks_of(log: str) -> list[int]:
    """The numbers of TICKS' lines."""
    return [int(line.split()[1]) for line in log.splitlines() if line.startswith("tick ")]


def has_all_points(live: Live, run_id: str, ticks: list[int]) -> bool:
    """Whether each tick that was printed is a point, once and in order; the one being logged at the end may be more."""
    points = live.metric(run_id, "tick")
    return points[: len(ticks)] == ticks and points == list(range(len(points))) and len(points) <= len(ticks) + 1


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
