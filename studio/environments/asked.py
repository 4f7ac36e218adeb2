"""Builds that a person asks for, before any run needs the environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from studio.environments import prepare, queries
from studio.environments.models import Build
from studio.environments.prepare import Prepared
from studio.errors import Invalid
from studio.workspace.models import Workspace


def build_now(workspace: Workspace, definition: Mapping[str, Any], backend: str, by: str) -> Prepared:
    """The image or virtual environment of a definition: found, on its way, or why it can't be. A failure of before is
    forgotten, so asking again tries again. Raises Unavailable when no engine answers."""
    if backend not in ("process", "docker"):
        raise Invalid("Choose where to build: as an image, or as a virtual environment.", "backend")
    name, version = str(definition.get("name") or "unnamed"), definition.get("version") or "not registered"
    asked_by = f"build by {by} of {name}:{version} as {backend}"[:256]
    prepare.forget(asked_by)
    return prepare.find_or_build(workspace, definition, backend=cast(prepare.Backend, backend), for_run=asked_by)


def as_json(workspace: Workspace, found: Prepared, definition: Mapping[str, Any], backend: str) -> dict[str, Any]:
    """The wire form of a build; what was there already without one is as a build that succeeded."""
    build = Build.objects.filter(pk=found.build_id).first() if found.build_id else None
    if build is not None:
        return queries.build_json(build)
    return {
        **dict.fromkeys(("id", "run_id", "source", "drift", "created_at", "started_at", "ended_at")),
        "state": "Succeeded",
        "backend": backend,
        "image": found.derived_image or None,
        "environment": definition.get("name"),
        "version": definition.get("version"),
        "message": found.message or None,
    }
