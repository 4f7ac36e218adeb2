"""Artifacts that insights write and remove: a run's own, so that they are listed and downloaded like any other."""

from __future__ import annotations

from django.db import transaction
from django.db.models import QuerySet

from runs.models import Artifact, SnapshotFile
from studio.workspace import storage
from studio.workspace.models import ModelFile


def write(run_id: str, path: str, data: bytes, content_type: str = "application/json") -> None:
    """Keep `data` as the run's artifact `path`; a former content of the path is let go."""
    with storage.Incoming() as incoming:
        incoming.write(data)
        with storage.held([incoming.sha256]):
            sha256 = incoming.keep()
            with transaction.atomic():
                old = Artifact.objects.filter(run_id=run_id, path=path).values_list("sha256", flat=True).first()
                Artifact.objects.update_or_create(
                    run_id=run_id,
                    path=path,
                    defaults={"size": len(data), "sha256": sha256, "content_type": content_type},
                )
    if old and old != sha256:
        storage.drop([old], is_named)


def read(run_id: str, path: str) -> bytes:
    """The content of the run's artifact `path`; studio.errors.NotFound when its content is lost."""
    sha256 = Artifact.objects.values_list("sha256", flat=True).get(run_id=run_id, path=path)
    return storage.read(sha256)


def remove(run_id: str, prefix: str) -> None:
    """Delete the run's artifacts whose path starts with `prefix`, and what no other row names of their content."""
    rows: QuerySet[Artifact] = Artifact.objects.filter(run_id=run_id, path__startswith=prefix)
    hashes = set(rows.values_list("sha256", flat=True))
    rows.delete()
    storage.drop(hashes, is_named)


def is_named(sha256: str) -> bool:
    """Whether any row of the server still names this content."""
    return any(model.objects.filter(sha256=sha256).exists() for model in (Artifact, SnapshotFile, ModelFile))
