"""Files over HTTP: streamed up and down, in ranges, as zip, and never run in the studio's origin."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Iterator
from typing import IO
from urllib.parse import quote

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse

from studio.workspace import storage

PIECE = 512 * 1024
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


def _guarded(response: HttpResponse | StreamingHttpResponse, name: str) -> HttpResponse:
    """What people uploaded is downloaded, never shown as a page of ours: an attachment, in a sandbox of its own."""
    response["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name.rpartition('/')[2])}"
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response["X-Content-Type-Options"] = "nosniff"
    return response  # type: ignore[return-value]


def serve(request: HttpRequest, sha256: str, size: int, name: str, content_type: str) -> HttpResponse:
    """A stored content: whole, one range of it (206), or nothing when the client has it (304)."""
    etag = f'"{sha256}"'
    if etag in request.META.get("HTTP_IF_NONE_MATCH", ""):
        return _guarded(HttpResponse(status=304, headers={"ETag": etag}), name)
    start, end, status = _span(request, size, etag)
    if status == 416:
        return _guarded(HttpResponse(status=416, headers={"Content-Range": f"bytes */{size}"}), name)
    headers = {"Content-Length": str(end - start), "Accept-Ranges": "bytes", "ETag": etag}
    if status == 206:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    content = storage.open_content(sha256)
    if end - start <= PIECE:
        with content:
            content.seek(start)
            body = content.read(end - start)
        response = HttpResponse(body, content_type=content_type, status=status, headers=headers)
        return _guarded(response, name)
    stream = StreamingHttpResponse(
        _pieces(content, start, end), content_type=content_type, status=status, headers=headers
    )
    return _guarded(stream, name)


def _span(request: HttpRequest, size: int, etag: str) -> tuple[int, int, int]:
    """(start, end, status) of what was asked for. Several ranges at once, or nonsense, mean the whole (RFC 9110, 14.2)."""
    header = request.META.get("HTTP_RANGE", "")
    match = _RANGE.fullmatch(header.strip())
    if not match or match[0] == "bytes=-" or request.META.get("HTTP_IF_RANGE", etag) != etag:
        return 0, size, 200
    first, last = match[1], match[2]
    if not first:
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(size, int(last) + 1) if last else size
    return (start, end, 206) if start < end else (0, 0, 416)


def _pieces(content: IO[bytes], start: int, end: int) -> Iterator[bytes]:
    with content:
        content.seek(start)
        left = end - start
        while left and (piece := content.read(min(PIECE, left))):
            left -= len(piece)
            yield piece


def serve_pieces(pieces: Iterable[bytes], size: int, name: str, content_type: str) -> HttpResponse:
    """Bytes that are in no file yet: a log that still grows, as it is now."""
    stream = StreamingHttpResponse(pieces, content_type=content_type, headers={"Content-Length": str(size)})
    return _guarded(stream, name)


class _Sink:
    """Where zipfile writes; what it wrote is taken away piece by piece."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        """Take bytes."""
        self.parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing waits."""

    def take(self) -> bytes:
        """What was written since the last time."""
        data = b"".join(self.parts)
        self.parts.clear()
        return data


def serve_zip(files: Iterable[tuple[str, int, Iterable[bytes]]], name: str) -> HttpResponse:
    """A zip of (path, size, pieces), made while it is sent; stored, since most outputs do not compress."""

    def pieces() -> Iterator[bytes]:
        sink = _Sink()
        with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:  # type: ignore[call-overload]
            for path, size, content in files:
                entry = zipfile.ZipInfo(path, date_time=(1980, 1, 1, 0, 0, 0))
                entry.external_attr = 0o100644 << 16
                with archive.open(entry, "w", force_zip64=size > 2**31) as target:
                    for piece in content:
                        target.write(piece)
                        yield sink.take()
        yield sink.take()

    return _guarded(StreamingHttpResponse(pieces(), content_type="application/zip"), name)


def pieces_of(sha256: str) -> Iterator[bytes]:
    """A stored content, piece by piece; it is opened when the first is asked for."""
    with storage.open_content(sha256) as content:
        while piece := content.read(PIECE):
            yield piece
