"""Bytes to the server and back: a keep-alive pool, nothing more.

`Transport` is what `Client` needs; tests hand in another one that runs in process. urllib3 is imported at the first
request, because its import takes longer than everything else here together.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Protocol

Body = bytes | IO[bytes] | Iterable[bytes] | None
CHUNK = 1 << 20


class TransportError(Exception):
    """The request got no answer. `sent` says whether the server may have begun to act on it."""

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


class Response(Protocol):
    """An answer whose body is read once, whole or in chunks."""

    status: int
    headers: Mapping[str, str]

    def read(self) -> bytes:
        """The rest of the body."""

    def chunks(self) -> Iterator[bytes]:
        """The body in pieces; the connection is free again after the last one."""

    def close(self) -> None:
        """Give the connection back, read or not."""


class Transport(Protocol):
    """Sends one request."""

    def send(self, method: str, url: str, headers: dict[str, str], body: Body, timeout: float) -> Response:
        """Answer of any status; raises `TransportError` when there is none."""


class _PooledResponse:
    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self.status: int = raw.status
        self.headers: Mapping[str, str] = raw.headers

    def read(self) -> bytes:
        try:
            data: bytes = self._raw.read(decode_content=True)
        except _failures() as error:
            raise TransportError(f"the connection broke while the answer came ({error})", sent=True) from error
        self._raw.release_conn()
        return data

    def chunks(self) -> Iterator[bytes]:
        try:
            yield from self._raw.stream(CHUNK, decode_content=True)
        except _failures() as error:
            raise TransportError(f"the connection broke while the answer came ({error})", sent=True) from error
        finally:
            self._raw.release_conn()

    def close(self) -> None:
        self._raw.close()
        self._raw.release_conn()


def _failures() -> tuple[type[BaseException], ...]:
    from urllib3.exceptions import HTTPError

    return (HTTPError, OSError)


class PooledTransport:
    """urllib3's pool: connections are kept open and shared by threads, and never by a forked child."""

    def __init__(self, ca_bundle: str | Path | None = None) -> None:
        self._ca_bundle = str(ca_bundle) if ca_bundle else None
        self._pool: Any = None
        self._pid = 0
        self._lock = threading.Lock()

    def _manager(self) -> Any:
        if self._pool is None or self._pid != os.getpid():
            import urllib3

            with self._lock:
                if self._pool is None or self._pid != os.getpid():
                    options: dict[str, Any] = {"maxsize": 8, "retries": False, "blocksize": CHUNK // 4}
                    if self._ca_bundle:
                        options["ca_certs"] = self._ca_bundle
                    self._pool, self._pid = urllib3.PoolManager(**options), os.getpid()
        return self._pool

    def after_fork(self) -> None:
        """A child must not share its parent's sockets, nor a lock that another thread held at the fork."""
        self._lock = threading.Lock()

    def send(self, method: str, url: str, headers: dict[str, str], body: Body, timeout: float) -> Response:
        """See `Transport.send`. `timeout` is in seconds, for connecting (at most 10) and between bytes."""
        from urllib3 import Timeout
        from urllib3.exceptions import LocationValueError, NewConnectionError
        from urllib3.exceptions import TimeoutError as PoolTimeout

        limits = Timeout(connect=min(10.0, timeout), read=timeout)
        try:
            raw = self._manager().request(
                method, url, body=body, headers=headers, timeout=limits, preload_content=False, redirect=False
            )
        except NewConnectionError as error:
            raise TransportError(_reason(error), sent=False) from error
        except LocationValueError as error:
            raise TransportError(f"{url!r} is not an address ({error})", sent=False) from error
        except PoolTimeout as error:
            raise TransportError(f"no answer within {timeout:g} s", sent=True) from error
        except _failures() as error:
            raise TransportError(_reason(error), sent=True) from error
        return _PooledResponse(raw)


def _reason(error: BaseException) -> str:
    """The innermost cause in plain words: urllib3 wraps it in the address of its own objects."""
    text = str(error.__cause__ or error)
    return text.rsplit(": ", 1)[-1] if "object at 0x" in text or "HTTPConnection" in text else text
