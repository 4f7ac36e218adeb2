"""Environments by name: registered in a workspace, or curated. Register, get, list."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction

from studio.environments import credentials, curated, spec
from studio.environments.models import Environment, EnvironmentVersion, Image, Use
from studio.errors import Invalid, NotFound
from studio.workspace.models import Workspace

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,254}")


@dataclass(frozen=True)
class Record:
    """One version as pages and the API show it."""

    name: str
    version: str
    definition: dict[str, Any]
    is_curated: bool = False
    description: str = ""
    created_at: datetime | None = None
    created_by: str = ""
    built: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The wire form. The registry's password is masked."""
        at = self.created_at.isoformat().replace("+00:00", "Z") if self.created_at else None
        return {
            "name": self.name,
            "version": self.version,
            "definition": self.definition,
            "curated": self.is_curated,
            "description": self.description,
            "created_at": at,
            "created_by": self.created_by,
            "images": {
                backend: {"name": spec.image_name(found["key"]), "digest": found["digest"]}
                for backend, found in self.built.items()
            },
        }


def register(workspace: Workspace, definition: Any, username: str = "") -> Record:
    """Registers a definition under its name: the next version, or the latest when its content is the same."""
    if not isinstance(definition, Mapping):
        raise Invalid("definition must be an object: an environment as it stands in a run's definition.", "definition")
    name = definition.get("name")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise Invalid(
            f"{str(name)[:60]!r} can't name an environment: use letters, digits, - _ and ., at most 255.", "name"
        )
    if name.startswith((curated.PREFIX, "Microsoft")):
        raise Invalid(
            f"Names that start with {curated.PREFIX} are those of curated environments; choose another.", "name"
        )
    spec.read(definition, settings.CONDA_CHANNELS)
    kept = credentials.put_away(workspace, definition)
    kept["version"] = None
    content = hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()
    with transaction.atomic():
        Environment.objects.get_or_create(workspace=workspace, name=name)
        environment = Environment.objects.select_for_update().get(workspace=workspace, name=name)
        latest = environment.versions.order_by("-version").first()
        if latest is None or latest.content != content:
            environment.last_version += 1
            environment.save(update_fields=["last_version"])
            kept["version"] = str(environment.last_version)
            latest = EnvironmentVersion.objects.create(
                environment=environment,
                version=environment.last_version,
                definition=kept,
                content=content,
                created_by=username,
            )
    return _record(latest)


def get(workspace: Workspace, name: str, version: str | int | None = None) -> Record:
    """A version, the latest by default. Raises NotFound."""
    found = versions(workspace, name)
    if version in (None, "", "latest"):
        return found[0]
    for record in found:
        if record.version == str(version):
            return record
    there = ", ".join(record.version for record in found)
    raise NotFound(f"The environment {name!r} has no version {str(version)[:20]!r}; it has {there}.")


def versions(workspace: Workspace, name: str) -> list[Record]:
    """All versions of a name, newest first. Raises NotFound."""
    if ours := curated.named(name):
        return [_curated(one, workspace) for one in reversed(ours)]
    rows = EnvironmentVersion.objects.filter(environment__workspace=workspace, environment__name=name).select_related(
        "environment"
    )
    found = [_record(row) for row in rows.order_by("-version")]
    if not found:
        raise NotFound(f"There is no environment {name[:60]!r} in the workspace {workspace.name}.")
    return found


def listed(workspace: Workspace) -> list[Record]:
    """The latest version of each environment by name; the workspace's own first, then the curated ones."""
    rows = (
        EnvironmentVersion.objects.filter(environment__workspace=workspace)
        .select_related("environment")
        .order_by("environment__name", "version")
    )
    own = {row.environment.name: row for row in rows}
    return [_record(row) for row in own.values()] + [_curated(one, workspace) for one in curated.latest()]


def remember(workspace: Workspace | None, name: str, version: str, image: Image) -> None:
    """Keeps the digest and the lock of the image with the registered version that it was built for or found for."""
    if not version.isdigit() or len(version) > 9:
        return
    row = EnvironmentVersion.objects.filter(
        environment__workspace=workspace, environment__name=name, version=int(version)
    ).first()
    kept = _kept(image)
    if row is not None and row.built.get(image.backend) != kept:
        row.built = {**row.built, image.backend: kept}
        row.save(update_fields=["built"])


def _kept(image: Image) -> dict[str, Any]:
    return {
        "key": image.key,
        "digest": image.digest,
        "lock": image.lock_id,
        "base": image.base_digest,
        "build": image.build_id,
    }


def _record(row: EnvironmentVersion) -> Record:
    return Record(
        name=row.environment.name,
        version=str(row.version),
        definition=row.definition,
        created_at=row.created_at,
        created_by=row.created_by,
        built=row.built,
    )


def _curated(one: curated.Curated, workspace: Workspace) -> Record:
    """A curated version belongs to no workspace; what was built from it is what this one's runs used."""
    uses = Use.objects.filter(
        workspace=workspace, environment=one.name, version=str(one.version), image__isnull=False
    ).select_related("image")
    built = {use.backend: _kept(use.image) for use in uses.order_by("asked_at") if use.image}
    return Record(one.name, str(one.version), one.definition, is_curated=True, description=one.description, built=built)
