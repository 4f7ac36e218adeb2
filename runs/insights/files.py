"""Artifacts that insights write and remove: a run's own, so that they are listed and downloaded like any other."""

from __future__ import annotations

import io

from runs.actions import artifacts
from runs.models import Artifact, raw
from studio.errors import NotFound
from studio.workspace import storage


def write(run_id: str, path: str, data: bytes) -> None:
    """Keep `data` as the run's artifact `path`; a former content of the path is let go."""
    artifacts.put(raw.run_key(run_id), path, io.BytesIO(data))


def read(run_id: str, path: str) -> bytes:
    """The content of the run's artifact `path`; NotFound when it was deleted."""
    key = Artifact.key_of(path)
    sha256 = Artifact.objects.filter(run_id=run_id, path_key=key).values_list("sha256", flat=True).first()
    if sha256 is None:
        raise NotFound(f"The run has no file {path!r} any more; somebody deleted it.")
    return storage.read(sha256)


def remove(run_id: str, prefix: str) -> None:
    """Delete the run's artifacts whose path starts with `prefix`, and what no other row names of their content."""
    paths = list(Artifact.objects.filter(run_id=run_id, path__startswith=prefix).values_list("path", flat=True))
    artifacts.delete(raw.run_key(run_id), paths)
