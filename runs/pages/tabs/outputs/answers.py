"""Bytes of files: one to show or download, all as a zip.

Whatever a script wrote is answered so that a browser runs none of it here: only pictures (as <img>), HTML and text are
shown at all, each under a policy that sandboxes it into an origin of its own without scripts; the rest is a download.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils.http import content_disposition_header

from runs.models import Run
from runs.pages.zips import zip_of
from runs.queries.files import RunFile, file_of, files_of
from studio.errors import Invalid, NotFound

SHOWN = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".bmp": "image/bmp",
    ".ico": "image/x-icon",
    ".avif": "image/avif",
    ".svg": "image/svg+xml",
    ".html": "text/html; charset=utf-8",
    ".htm": "text/html; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".log": "text/plain; charset=utf-8",
}
SANDBOX = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
)
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


def _pieces(file: RunFile, start: int, end: int) -> Iterator[bytes]:
    while start < end:
        piece = file.read(start, min(1 << 20, end - start))
        if not piece:
            return
        start += len(piece)
        yield piece


def file_response(request: HttpRequest, file: RunFile, *, download: bool) -> StreamingHttpResponse | HttpResponse:
    """The file's bytes, or the range asked for, under the sandboxing policy."""
    name = file.path.rpartition("/")[2]
    kind = SHOWN.get(name[name.rfind(".") :].lower()) if "." in name else None
    start, end, status = 0, file.size, 200
    found = _RANGE.fullmatch(request.headers.get("Range", ""))
    if found and (found[1] or found[2]) and file.size:
        start = int(found[1]) if found[1] else max(0, file.size - int(found[2]))
        end = min(file.size, int(found[2]) + 1) if found[1] and found[2] else file.size
        if start >= end:
            return HttpResponse(status=416, headers={"Content-Range": f"bytes */{file.size}"})
        status = 206
    response = StreamingHttpResponse(
        _pieces(file, start, end), status=status, content_type=kind or "application/octet-stream"
    )
    response["Content-Length"] = str(end - start)
    response["Accept-Ranges"] = "bytes"
    if status == 206:
        response["Content-Range"] = f"bytes {start}-{end - 1}/{file.size}"
    response["Content-Disposition"] = content_disposition_header(download or kind is None, name) or "inline"
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, no-cache"
    response["Content-Security-Policy"] = SANDBOX
    return response


def raw(request: HttpRequest, run: Run) -> StreamingHttpResponse | HttpResponse:
    """?file=path, and download=1 for the browser's download."""
    path = request.GET.get("file", "")
    if not path:
        raise Invalid("Name a file: add ?file=<path> to the address.", "file")
    return file_response(request, file_of(run, path), download=request.GET.get("download") == "1")


def zipped(request: HttpRequest, run: Run) -> StreamingHttpResponse:
    """All files, or those under ?prefix=, as one zip that is made while it is sent."""
    prefix = request.GET.get("prefix", "")
    files = [file for file in files_of(run) if file.path.startswith(prefix)]
    if not files:
        raise NotFound(f"This run has no files under {prefix!r}." if prefix else "This run has no files.")
    response = StreamingHttpResponse(
        zip_of((file.path, file.created_at, file.pieces()) for file in files), content_type="application/zip"
    )
    stem = (f"{run.id}-{prefix.strip('/')}" if prefix else run.id).replace("/", "_")
    response["Content-Disposition"] = content_disposition_header(True, f"{stem}.zip")
    return response
