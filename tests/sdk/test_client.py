"""The client against a small HTTP server that answers as told: errors, retries, broken downloads, big bodies."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from atelier import artifacts, errors
from atelier.client import Client

Answer = tuple[int, dict[str, str], bytes]


class Told:
    """Answers in turn (the last one again and again); remembers what was asked."""

    def __init__(self) -> None:
        self.answers: list[Answer] = [(200, {}, b"{}")]
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        told = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                told.asked.append((self.command, self.path, dict(self.headers), body))
                status, headers, content = told.answers[0] if len(told.answers) == 1 else told.answers.pop(0)
                if status == 0:
                    self.close_connection = True  # as a server that is killed
                    return
                self.send_response(status)
                for name, value in {"Content-Length": str(len(content)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)
                if int(headers.get("Content-Length", len(content))) > len(content):
                    self.close_connection = True

            do_GET = do_PUT = do_POST = do_DELETE = do_PATCH = answer

            def log_message(self, *args: Any) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def told() -> Iterator[Told]:
    made = Told()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def client(told: Told) -> Client:
    return Client(told.url, "atp_secret")


def refusal(code: str, message: str = "Because.", field: str | None = None) -> bytes:
    return json.dumps({"error": {"code": code, "message": message, "field": field}}).encode()


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "invalid", errors.InvalidRequest),
        (401, "unauthenticated", errors.AuthenticationError),
        (403, "forbidden", errors.ForbiddenError),
        (404, "not_found", errors.NotFoundError),
        (409, "conflict", errors.ConflictError),
        (413, "too_large", errors.TooLargeError),
    ],
)
def test_each_code_of_the_server_is_an_exception_with_its_sentence(
    status: int, code: str, kind: type[errors.AtelierError], told: Told, client: Client
):
    told.answers = [(status, {}, refusal(code, "The sentence.", "name"))]
    with pytest.raises(kind) as raised:
        client.call("GET", "/me")
    assert raised.value.message == "The sentence." and len(told.asked) == 1
    assert isinstance(raised.value, errors.UserError)


def test_an_error_without_our_json_still_says_where(told: Told, client: Client):
    told.answers = [(403, {}, b"<html>not here</html>"), (404, {}, b"<html>nothing here</html>")]
    with pytest.raises(errors.ForbiddenError, match=r"403 to GET .*/api/v1/me"):
        client.call("GET", "/me")
    with pytest.raises(errors.ConfigurationError, match=r"no Atelier API at .*/api/v1/"):
        client.call("GET", "/me")


def test_a_page_in_place_of_json_asks_whether_the_address_is_right(told: Told, client: Client):
    told.answers = [(200, {"Content-Type": "text/html"}, b"<html></html>")]
    with pytest.raises(errors.UnavailableError, match="text/html, not JSON"):
        client.call("GET", "/me")


def test_a_redirect_is_told_and_the_token_not_sent_there(told: Told, client: Client):
    told.answers = [(302, {"Location": "https://elsewhere.example.org/"}, b"")]
    with pytest.raises(errors.UnavailableError, match=r"https://elsewhere\.example\.org/"):
        client.call("GET", "/me")
    assert len(told.asked) == 1


def test_what_may_be_repeated_is_repeated_until_it_works(told: Told, client: Client):
    told.answers = [(503, {}, refusal("unavailable")), (0, {}, b""), (502, {}, b""), (200, {}, b'{"done": true}')]
    assert client.call("PUT", "/x", body=io.BytesIO(b"content"), headers={"Content-Length": "7"}) == {"done": True}
    assert [body for *_, body in told.asked] == [b"content"] * 4, "the body is rewound for each repeat"


def test_what_may_not_be_repeated_is_sent_once(told: Told, client: Client):
    told.answers = [(503, {}, refusal("unavailable", "Busy."))]
    with pytest.raises(errors.UnavailableError, match="Busy"):
        client.call("POST", "/x", json_body={})
    assert len(told.asked) == 1
    told.answers = [(503, {}, refusal("unavailable")), (200, {}, b"{}")]
    client.call("POST", "/x", json_body={}, repeatable=True)
    assert len(told.asked) == 3


def test_patience_has_an_end(told: Told):
    client = Client(told.url, patience=0.2)
    told.answers = [(503, {}, refusal("unavailable", "Still starting."))]
    with pytest.raises(errors.UnavailableError, match="Still starting"):
        client.call("GET", "/me")
    assert 1 <= len(told.asked) <= 3


def test_a_server_that_is_not_there_is_told_without_objects_of_libraries():
    with pytest.raises(errors.UnreachableError) as raised:
        Client("http://127.0.0.1:9", first_patience=0.1).call("GET", "/me")
    assert "Connection refused" in str(raised.value) and "object at" not in str(raised.value)
    with pytest.raises(errors.UnreachableError, match="cannot be reached"):
        Client("http://no-such-host.invalid", first_patience=0.1).call("GET", "/me")


def test_connections_are_kept_and_the_token_goes_along(told: Told, client: Client):
    for _ in range(3):
        client.call("GET", "/me", params={"a": [1, 2], "b": None, "c": True})
    assert {path for _, path, *_ in told.asked} == {"/api/v1/me?a=1&a=2&c=1"}
    assert {headers["Authorization"] for *_, headers, _ in told.asked} == {"Bearer atp_secret"}


def test_a_token_function_is_asked_for_each_request(told: Told):
    tokens = iter(["one", "two"])
    client = Client(told.url, lambda: next(tokens))
    client.call("GET", "/me")
    client.call("GET", "/me")
    assert [headers["Authorization"] for *_, headers, _ in told.asked] == ["Bearer one", "Bearer two"]


def test_pages_are_followed_to_the_end_or_the_limit(told: Told, client: Client):
    told.answers = [
        (200, {}, b'{"items": [1, 2], "next": "c1"}'),
        (200, {}, b'{"items": [3], "next": null}'),
        (200, {}, b'{"items": [1, 2], "next": "c1"}'),
    ]
    assert list(client.pages("/x", {"a": "b"})) == [1, 2, 3]
    assert [path for _, path, *_ in told.asked] == ["/api/v1/x?a=b&limit=1000", "/api/v1/x?a=b&limit=1000&cursor=c1"]
    assert list(client.pages("/x", limit=2)) == [1, 2]


def test_a_download_that_breaks_off_leaves_nothing_behind(told: Told, client: Client, tmp_path: Path):
    told.answers = [(200, {"Content-Length": "100"}, b"half")]
    (tmp_path / "file").write_text("before")
    with pytest.raises(errors.UnreachableError, match="broke off"):
        artifacts.download(client, "run", "file", tmp_path / "file")
    assert [file.name for file in tmp_path.iterdir()] == ["file"] and (tmp_path / "file").read_text() == "before"


def test_a_zip_of_artifacts_cannot_write_outside_the_folder(told: Told, client: Client, tmp_path: Path):
    import zipfile

    out = io.BytesIO()
    names = [f"outputs/{i}" for i in range(10)]
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("../evil", b"x")
        for name in names:
            archive.writestr(name, name)
    told.answers = [(200, {}, out.getvalue())]
    artifacts.download_many(client, "run", names, tmp_path / "to")
    assert not (tmp_path / "evil").exists() and len(list((tmp_path / "to" / "outputs").iterdir())) == 10


def test_an_upload_without_a_known_size_is_sent_whole(told: Told, client: Client):
    class Stream(io.RawIOBase):
        pieces = [b"one", b"two", b""]

        def readable(self) -> bool:
            return True

        def read(self, size: int = -1) -> bytes:
            return self.pieces.pop(0) if self.pieces else b""

    artifacts.upload(client, "run", "a/b c.txt", Stream())
    ((method, path, headers, body),) = told.asked
    assert (method, path, headers["Content-Length"], body) == (
        "PUT",
        "/api/v1/runs/run/artifacts/a/b%20c.txt",
        "6",
        b"onetwo",
    )
