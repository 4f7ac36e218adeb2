"""The door through which builds reach the site's packages: one merged index, its own password, everything kept."""

from __future__ import annotations

import hashlib
import http.server
import io
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from pytest_django.fixtures import Settings

from studio.environments.packages import door, sources
from studio.environments.packages.sources import Sources


def wheel(name: str, version: str) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        # ZipInfo's own date: with today's, two wheels of the same content differ when a clock's tick falls between them.
        archive.writestr(zipfile.ZipInfo(f"{name}/__init__.py"), "")
        archive.writestr(
            zipfile.ZipInfo(f"{name}-{version}.dist-info/METADATA"),
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        )
    return data.getvalue()


class Index:
    """A package index on loopback: a password, JSON or HTML pages, a count of what was asked."""

    def __init__(self, files: dict[str, bytes], *, as_json: bool, lies: bool = False) -> None:
        self.asked: list[str] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.path)
                if "Basic YW5uOm9wZW4gc2VzYW1l" not in self.headers.get("Authorization", ""):
                    self.answer(401, b"", "text/plain")
                elif self.path == "/simple/demo/":
                    self.page()
                elif (name := self.path.removeprefix("/f/")) in files:
                    self.answer(200, files[name], "application/octet-stream")
                else:
                    self.answer(404, b"", "text/plain")

            def page(self) -> None:
                digests = {name: "0" * 64 if lies else hashlib.sha256(data).hexdigest() for name, data in files.items()}
                if as_json:
                    rows = [
                        f'{{"filename": "{name}", "url": "/f/{name}", "hashes": {{"sha256": "{digests[name]}"}}}}'
                        for name in files
                    ]
                    self.answer(200, f'{{"files": [{",".join(rows)}]}}'.encode(), "application/vnd.pypi.simple.v1+json")
                else:
                    rows = [
                        f'<a href="../../f/{name}#sha256={digests[name]}" data-requires-python="&gt;=3.8">{name}</a>'
                        for name in files
                    ]
                    self.answer(200, "".join(rows).encode(), "text/html")

            def answer(self, status: int, body: bytes, kind: str) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                return

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://ann:open%20sesame@127.0.0.1:{self.server.server_address[1]}/simple"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def made() -> Iterator[list[Index]]:
    found: list[Index] = []
    yield found
    for one in found:
        one.close()


def get(proxy: str, path: str, **headers: str) -> requests.Response:
    return requests.get(f"http://{door.HOST}{path}", proxies={"http": proxy}, headers=headers, timeout=10)


def links(page: str) -> dict[str, str]:
    return {part.split(">")[1].split("<")[0]: part.split('"')[0] for part in page.split('href="')[1:]}


def test_indexes_and_folders_are_merged_and_local_files_come_first(tmp_path: Path, made: list[Index]) -> None:
    one = Index({"demo-1-py3-none-any.whl": wheel("demo", "1")}, as_json=True)
    two = Index({"demo-2-py3-none-any.whl": wheel("demo", "2"), "demo-3-py3-none-any.whl": b"remote"}, as_json=False)
    made += [one, two]
    folder = tmp_path / "wheels"
    folder.mkdir()
    (folder / "demo-3-py3-none-any.whl").write_bytes(wheel("demo", "3"))
    (folder / "other-1-py3-none-any.whl").write_bytes(b"")
    with door.opened(Sources(two.url, (one.url,), (str(folder),)), tmp_path / "kept", 10**9) as (_, proxy):
        page = get(proxy, "/simple/Demo/").text
        found = links(page)
        assert sorted(found) == [f"demo-{number}-py3-none-any.whl" for number in (1, 2, 3)]
        assert page.count('data-requires-python="&gt;=3.8"') == 2, "what an index says of a local copy counts"
        assert get(proxy, found["demo-3-py3-none-any.whl"].split("#")[0]).content == wheel("demo", "3")
        metadata = get(proxy, found["demo-1-py3-none-any.whl"].split("#")[0] + ".metadata").text
        assert "Name: demo\nVersion: 1" in metadata, "taken out of the wheel, as the index has none beside it"
        assert get(proxy, "/simple/nothing/").status_code == 404


def test_a_file_is_fetched_once_and_given_in_parts(tmp_path: Path, made: list[Index]) -> None:
    data = wheel("demo", "1")
    index = Index({"demo-1-py3-none-any.whl": data}, as_json=True)
    made.append(index)
    for _ in range(2):  # two builds
        with door.opened(Sources(index.url), tmp_path / "kept", 10**9) as (_, proxy):
            address = links(get(proxy, "/simple/demo/").text)["demo-1-py3-none-any.whl"].split("#")[0]
            assert get(proxy, address).content == data
            part = get(proxy, address, Range="bytes=-10")
            assert (part.status_code, part.content, part.headers["Content-Range"]) == (
                206,
                data[-10:],
                f"bytes {len(data) - 10}-{len(data) - 1}/{len(data)}",
            )
    assert index.asked.count("/f/demo-1-py3-none-any.whl") == 1


def test_only_the_builds_own_password_opens_it_and_no_page_tells_the_indexs(tmp_path: Path, made: list[Index]) -> None:
    index = Index({"demo-1-py3-none-any.whl": wheel("demo", "1")}, as_json=False)
    made.append(index)
    with door.opened(Sources(index.url), tmp_path / "kept", 10**9) as (_, proxy):
        port = proxy.rsplit(":", 1)[1]
        assert get(f"http://127.0.0.1:{port}", "/simple/demo/").status_code == 407
        assert get(f"http://build:guess@127.0.0.1:{port}", "/simple/demo/").status_code == 407
        assert "sesame" not in get(proxy, "/simple/demo/").text
    assert index.asked == ["/simple/demo/"]


def test_a_file_that_is_not_what_its_index_promises_is_refused_and_not_kept(tmp_path: Path, made: list[Index]) -> None:
    index = Index({"demo-1-py3-none-any.whl": wheel("demo", "1")}, as_json=True, lies=True)
    made.append(index)
    with door.opened(Sources(index.url), tmp_path / "kept", 10**9) as (opened, proxy):
        address = links(get(proxy, "/simple/demo/").text)["demo-1-py3-none-any.whl"].split("#")[0]
        assert get(proxy, address).status_code == 502
        assert "SHA-256 differs" in opened.away and "sesame" not in opened.away
    assert not [path for path in (tmp_path / "kept").rglob("*") if path.is_file()]


def test_what_is_kept_stays_within_its_bound_and_the_oldest_goes_first(tmp_path: Path) -> None:
    import os

    folder = tmp_path / "kept" / "ab"
    folder.mkdir(parents=True)
    for age, name in enumerate(("new", "old", "oldest")):
        (folder / name).write_bytes(b"x" * 100)
        os.utime(folder / name, (1_700_000_000 - age, 1_700_000_000 - age))
    with door.opened(Sources("http://127.0.0.1:1/"), tmp_path / "kept", 250):
        pass
    assert sorted(path.name for path in folder.iterdir()) == ["new", "old"]


def test_the_hosts_own_settings_of_pip_lead_to_its_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    settings.INDEX_URL, settings.EXTRA_INDEX_URLS, settings.FIND_LINKS = "", [], ""
    for name in (
        "UV_DEFAULT_INDEX",
        "UV_INDEX_URL",
        "PIP_INDEX_URL",
        "PIP_EXTRA_INDEX_URL",
        "PIP_FIND_LINKS",
        "UV_FIND_LINKS",
        "UV_EXTRA_INDEX_URL",
    ):
        monkeypatch.delenv(name, raising=False)
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    config = tmp_path / "pip.conf"
    config.write_text(
        f"[global]\nindex-url = https://ann:secret@packages.example/simple\nfind-links = {wheels}\nextra-index-url =\n  https://one.example/simple\n  https://two.example/simple\n"
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    found = sources.of_site(["--pre", "--extra-index-url https://three.example/simple"])
    assert found.index == "https://ann:secret@packages.example/simple"
    assert found.extra == ("https://one.example/simple", "https://two.example/simple", "https://three.example/simple")
    assert found.links == (str(wheels),) and found.allow_prereleases and "secret" in found.secrets()
    assert sources.without_password(found.index) == "https://ann:***@packages.example/simple"
