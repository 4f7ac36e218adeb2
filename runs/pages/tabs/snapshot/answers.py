"""A file of the snapshot, or the whole zip, as a download."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils.http import content_disposition_header

from runs.models import Run, Snapshot
from runs.queries import snapshot_files
from studio.errors import NotFound


def _snapshot(run: Run) -> Snapshot:
    if run.snapshot is None:
        raise NotFound("This run has no snapshot.")
    return run.snapshot


def file(request: HttpRequest, run: Run) -> HttpResponse:
    """?file=path. Always a download: what is in it never runs here."""
    path = request.GET.get("file", "")
    response = HttpResponse(snapshot_files.read(_snapshot(run), path), content_type="application/octet-stream")
    response["Content-Disposition"] = content_disposition_header(True, path.rpartition("/")[2])
    response["X-Content-Type-Options"] = "nosniff"
    return response


def packed(request: HttpRequest, run: Run) -> StreamingHttpResponse:
    """The snapshot as it was submitted."""
    snapshot = _snapshot(run)
    response = StreamingHttpResponse(snapshot_files.packed(snapshot), content_type="application/zip")
    response["Content-Length"] = str(snapshot.zip_size)
    response["Content-Disposition"] = content_disposition_header(True, f"snapshot-{snapshot.content_id[:12]}.zip")
    return response
