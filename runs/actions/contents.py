"""Which stored contents are still named by a row, and letting go of those that are not."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction

from runs.models import Artifact, Snapshot
from studio.workspace import storage
from studio.workspace.models import ModelFile, ModelUpload, StoredFile


def still_named(sha256: str) -> bool:
    """Whether any artifact, model, upload, snapshot or file of a datastore needs this content."""
    return (
        Artifact.objects.filter(sha256=sha256).exists()
        or ModelFile.objects.filter(sha256=sha256).exists()
        or Snapshot.objects.filter(zip_sha256=sha256).exists()
        or ModelUpload.objects.filter(sha256=sha256).exists()
        or StoredFile.objects.filter(sha256=sha256).exists()
    )


def drop_unnamed(hashes: Iterable[str]) -> None:
    """Delete those contents that no row names any more, once what happens now is committed."""
    gone = sorted(set(hashes))
    if gone:
        transaction.on_commit(lambda: storage.drop(gone, still_named))
