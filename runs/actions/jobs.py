"""What a job is told, and what its agent reports: the start and end of its script, and that it is alive."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping
from typing import Any

from django.db.models import Q
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from runs import limits
from runs.actions import ranks
from runs.kinds.script import spec as script_spec
from runs.models import Run, RunTask
from runs.queue import wake
from runs.states import is_final
from studio.errors import Conflict, Invalid

DRIVER_LOG = "azureml-logs/70_driver_log.txt"
TEXT = {"type": 255, "message": 3000, "traceback": 16_000}


def job_of(run: Run, workspace_name: str, snapshot_id: str | None) -> dict[str, Any]:
    """What to run, for the agent. Raises Conflict for a run that no job carries."""
    if run.kind != Run.Kind.SCRIPT:
        raise Conflict("This run has no job: its script runs where it was started.")
    spec = script_spec.check(run.definition)
    command = spec.command if isinstance(spec.command, list) else [spec.command] if spec.command else None
    return {
        "run_id": run.pk,
        "command": command,
        "script": spec.script,
        "arguments": spec.arguments,
        "use_shell_command": isinstance(spec.command, str) and bool(spec.command),
        "env": environment_of(spec),
        "snapshot_id": snapshot_id,
        "snapshot_url": f"/api/v1/workspaces/{workspace_name}/snapshots/{snapshot_id}/zip" if snapshot_id else None,
        "max_run_duration_seconds": spec.max_run_duration_seconds,
        "distributed": dataclasses.asdict(spec.distribution) if spec.distribution else None,
        "log_path": DRIVER_LOG,
    }


def environment_of(spec: script_spec.ScriptSpec) -> dict[str, str]:
    """The user's variables: those of the environment, then those of this run."""
    shared = spec.environment.get("environmentVariables") or {}
    if not isinstance(shared, Mapping):
        raise Invalid("environment.environmentVariables is an object.", "environment")
    return {**{str(name): str(value) for name, value in shared.items()}, **spec.environment_variables}


def report(run: Run, facts: Mapping[str, Any]) -> None:
    """Writes the start or end of a job's script, or of one rank of it. The same again changes nothing.

    `facts`: event ("started" or "finished"), task (0 unless given), node, at; for an end also exit_code, signal and
    error {type, message, traceback}; `rank` when it speaks of one process of a distributed run.
    """
    if facts.get("rank") is not None:
        ranks.report(run, str(facts.get("node") or ""), facts)
        return
    event = facts.get("event")
    if event not in ("started", "finished"):
        raise Invalid(f"event is {event!r}; a job is 'started' or 'finished'.", "event")
    row = RunTask.objects.filter(run=run, attempt=run.retries, index=task_number(facts)).first()
    if row is None or is_final(run.state):
        raise Conflict("No worker has started this job, or its run is over.")
    at = moment(facts.get("at"))
    now = timezone.now()
    if event == "started":
        changed = RunTask.objects.filter(pk=row.pk, started_at=None).update(started_at=at, heartbeat_at=now)
    else:
        changed = RunTask.objects.filter(pk=row.pk, reported_at=None).update(
            reported_at=now, heartbeat_at=now, **end_of(facts)
        )
    if changed:
        wake(run.pk)


def task_number(facts: Mapping[str, Any]) -> int:
    """Which of the run's jobs speaks."""
    number = facts.get("task", 0)
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < script_spec.MAX_NODES:
        raise Invalid(f"task is {number!r}; it is a whole number from 0 to {script_spec.MAX_NODES - 1}.", "task")
    return number


def end_of(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of an end. A script's words are cut and cleaned, not refused: it did end."""
    code = facts.get("exit_code")
    if code is not None and (isinstance(code, bool) or not isinstance(code, int) or abs(code) > 2**31 - 1):
        raise Invalid(
            f"exit_code is {code!r}; it is a whole number, or null when a signal ended the script.", "exit_code"
        )
    error = facts.get("error") or {}
    if not isinstance(error, Mapping):
        raise Invalid("error is an object: {type, message, traceback}.", "error")
    cut = {name: readable(error.get(name), most) for name, most in TEXT.items()}
    return {
        "exit_code": code,
        "signal": readable(facts.get("signal"), 20),
        "error_type": cut["type"],
        "error_message": cut["message"],
        "error_traceback": cut["traceback"],
    }


def readable(value: Any, most: int) -> str:
    """Text from a program that failed, without control characters, cut with a mark when it is too long."""
    text = value if isinstance(value, str) else "" if value is None else str(value)
    text = "".join("�" if limits.control_character(c, lines=True) else c for c in text[: most + 1])
    return text if len(text) <= most else text[: most - 1] + "…"


def heartbeat(run: Run, task: int = 0) -> None:
    """The agent is alive. Does not wake anybody."""
    now = timezone.now()
    RunTask.objects.filter(
        Q(heartbeat_at=None) | Q(heartbeat_at__lt=now), run=run, attempt=run.retries, index=task
    ).update(heartbeat_at=now)
    Run.objects.filter(pk=run.pk).update(heartbeat_at=now)


def moment(text: Any) -> dt.datetime:
    """A time on the wire; the server's own when none is given. One from the future is a clock that goes wrong."""
    if text is None:
        return timezone.now()
    try:
        found = parse_datetime(text) if isinstance(text, str) else None
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise Invalid(f"at is {str(text)[:60]!r}; it is a time with its zone, such as 2026-01-31T12:00:00Z.", "at")
    return min(found, timezone.now())
