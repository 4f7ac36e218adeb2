"""A zip that is made while it is sent: no file and no folder is ever whole in memory."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from datetime import datetime


class _Outlet:
    """What zipfile writes to: bytes are taken out as they come. Not seekable, so sizes follow each member's data."""

    def __init__(self) -> None:
        self._waiting: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._waiting.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def take(self) -> bytes:
        """What was written since the last time."""
        data, self._waiting = b"".join(self._waiting), []
        return data


def zip_of(members: Iterable[tuple[str, datetime, Iterable[bytes]]]) -> Iterator[bytes]:
    """The bytes of a zip of (path, time, pieces) members."""
    outlet = _Outlet()
    with zipfile.ZipFile(outlet, "w", zipfile.ZIP_DEFLATED, allowZip64=True) as archive:  # type: ignore[call-overload]
        for path, at, pieces in members:
            info = zipfile.ZipInfo(path, max(at, datetime(1980, 1, 1, tzinfo=at.tzinfo)).timetuple()[:6])
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            with archive.open(info, "w", force_zip64=True) as member:
                for piece in pieces:
                    member.write(piece)
                    if data := outlet.take():
                        yield data
            if data := outlet.take():
                yield data
    yield outlet.take()
