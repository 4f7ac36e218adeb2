"""The web server's own way to the API (studio.wsgi): the answers are those that Django's way gives, sent whole."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from django.test import RequestFactory

import studio.wsgi
from tests.api.conftest import Api

pytestmark = pytest.mark.django_db(transaction=True)  # the door looks after the connection, as between requests

Door = Callable[..., tuple[int, dict[str, str], Any]]


@pytest.fixture
def door() -> Door:
    """Sends a request as the web server does: the status, the headers, and what the application returned."""

    def send(method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, dict[str, str], Any]:
        environ = RequestFactory().generic(method, path, body, "application/octet-stream", **headers).environ
        environ["wsgi.input"] = io.BytesIO(body)
        said: list[Any] = []
        answer = studio.wsgi.application(environ, lambda *told: said.extend(told))
        return int(said[0].split()[0]), dict(said[1]), answer

    if not studio.wsgi._loading:
        send("GET", "/health")[2].close()  # the first answer goes Django's way; the rest is loaded behind it
    for thread in studio.wsgi._loading:
        thread.join()
    return send


REQUESTS = [
    ("GET", "/api/v1/runs/{run}"),
    ("GET", "/api/v1/me"),
    ("GET", "/api/v1/runs/{run}/artifacts/a.txt"),
    ("HEAD", "/api/v1/runs/{run}/artifacts/a.txt"),
    ("GET", "/api/v1/runs/{run}/artifacts/large.bin"),
    ("GET", "/api/v1/runs/{run}/artifacts/none"),
    ("GET", "/api/v1/runs/none"),
    ("GET", "/api/v1/runs/a%00b"),
    ("GET", "/api/v1/runs/{run}?q=%00"),
    ("GET", "/api/v1/nowhere"),
    ("GET", "/api/nowhere"),
    ("PATCH", "/api/v1/runs/{run}/artifacts/a.txt"),
    ("PUT", "/api/v1/runs/{run}/artifacts/../a.txt"),
    ("POST", "/api/v1/runs/{run}/metrics"),
    ("DELETE", "/api/v1/runs/{run}/metrics"),
    ("GET", "/api/v1/openapi.json"),
]


def test_the_door_answers_as_djangos_way_does(api: Api, door: Door) -> None:
    run = api.start()["id"]
    api.ok("PUT", f"/runs/{run}/artifacts/a.txt", b"hello")
    api.ok("PUT", f"/runs/{run}/artifacts/large.bin", bytes(2_000_000))
    for method, pattern in REQUESTS:
        path = pattern.format(run=run)
        expected = api.client.generic(method, path, **api.headers)
        status, headers, answer = door(method, path, **api.headers)
        assert status == expected.status_code, (method, path)
        for name in {*headers, *dict(expected.items())} - {"Content-Length"}:
            assert headers.get(name) == expected.get(name), (method, path, name)
        assert isinstance(answer, list) != expected.streaming, "what is whole goes out in one piece"
        if method != "HEAD":  # the test's client takes its body away, as the web server does
            assert b"".join(answer) == b"".join(expected), (method, path)


def test_the_door_stays_shut_without_a_valid_token(api: Api, door: Door) -> None:
    run = api.start()["id"]
    for header in ("Bearer nonsense", "Basic abc", "Bearer "):
        status, headers, _ = door("GET", f"/api/v1/runs/{run}", HTTP_AUTHORIZATION=header)
        assert (status, headers["WWW-Authenticate"]) == (401, "Bearer"), header


def test_what_has_no_token_goes_djangos_way(api: Api, door: Door) -> None:
    run = api.start()["id"]
    assert door("GET", f"/api/v1/runs/{run}")[0] == 401
    status, headers, answer = door("GET", "/sign-in")
    assert status == 200 and "Content-Security-Policy" in headers and isinstance(answer, list)


def test_a_path_that_is_no_utf8_is_refused(api: Api, door: Door) -> None:
    assert door("GET", "/api/v1/runs/%FF", **api.headers)[0] in (400, 404)
