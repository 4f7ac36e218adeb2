"""Definitions as the SDK sends them, and the steps a run takes until its environment is there."""

from __future__ import annotations

import uuid
from typing import Any

from studio.containers import containers
from studio.environments.models import ACTIVE, Build
from studio.environments.prepare import Backend, Prepared, find_or_build
from studio.environments.tasks import build as build_task
from studio.workspace.models import Workspace


def definition(
    name: str = "env",
    *,
    pip: list[str] | None = None,
    conda: list[str] | None = None,
    channels: list[str] | None = None,
    version: str | None = None,
    user_managed: bool = False,
    docker: dict[str, Any] | None = None,
    variables: dict[str, str] | None = None,
) -> dict[str, Any]:
    """A v1 environment definition."""
    dependencies: list[Any] = [*(conda or []), *([{"pip": pip}] if pip else [])]
    specification = {"name": "project_environment", "channels": channels or [], "dependencies": dependencies}
    return {
        "name": name,
        "version": version,
        "python": {
            "interpreterPath": "python",
            "userManagedDependencies": user_managed,
            "condaDependencies": None if user_managed else specification,
            "baseCondaEnvironment": None,
        },
        "environmentVariables": variables or {},
        "docker": {
            "baseImage": None,
            "baseDockerfile": None,
            "baseImageRegistry": {"address": None, "username": None, "password": None},
            **(docker or {}),
        },
    }


def work() -> None:
    """What the workers do: every build that waits is built, tried again while it is given back, until none is left."""
    while waiting := Build.objects.filter(state__in=ACTIVE).first():
        before = waiting.attempts
        build_task(waiting.pk)
        waiting.refresh_from_db()
        assert waiting.state not in ACTIVE or waiting.attempts > before, "a worker left its build as it was"


def prepared(
    workspace: Workspace,
    wanted: dict[str, Any],
    *,
    backend: Backend = "process",
    run: str = "run-1",
    engine: str | None = None,
) -> Prepared:
    """A run's environment, after its build."""
    found = find_or_build(workspace, wanted, backend=backend, engine=engine, for_run=run)
    if found.state == "building":
        work()
        found = find_or_build(workspace, wanted, backend=backend, engine=engine, for_run=run)
    return found


def output(image: str, *command: str, user: str = "1000:1000") -> str:
    """What a command writes inside an image."""
    name = f"atelier-test-{uuid.uuid4().hex[:8]}"
    containers.create(containers.ContainerSpec(name=name, image=image, command=list(command), user=user))
    try:
        containers.start(name)
        while containers.inspect(name).status == "running":
            pass
        return containers.logs(name).decode().strip()
    finally:
        containers.remove(name)
