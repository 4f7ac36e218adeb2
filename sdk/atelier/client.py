"""The REST API as Python calls: JSON in and out, errors as exceptions, retries where a repeat is harmless.

A `Client` is an address, a token and a transport. It is safe to share between threads and survives a fork.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from atelier.errors import ConfigurationError, UnavailableError, UnreachableError, UserError, from_answer
from atelier.transport import Body, PooledTransport, Response, Transport, TransportError
from atelier.version import VERSION

API = "/api/v1"
IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE"})
AGAIN = frozenset({429, 502, 503, 504})
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0


def segment(name: str) -> str:
    """`name` as one piece of a path: a slash in it is quoted too. Raises `UserError` for what is no text."""
    if not isinstance(name, str) or not name:
        raise UserError(f"A name or id is text, not {name!r}.")
    return quote(name, safe="")


def file_path(name: str) -> str:
    """`name` as a path below an address: slashes stay, everything odd is quoted."""
    return quote(name, safe="/")


class Client:
    """Calls of one user or run to one server.

    `token` may be a function, called for each request, so that a refreshed run token is picked up.
    `patience` is how many seconds idempotent calls are repeated while the server does not answer; before the first
    answer ever, at most `first_patience`, so that a wrong address is told at once.
    """

    def __init__(
        self,
        url: str,
        token: str | Callable[[], str | None] | None = None,
        transport: Transport | None = None,
        *,
        patience: float = 60.0,
        first_patience: float = 1.5,
    ) -> None:
        self.url = url.rstrip("/")
        self._token = token
        self.transport: Transport = transport or PooledTransport()
        self.patience = patience
        self.first_patience = first_patience
        self._answered = False

    def __repr__(self) -> str:
        return f"Client({self.url!r})"

    @property
    def token(self) -> str | None:
        """The token of the next request."""
        return self._token() if callable(self._token) else self._token

    def address(self, path: str, params: Mapping[str, Any] | None = None) -> str:
        """The absolute address of an API path; parameters that are None are left out, lists are repeated."""
        address = f"{self.url}{API}{path}"
        if params:
            pairs = [(k, _plain(one)) for k, v in params.items() for one in _values(v)]
            if pairs:
                address += "?" + urlencode(pairs)
        return address

    def call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json_body: Any = None,
        body: Body = None,
        headers: Mapping[str, str] | None = None,
        repeatable: bool | None = None,
        timeout: float = 60.0,
        patience: float | None = None,
    ) -> Any:
        """One request; its decoded JSON answer (None when empty).

        `repeatable` says that a repeat is harmless (default: as the method says). Raises the exception of the
        server's error code, `UnreachableError` when there is no answer.
        """
        answer = self.open(
            method,
            path,
            params=params,
            json_body=json_body,
            body=body,
            headers=headers,
            repeatable=repeatable,
            timeout=timeout,
            patience=patience,
        )
        data = _read(answer, f"{method} {path}")
        if not data:
            return None
        try:
            return json.loads(data)
        except ValueError:
            kind = answer.headers.get("content-type", "an unknown type")
            raise UnavailableError(
                f"{self.url} answered with {kind}, not JSON; is that the address of an Atelier server?"
            ) from None

    def open(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json_body: Any = None,
        body: Body = None,
        headers: Mapping[str, str] | None = None,
        repeatable: bool | None = None,
        timeout: float = 60.0,
        patience: float | None = None,
    ) -> Response:
        """As `call`, but the answer's body is still to be read; close it or read it whole."""
        sent = {"Accept": "application/json", "User-Agent": f"atelier-sdk/{VERSION}", **(headers or {})}
        token = self.token
        if token:
            sent["Authorization"] = f"Bearer {token}"
        if json_body is not None:
            body = json.dumps(json_body, separators=(",", ":")).encode()
            sent["Content-Type"] = "application/json"
        elif isinstance(body, bytes):
            sent.setdefault("Content-Type", "application/octet-stream")
        url = self.address(path, params)
        may_repeat = method in IDEMPOTENT if repeatable is None else repeatable
        return self._send(method, url, sent, body, timeout, may_repeat, patience)

    def _send(
        self, method: str, url: str, headers: dict[str, str], body: Body, timeout: float, repeatable: bool,
        patience: float | None,
    ) -> Response:  # fmt: skip
        start = time.monotonic()
        mark = _position(body)
        pause = FIRST_PAUSE
        while True:
            error: UnavailableError
            try:
                answer = self.transport.send(method, url, headers, body, timeout)
            except TransportError as failure:
                error = self._unreachable(failure)
                again = repeatable or not failure.sent
            else:
                self._answered = True
                if answer.status < 300:
                    return answer
                if answer.status < 400:
                    raise self._elsewhere(answer)
                said = _decoded(answer)
                if answer.status == 404 and said is None:
                    raise self._no_api()
                raised = from_answer(answer.status, said, f"{method} {url}")
                if answer.status not in AGAIN or not isinstance(raised, UnavailableError):
                    raise raised
                error, again = raised, repeatable
            limit = self._limit(patience)
            if not again or mark is None or time.monotonic() - start + pause > limit:
                raise error
            time.sleep(pause * (0.75 + os.urandom(1)[0] / 512))
            pause = min(pause * 2, LONGEST_PAUSE)
            _rewind(body, mark)

    def _limit(self, patience: float | None) -> float:
        if patience is not None:
            return patience
        return self.patience if self._answered else min(self.patience, self.first_patience)

    def _elsewhere(self, answer: Response) -> UnavailableError:
        place = answer.headers.get("location", "another address")
        answer.close()
        return UnavailableError(
            f"The server at {self.url} sends requests on to {place}; a token is not sent along. Use that address as "
            "ATELIER_URL, or with `atelier login --url`."
        )

    def _no_api(self) -> ConfigurationError:
        return ConfigurationError(
            f"{self.url} answers, but there is no Atelier API at {self.url}{API}/. ATELIER_URL (or `atelier login --url`) is "
            "the address of the server itself, as in http://127.0.0.1:8000."
        )

    def _unreachable(self, failure: TransportError) -> UnreachableError:
        question = "Is it running, and is ATELIER_URL (or `atelier login`) right?"
        if "WRONG_VERSION_NUMBER" in str(failure):  # OpenSSL's word for an answer that is not TLS
            question = f"It seems to speak http, not https: try {self.url.replace('https:', 'http:', 1)}."
        elif "CERTIFICATE_VERIFY_FAILED" in str(failure):
            question = "Set ATELIER_CA_BUNDLE to the file with your company's certificates."
        return UnreachableError(f"The Atelier server at {self.url} cannot be reached: {failure}. {question}", failure)

    def pages(
        self, path: str, params: Mapping[str, Any] | None = None, limit: int | None = None
    ) -> Iterator[dict[str, Any]]:
        """Every item of a list, page by page, at most `limit` of them."""
        asked = dict(params or {})
        left = limit
        while left is None or left > 0:
            asked["limit"] = 1000 if left is None else min(1000, left)
            page = self.call("GET", path, params=asked)
            items = page["items"]
            yield from items
            if left is not None:
                left -= len(items)
            asked["cursor"] = page.get("next")
            if not asked["cursor"] or not items:
                return


def _read(answer: Response, where: str) -> bytes:
    try:
        return answer.read()
    except TransportError as failure:
        raise UnreachableError(f"The answer to {where} did not arrive whole: {failure}.", failure) from failure


def _decoded(answer: Response) -> Any:
    try:
        return json.loads(answer.read() or b"null")
    except (ValueError, TransportError):
        return None


def _values(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple, set)) else [value]


def _plain(value: Any) -> str:
    return "1" if value is True else "0" if value is False else str(value)


def _position(body: Body) -> int | None:
    """Where to rewind to for a repeat; None when the body can be sent only once."""
    if body is None or isinstance(body, bytes):
        return 0
    tell = getattr(body, "tell", None)
    return tell() if tell and getattr(body, "seekable", lambda: False)() else None


def _rewind(body: Body, mark: int) -> None:
    if body is not None and not isinstance(body, bytes):
        body.seek(mark)  # type: ignore[union-attr,attr-defined]
