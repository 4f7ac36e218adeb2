"""Files by their content: each is kept once under its SHA-256, through Django's storage API.

In a folder (the default storage), a file is written beside its place and renamed into it, so that a reader sees all of
it or none; nothing is flushed to the disk per file. With another storage (S3, Azure Blob) it is sent when complete.

A file goes when the last row that names it goes. So that nobody deletes what somebody else is just storing again, a
writer holds a shared lock on its prefix from storing until its rows are committed, and `drop` an exclusive one while it
looks for rows and deletes. The locks are files (flock), so a killed process holds none. They work on one host and on
shared folders that know flock; with object storage nothing is deleted in the first hour of its life.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import hashlib
import itertools
import os
import secrets
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Protocol

from django.core.files import File
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, default_storage
from django.utils import timezone

from studio.errors import Invalid, NotFound, TooLarge, Unavailable

PIECE = 1 << 20
AHEAD = 4
"""So many pieces at most wait for their hash."""
YOUNG = dt.timedelta(hours=1)
# An upload that nobody has written to for so long is one of a server that was killed.
CUT_OFF = dt.timedelta(days=1)


class Readable(Protocol):
    """What a request's body can do."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes, none at the end."""


def _folder() -> str | None:
    """Where the default storage keeps its files, None when that is no folder. Text: a small file is stored in less time
    than pathlib takes to put its few paths together."""
    return str(default_storage.location) if isinstance(default_storage, FileSystemStorage) else None


def make_folders() -> None:
    """The folders of contents and their locks, so that no request has to make the one it needs. What was made meanwhile,
    or is taken away later, does no harm."""
    if folder := _folder():
        for kind in ("locks", "incoming", *(f"content/{first:02x}" for first in range(256))):
            Path(folder, kind).mkdir(parents=True, exist_ok=True)
        for first in range(256):
            os.close(_opened(f"{folder}/locks/{first:02x}", os.O_RDWR))


def name_of(sha256: str) -> str:
    """The storage's name for a content."""
    return f"content/{sha256[:2]}/{sha256}"


def too_large(most: int, what: str) -> TooLarge:
    """The refusal of a file that passes its limit."""
    return TooLarge(f"{what} is larger than the limit of {most / 1024**2:,.0f} MB.")


def check_hash(sha256: str, expected: str | None) -> None:
    """Invalid when the sender's hash is another than ours: the bytes changed on the way."""
    if expected and expected.lower() != sha256:
        raise Invalid(f"The body's SHA-256 is {sha256}, not {expected[:80]}: it changed on its way. Send it again.")


class Incoming:
    """A file on its way in: written to a temporary place and hashed as it comes. Use as a context manager."""

    def __init__(self, most: int | None = None, what: str = "The file") -> None:
        self._most, self._what = most, what
        self._hash = hashlib.sha256()
        self.size = 0
        self._path = ""
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Incoming:
        folder = _folder()
        where = f"{folder}/incoming" if folder else None
        try:
            descriptor, self._path = tempfile.mkstemp(dir=where)
        except FileNotFoundError:
            assert where is not None
            Path(where).mkdir(parents=True, exist_ok=True)
            descriptor, self._path = tempfile.mkstemp(dir=where)
        self._file = open(descriptor, "wb", buffering=0)  # noqa: PTH123 - closed by __exit__
        return self

    def __exit__(self, *_: object) -> None:
        assert self._file is not None
        self._file.close()
        if self._path:
            Path(self._path).unlink(missing_ok=True)

    def write(self, data: bytes) -> None:
        """Take the next bytes; TooLarge when the limit is passed, Unavailable when the disk is full."""
        self._store(data)
        self._hash.update(data)

    def _store(self, data: bytes) -> None:
        assert self._file is not None
        self.size += len(data)
        if self._most is not None and self.size > self._most:
            raise too_large(self._most, self._what)
        try:
            view = memoryview(data)
            while view:
                view = view[self._file.write(view) :]  # an unbuffered file may take a part only
        except OSError as error:
            raise Unavailable(f"The server could not store the file: {error.strerror}.") from None

    def read_from(self, source: Readable) -> None:
        """Take everything that `source` has. Of a long body, a piece is hashed while the next is read and written: each of
        the three takes about as long as the others, and none of them holds Python's lock."""
        piece = source.read(PIECE)
        if len(piece) < PIECE:
            while piece:
                self.write(piece)
                piece = source.read(PIECE)
            return
        with ThreadPoolExecutor(1, "hashing") as beside:
            hashing: deque[Future[None]] = deque()
            while piece:
                if len(hashing) >= AHEAD:
                    hashing.popleft().result()
                hashing.append(beside.submit(self._hash.update, piece))
                self._store(piece)
                piece = source.read(PIECE)
            for one in hashing:
                one.result()

    @property
    def path(self) -> Path:
        """Where the bytes are until `keep`."""
        return Path(self._path)

    @property
    def sha256(self) -> str:
        """The hash of what has come so far, in hex."""
        return self._hash.hexdigest()

    def check(self, expected: str | None) -> None:
        """Invalid when the sender's hash is another than ours: the bytes changed on the way."""
        check_hash(self.sha256, expected)

    def keep(self) -> str:
        """Put the file into its place; the caller holds `held(…)` until the rows that name it are committed."""
        sha256, folder = self.sha256, _folder()
        if folder is None:
            if not default_storage.exists(name_of(sha256)):
                with Path(self._path).open("rb") as content:
                    default_storage.save(name_of(sha256), File(content))
            return sha256
        target = f"{folder}/{name_of(sha256)}"
        if _is_there(target, self.size):
            return sha256  # and what came goes with `__exit__`
        try:
            os.replace(self._path, target)  # noqa: PTH105 - see _folder
        except FileNotFoundError:
            Path(target).parent.mkdir(parents=True, exist_ok=True)
            Path(self._path).replace(target)
        self._path = ""
        return sha256


def _is_there(path: str, size: int) -> bool:
    """Whether this content is stored already. A file of another size is what a power cut left of it: that is replaced."""
    try:
        return os.stat(path).st_size == size  # noqa: PTH116 - see _folder
    except FileNotFoundError:
        return False


def _opened(path: str, how: int) -> int:
    """A descriptor of a file that is made, with its folder, where it is not there."""
    flags = how | os.O_CREAT | os.O_CLOEXEC
    try:
        return os.open(path, flags, 0o600)
    except FileNotFoundError:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, flags, 0o600)


@contextmanager
def _locked(prefix: str, how: int, folder: str | None = None) -> Iterator[None]:
    descriptor = _opened(f"{folder or _folder()}/locks/{prefix}", os.O_RDWR)
    try:
        fcntl.flock(descriptor, how)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def held(hashes: Iterable[str]) -> Iterator[None]:
    """While this is open, none of these contents is deleted. Open it before `keep`, close it after the commit."""
    with ExitStack() as stack:
        if _folder() is not None:
            for prefix in sorted({sha256[:2] for sha256 in hashes}):
                stack.enter_context(_locked(prefix, fcntl.LOCK_SH))
        yield


_OWN = secrets.token_hex(8)
_serial = itertools.count()


@contextmanager
def kept_small(data: bytes, sha256: str) -> Iterator[None]:
    """A content that is in memory in its place, and held while this is open: `Incoming`, `held` and `keep` in one, with
    as few calls of the system as it takes."""
    folder = _folder()
    if folder is None:
        if not default_storage.exists(name_of(sha256)):
            default_storage.save(name_of(sha256), ContentFile(data))
        yield
        return
    # Beside its place: to rename a file from one folder to another, the kernel stops all others that do so.
    target = f"{folder}/{name_of(sha256)}"
    partial = f"{target}.{_OWN}-{os.getpid()}-{next(_serial)}"
    with _locked(sha256[:2], fcntl.LOCK_SH, folder):
        if not _is_there(target, len(data)):
            try:
                _write(partial, data)
                os.replace(partial, target)  # noqa: PTH105 - see _folder
            except BaseException:
                Path(partial).unlink(missing_ok=True)
                raise
        yield


def _write(path: str, data: bytes) -> None:
    descriptor = _opened(path, os.O_WRONLY | os.O_EXCL)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
    except OSError as error:
        raise Unavailable(f"The server could not store the file: {error.strerror}.") from None
    finally:
        os.close(descriptor)


def drop_cut_off() -> int:
    """Delete what uploads left that were cut off by the end of their server; how many there were."""
    folder, gone = _folder(), 0
    before = (timezone.now() - CUT_OFF).timestamp()
    for file in Path(folder, "incoming").glob("*") if folder else ():
        with suppress(FileNotFoundError):  # it was kept, or another worker's sweep was faster
            if file.stat().st_mtime < before:
                file.unlink()
                gone += 1
    return gone


def drop(hashes: Iterable[str], still_named: Callable[[str], bool]) -> int:
    """Delete each content that no row names any more; how many went. Call it after the rows' deletion is committed."""
    folder, gone = _folder(), 0
    for sha256 in sorted(set(hashes)):
        if folder is None:
            gone += _drop_remote(sha256, still_named)
            continue
        with _locked(sha256[:2], fcntl.LOCK_EX):
            if not still_named(sha256):
                path = Path(folder, name_of(sha256))
                gone += path.exists()
                path.unlink(missing_ok=True)
    return gone


def _drop_remote(sha256: str, still_named: Callable[[str], bool]) -> bool:
    name = name_of(sha256)
    if still_named(sha256) or not default_storage.exists(name):
        return False
    if timezone.now() - default_storage.get_modified_time(name) < YOUNG:
        return False
    default_storage.delete(name)
    return True


def open_content(sha256: str) -> IO[bytes]:
    """The content, open for reading; NotFound when the store has lost it."""
    folder = _folder()
    try:
        if folder is not None:
            return Path(folder, name_of(sha256)).open("rb", buffering=0)
        return default_storage.open(name_of(sha256), "rb")
    except FileNotFoundError:
        raise NotFound(
            "The file's content is missing from the server's storage; its administrator can say why."
        ) from None


def read(sha256: str, most: int | None = None) -> bytes:
    """The content's first `most` bytes, or all."""
    with open_content(sha256) as content:
        return content.read() if most is None else content.read(most)
