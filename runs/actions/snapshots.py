"""Snapshots: the submitted folder, kept once for a workspace under an id that its content decides."""

from __future__ import annotations

import re
from typing import Any

from django.db import IntegrityError, transaction

from runs import archives, limits
from runs.actions.tags import set_properties
from runs.models import Run, Snapshot, SnapshotFile
from runs.models.raw import RunKey
from studio.errors import Conflict, Invalid, NotFound
from studio.workspace import storage
from studio.workspace.storage import Incoming

ID = re.compile(r"[0-9a-f]{64}")
PROPERTY = "ContentSnapshotId"


def put(workspace_id: int, content_id: str, body: storage.Readable) -> Snapshot:
    """Keep a zip whose files give this id; one that is there already stays. Invalid when the files give another id."""
    if not ID.fullmatch(content_id):
        raise Invalid("A snapshot's id is the SHA-256 of its listing: 64 hexadecimal digits.", "id")
    # A zip of incompressible files is a little larger than they are.
    most = limits.limit("snapshot_bytes") + 1024 * limits.limit("snapshot_files")
    with Incoming(most, "The snapshot's zip") as incoming:
        incoming.read_from(body)
        known = Snapshot.objects.filter(workspace_id=workspace_id, content_id=content_id).first()
        if known is not None:
            return known
        members = archives.check_zip(incoming.path)
        found = archives.content_id((member.path, member.mode, member.sha256) for member in members)
        if found != content_id:
            raise Invalid(
                f"The files in the zip give the id {found}, not {content_id}: a file changed meanwhile.", "id"
            )
        with storage.held([incoming.sha256]):
            incoming.keep()
            return _write(workspace_id, content_id, incoming, members)


def _write(workspace_id: int, content_id: str, incoming: Incoming, members: list[archives.Member]) -> Snapshot:
    try:
        with transaction.atomic():
            snapshot = Snapshot.objects.create(
                workspace_id=workspace_id,
                content_id=content_id,
                zip_sha256=incoming.sha256,
                zip_size=incoming.size,
                size=sum(member.size for member in members),
            )
            SnapshotFile.objects.bulk_create(
                [
                    SnapshotFile(snapshot=snapshot, path=m.path, size=m.size, sha256=m.sha256, mode=m.mode)
                    for m in sorted(members)
                ],
                batch_size=500,
            )
    except IntegrityError:  # the same folder, sent twice at once
        return get(workspace_id, content_id)
    return snapshot


def get(workspace_id: int, content_id: str) -> Snapshot:
    """The snapshot, or NotFound."""
    found = Snapshot.objects.filter(workspace_id=workspace_id, content_id=content_id).first()
    if found is None:
        raise NotFound(f"There is no snapshot {content_id[:80]!r} in this workspace.")
    return found


def attach(run: RunKey, content_id: Any) -> None:
    """Say which snapshot a run was made from. It is said once; the same again changes nothing."""
    snapshot = get(run.workspace_id, str(content_id)[:80])
    updated = Run.objects.filter(pk=run.id, snapshot=None).update(snapshot=snapshot)
    if not updated and not Run.objects.filter(pk=run.id, snapshot=snapshot).exists():
        raise Conflict("The run has another snapshot already, and a snapshot is not changed.", "snapshot_id")
    set_properties(run.id, {PROPERTY: snapshot.content_id})
