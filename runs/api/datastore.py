"""The default datastore of a workspace over the wire: files that people keep for their runs."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse

from runs.actions import artifacts
from runs.actions import datastore as actions
from runs.api import files
from runs.api.routing import Call, route
from runs.models import raw
from studio.workspace.models import Role, StoredFile

TAG = "Datastore"


def as_dict(row: StoredFile) -> dict[str, Any]:
    """The wire form."""
    return {
        "path": row.path,
        "size": row.size,
        "sha256": row.sha256,
        "created_at": raw.iso(row.created_at),
        "created_by": row.created_by,
    }


@route(
    "GET", "/workspaces/{ws}/datastore/files", tag=TAG, summary="Files of the datastore",
    query={"prefix": "The beginning of their paths."}, gives="list of {path, size, sha256, created_at, created_by}",
)  # fmt: skip
def list_files(call: Call) -> Any:
    """All at once, by path."""
    return {"items": [as_dict(row) for row in actions.listed(call.workspace_id, call.text("prefix", "") or "")], "next": None}  # fmt: skip


@route(
    "PUT", "/workspaces/{ws}/datastore/files/{path}", tag=TAG, summary="Keep a file", need=Role.CONTRIBUTOR,
    run_token=False, query={"overwrite": "0: refused (409) when there is one; else it is replaced."},
    body="bytes, streamed", gives="{path, size, sha256, created_at, created_by}",
)  # fmt: skip
def put_file(call: Call, path: str) -> Any:
    """What runs leave is their own: a run's token reads here and does not write."""
    overwrite = call.text("overwrite") is None or call.flag("overwrite")
    return as_dict(actions.put(call.workspace_id, call.by, path, call.stream, overwrite=overwrite))


@route(
    "GET", "/workspaces/{ws}/datastore/files/{path}", tag=TAG, summary="Download a file",
    gives="bytes; one Range and If-None-Match are understood",
)  # fmt: skip
def get_file(call: Call, path: str) -> Any:
    """Streamed."""
    row = actions.find(call.workspace_id, path)
    return files.serve(call.request, row.sha256, row.size, path, artifacts.content_type(path))


@route(
    "DELETE", "/workspaces/{ws}/datastore/files/{path}", tag=TAG, summary="Remove a file", need=Role.CONTRIBUTOR,
    run_token=False, status=204,
)  # fmt: skip
def delete_file(call: Call, path: str) -> Any:
    """For good."""
    actions.remove(call.workspace_id, path)
    return HttpResponse(status=204)
