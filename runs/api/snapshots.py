"""Snapshots over the wire."""

from __future__ import annotations

from typing import Any

from runs.actions import snapshots as actions
from runs.api import files
from runs.api.routing import Call, route
from runs.models import Snapshot, raw
from studio.errors import Forbidden
from studio.workspace.models import Role

TAG = "Snapshots"


def as_dict(snapshot: Snapshot) -> dict[str, Any]:
    """The wire form, with the listing."""
    rows = snapshot.files.order_by("path").values("path", "size", "sha256", "mode")
    return {
        "id": snapshot.content_id,
        "size": snapshot.size,
        "created_at": raw.iso(snapshot.created_at),
        "files": list(rows),
    }


def _for(call: Call, id: str) -> Snapshot:
    """The snapshot; a run's token finds those of its own run and of the runs below it."""
    snapshot = actions.get(call.workspace_id, id)
    own = call.principal.run
    if own is not None and not any(
        raw.is_below(raw.run_key(run_id), own.id) for run_id in snapshot.runs.values_list("pk", flat=True)
    ):
        raise Forbidden("A run's token reads the snapshots of its own run and of the runs below it only.")
    return snapshot


@route(
    "GET",
    "/workspaces/{ws}/snapshots/{id}",
    tag=TAG,
    summary="A snapshot's listing",
    gives="{id, size, created_at, files: [{path, size, sha256, mode}]}",
)
def get_snapshot(call: Call, id: str) -> Any:
    """404 when the workspace does not have it: then it is to be uploaded."""
    return as_dict(_for(call, id))


@route(
    "PUT",
    "/workspaces/{ws}/snapshots/{id}",
    tag=TAG,
    summary="Upload a snapshot",
    need=Role.CONTRIBUTOR,
    body="a zip of the folder's files",
    gives="{id, size, created_at, files}",
)
def put_snapshot(call: Call, id: str) -> Any:
    """id is the SHA-256 (hex) over the lines "path NUL mode NUL sha256 LF" of its files, sorted by path, with the mode
    755 or 644. The server unpacks and hashes every file and refuses a zip that gives another id."""
    return as_dict(actions.put(call.workspace_id, id, call.stream))


@route("GET", "/workspaces/{ws}/snapshots/{id}/zip", tag=TAG, summary="Download a snapshot", gives="a zip")
def get_zip(call: Call, id: str) -> Any:
    """As it was uploaded."""
    snapshot = _for(call, id)
    name = f"snapshot-{snapshot.content_id[:12]}.zip"
    return files.serve(call.request, snapshot.zip_sha256, snapshot.zip_size, name, "application/zip")


@route(
    "POST",
    "/runs/{id}/snapshot",
    tag=TAG,
    summary="Say which snapshot a run was made from",
    need=Role.CONTRIBUTOR,
    body={"snapshot_id": "text"},
    gives="{snapshot_id}",
)
def attach_snapshot(call: Call) -> Any:
    """Once; also kept as the property ContentSnapshotId."""
    wanted = call.json().get("snapshot_id")
    actions.attach(call.run, wanted)
    return {"snapshot_id": wanted}
