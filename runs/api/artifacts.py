"""Artifacts and logs over the wire."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse

from runs.actions import artifacts as actions
from runs.actions import logs
from runs.api import files
from runs.api.routing import Call, route
from runs.limits import limit
from runs.models import raw
from runs.queries import artifacts
from studio.errors import Invalid, TooLarge
from studio.workspace.models import Role

TAG = "Artifacts"
READ_LIMIT = 1024**2


@route(
    "PUT",
    "/runs/{id}/logs/{path}",
    tag="Logs",
    summary="Append to a log",
    need=Role.CONTRIBUTOR,
    query={"offset": "Where the bytes start; the log's end when it is absent."},
    body="bytes",
    gives="{size}",
)
def put_log(call: Call, path: str) -> Any:
    """Bytes that are there already change nothing; a gap is refused (409) with the size that there is in `field`."""
    most = limit("log_chunk_bytes")
    data = call.stream.read(most + 1)
    if len(data) > most:
        raise TooLarge(f"A log's chunk has at most {most:,} bytes; send this one in several.")
    offset = call.number("offset", -1, 0, 2**62)
    return {"size": logs.append(call.run.id, path, data, None if offset < 0 else offset)}


@route(
    "GET",
    "/runs/{id}/logs/{path}",
    tag="Logs",
    summary="Read a log",
    query={
        "offset": "Where to start; negative: so many bytes before the end.",
        "limit": "At most so many bytes (1 MiB).",
    },
    gives="bytes; headers X-Log-Size and X-Log-Complete",
)
def get_log(call: Call, path: str) -> Any:
    """Ask again from the end of what came; nothing comes when there is nothing new."""
    offset = call.number("offset", 0, -(2**62), 2**62)
    count = call.number("limit", READ_LIMIT, 1, 16 * READ_LIMIT)
    data, size, complete = artifacts.read_log(call.run.id, path, offset, count)
    headers = {"X-Log-Size": str(size), "X-Log-Complete": str(int(complete)), "X-Content-Type-Options": "nosniff"}
    return HttpResponse(data, content_type="text/plain; charset=utf-8", headers=headers)


@route(
    "GET",
    "/runs/{id}/logs",
    tag="Logs",
    summary="The logs of a run",
    gives="list of {path, size, attempt_size, complete}",
)
def list_logs(call: Call) -> Any:
    """Open and closed ones. A job that was tried again counts what it sends by `attempt_size`."""
    rows = artifacts.logs_of(call.run.id)
    items = [{"path": r.path, "size": r.size, "attempt_size": r.size - r.base, "complete": r.complete} for r in rows]
    return {"items": items, "next": None}


@route(
    "PUT",
    "/runs/{id}/artifacts/{path}",
    tag=TAG,
    summary="Upload an artifact",
    need=Role.CONTRIBUTOR,
    body="bytes, streamed; the header X-Content-SHA256 is compared when it is there",
    gives="{path, size, sha256}",
    claims=True,
)
def put_artifact(call: Call, path: str) -> Any:
    """In place of one that is there."""
    expected = call.request.META.get("HTTP_X_CONTENT_SHA256")
    body = call.small(actions.SMALL)
    if body is not None:
        return actions.put_small(call.run, path, body, expected, call.claim).as_dict()
    if call.claim is not None:  # nothing of a large body is taken from somebody who may not send it
        raise raw.Unproven
    return actions.put(call.run, path, call.stream, expected).as_dict()


@route(
    "PUT",
    "/runs/{id}/artifacts-bundle",
    tag=TAG,
    summary="Upload many artifacts",
    need=Role.CONTRIBUTOR,
    body="an uncompressed tar; each file in it becomes an artifact",
    gives="{items: [{path, size, sha256}]}",
)
def put_bundle(call: Call) -> Any:
    """One commit: all of them, or none when one is refused."""
    return {"items": [stored.as_dict() for stored in actions.put_bundle(call.run, call.stream)]}


@route(
    "GET",
    "/runs/{id}/artifacts/{path}",
    tag=TAG,
    summary="Download an artifact",
    gives="bytes; one Range and If-None-Match are understood",
)
def get_artifact(call: Call, path: str) -> Any:
    """A log that still grows is found here too, as it is now."""
    kept = artifacts.find(call.run.id, path)
    if kept.log_id is not None:
        return files.serve_pieces(artifacts.log_bytes(kept.log_id, 0, kept.size), kept.size, path, kept.content_type)
    return files.serve(call.request, kept.sha256 or "", kept.size, path, kept.content_type)


@route(
    "GET",
    "/runs/{id}/artifacts",
    tag=TAG,
    summary="The artifacts of a run",
    query={"prefix": "The beginning of their paths."},
    gives="list of {path, size, sha256, content_type, created_at}",
)
def list_artifacts(call: Call) -> Any:
    """By path; open logs are among them, without a hash."""
    found = artifacts.listed(call.run.id, call.text("prefix") or "")
    return {"items": [artifacts.as_dict(kept) for kept in found], "next": None}


@route(
    "DELETE",
    "/runs/{id}/artifacts/{path}",
    tag=TAG,
    summary="Delete an artifact",
    need=Role.CONTRIBUTOR,
    run_token=False,
    gives="{deleted}",
)
def delete_artifact(call: Call, path: str) -> Any:
    """Its content goes too, unless something else has the same."""
    artifacts.find(call.run.id, path)
    return {"deleted": actions.delete(call.run, [path])}


@route(
    "GET",
    "/runs/{id}/artifacts-zip",
    tag=TAG,
    summary="Download many artifacts",
    query={"prefix": "The beginning of their paths."},
    gives="a zip with the artifacts' paths",
)
def get_zip(call: Call) -> Any:
    """Made while it is sent: no copy is written."""
    found = artifacts.listed(call.run.id, call.text("prefix") or "")
    if not found:
        raise Invalid("There is no artifact with that prefix.", "prefix")
    entries = (
        (
            kept.path,
            kept.size,
            files.pieces_of(kept.sha256) if kept.sha256 else artifacts.log_bytes(kept.log_id or 0, 0, kept.size),
        )
        for kept in found
    )
    return files.serve_zip(entries, f"{call.run.id}.zip")
