"""What the Details tab shows, gathered."""

from __future__ import annotations

from typing import Any

import orjson
from django.http import HttpRequest
from django.utils import timezone

from runs.models import MetricSeries, Run, RunEvent, RunProperty, RunTag
from runs.pages.tab import Context
from runs.pages.tabs.details.failure import failure_of
from runs.pages.tabs.details.masking import VARIABLES, masked_variables
from runs.pages.tabs.details.timeline import stages
from runs.queries.arguments import pairs
from runs.queries.latest import last_value
from studio.environments import curated
from studio.environments.models import Environment
from studio.workspace.models import ModelVersion

METRICS_SHOWN = 12


def _environment(run: Run, definition: dict[str, Any]) -> dict[str, Any] | None:
    environment = definition.get("environment")
    if not isinstance(environment, dict):
        return None
    python, docker = (
        section if isinstance(section := environment.get(key), dict) else {} for key in ("python", "docker")
    )
    name = str(environment.get("name") or "")
    # A run may bring an environment that nobody registered: then there is no page to lead to.
    known = bool(name) and (
        bool(curated.named(name)) or Environment.objects.filter(workspace=run.workspace, name=name).exists()
    )
    return {
        "name": name,
        "known": known,
        "version": environment.get("version") or "",
        "base_image": docker.get("baseImage") or "",
        "managed_by_user": bool(python.get("userManagedDependencies")),
    }


def _command(definition: dict[str, Any]) -> str:
    command = definition.get("command")
    return " ".join(map(str, command)) if isinstance(command, list) else str(command or "")


def _inputs_outputs(definition: dict[str, Any]) -> list[dict[str, Any]]:
    """Named data of the definition, as v1 has it under data, dataReferences, outputData."""
    rows = []
    for key, direction in (("data", "Input"), ("dataReferences", "Input"), ("outputData", "Output")):
        section = definition.get(key)
        for name, described in section.items() if isinstance(section, dict) else ():
            text = described if isinstance(described, str) else orjson.dumps(described).decode()
            rows.append({"direction": direction, "name": name, "what": text})
    return rows


def _metrics(run: Run) -> list[dict[str, Any]]:
    numbers = MetricSeries.objects.filter(run=run, column="", kind="scalar").order_by("name")
    return [{"name": series.name, "value": last_value(series)} for series in numbers[: METRICS_SHOWN + 1]]


def status_context(request: HttpRequest, run: Run) -> Context:
    """What changes while the run goes on: timeline, failure, the latest metrics."""
    events = list(RunEvent.objects.filter(run=run))
    metrics = _metrics(run)
    return {
        "stages": stages(events, timezone.now()),
        "failure": failure_of(run),
        "metrics": metrics[:METRICS_SHOWN],
        "more_metrics": len(metrics) > METRICS_SHOWN,
    }


def status_version(request: HttpRequest, run: Run) -> str:
    """Changes with the state, what it waits for, and each metric that arrives. One query."""
    points = MetricSeries.objects.filter(run=run).order_by("-updated_at").values_list("updated_at", flat=True).first()
    stamp = f"{points.timestamp():.3f}" if points else "0"
    return f"{run.status}-{len(run.waiting_for)}-{stamp}"


def context(request: HttpRequest, run: Run) -> Context:
    """Everything on the tab."""
    definition = run.definition or {}
    properties = list(RunProperty.objects.filter(run=run).order_by("key"))
    git = {row.key.rpartition("git.")[2]: row.value for row in properties if row.key.startswith("azureml.git.")}
    return {
        "tags": dict(RunTag.objects.filter(run=run).order_by("key").values_list("key", "value")),
        "properties": properties,
        "git": git,
        "definition": definition,
        "script": definition.get("script") or "",
        "command": _command(definition),
        "arguments": pairs(definition.get("arguments")),
        "variables": masked_variables(definition.get(VARIABLES) or {}),
        "environment": _environment(run, definition),
        "data": _inputs_outputs(definition),
        "models": ModelVersion.objects.filter(run_id=run.id, model__workspace=run.workspace).select_related("model"),
        "duration": ((run.ended_at or timezone.now()) - run.started_at).total_seconds() if run.started_at else None,
        **status_context(request, run),
    }
