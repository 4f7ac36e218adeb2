"""The default datastore of a workspace: files that people put there, streamed to the store, replaced and removed."""

from __future__ import annotations

from django.db import transaction
from django.db.models import Count, Sum

from runs import limits
from runs.actions.contents import drop_unnamed
from runs.paths import check_path
from studio.errors import Conflict, NotFound
from studio.workspace import storage
from studio.workspace.models import StoredFile
from studio.workspace.storage import Incoming


def put(workspace_id: int, by: str, path: str, body: storage.Readable, *, overwrite: bool = True) -> StoredFile:
    """Take a file, in place of one of that path only when `overwrite`. Raises Invalid, Conflict, TooLarge."""
    check_path(path)
    key = StoredFile.key_of(path)
    if not overwrite and StoredFile.objects.filter(workspace_id=workspace_id, path_key=key).exists():
        raise _taken(path)
    _check_room(workspace_id, key, 0)  # before anything is read
    with Incoming(limits.limit("artifact_bytes"), "The file") as incoming:
        incoming.read_from(body)
        with storage.held([incoming.sha256]):
            incoming.keep()
            with transaction.atomic():
                _check_room(workspace_id, key, incoming.size)
                before = StoredFile.objects.select_for_update().filter(workspace_id=workspace_id, path_key=key).first()
                if before is not None and not overwrite:
                    raise _taken(path)
                row, _ = StoredFile.objects.update_or_create(
                    workspace_id=workspace_id,
                    path_key=key,
                    defaults={"path": path, "size": incoming.size, "sha256": incoming.sha256, "created_by": by},
                )
    if before is not None and before.sha256 != row.sha256:
        drop_unnamed([before.sha256])
    return row


def _taken(path: str) -> Conflict:
    return Conflict(f"The datastore has a file {path[:200]!r} already; pass overwrite=True to replace it.")


def _check_room(workspace_id: int, key: str, size: int) -> None:
    """The limits of one workspace, the file that is replaced left out."""
    others = StoredFile.objects.filter(workspace_id=workspace_id).exclude(path_key=key)
    found = others.aggregate(count=Count("pk"), size=Sum("size"))
    limits.at_most("datastore_files", found["count"] + 1, "Files of a workspace's datastore")
    limits.megabytes("datastore_bytes", (found["size"] or 0) + size, "The workspace's datastore with this file")


def find(workspace_id: int, path: str) -> StoredFile:
    """The file of that path. Raises NotFound."""
    row = StoredFile.objects.filter(workspace_id=workspace_id, path_key=StoredFile.key_of(path)).first()
    if row is None:
        raise NotFound(f"The datastore has no file {path[:200]!r}.")
    return row


def listed(workspace_id: int, prefix: str = "") -> list[StoredFile]:
    """Every file whose path starts with `prefix`, by path."""
    rows = StoredFile.objects.filter(workspace_id=workspace_id)
    return sorted((row for row in rows if row.path.startswith(prefix)), key=lambda row: row.path)


def remove(workspace_id: int, path: str) -> None:
    """Remove one file; its content goes when nothing else names it. Raises NotFound."""
    row = find(workspace_id, path)
    with transaction.atomic():
        row.delete()
        drop_unnamed([row.sha256])
