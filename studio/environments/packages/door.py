"""The door through which a build in a container reaches the site's package sources.

While an image is built, a small HTTP proxy stands beside it. It merges the site's indexes and folders of wheels into one
index under a fixed name, keeps what it fetched on disk for the next build, and takes the credentials, the certificates and
the company's proxy on itself: none of them enters a layer, a build argument that the image's history keeps, or a log.

Clients reach it by `http_proxy`, one of the build arguments that Docker leaves out of both history and layer cache, so
its changing port and password do not make an unchanged layer start over.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import logging
import os
import secrets
import shutil
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote, unquote, urlsplit

import requests
from packaging.utils import canonicalize_name

from studio.environments.packages import pages
from studio.environments.packages.sources import Sources, without_password
from studio.errors import Unavailable

HOST = "packages.atelier"
INDEX = f"http://{HOST}/simple"
logger = logging.getLogger(__name__)
# An index that does not answer within these (connect, silence in mid-answer) is away.
TIMEOUT_SECONDS = (10, 120)
CHUNK = 1 << 20


class Door:
    """One build's view of the sources. `folder` keeps fetched files by the SHA-256 of their address."""

    def __init__(self, sources: Sources, folder: Path, keep_bytes: int) -> None:
        self.sources = sources
        self.folder = folder
        self.keep_bytes = keep_bytes
        self.token = secrets.token_urlsafe(24)
        self.links: dict[str, pages.Link] = {}
        # The first source that did not answer, in a sentence: a client only says that something of ours failed.
        self.away = ""
        self._locks: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()
        self._thread = threading.local()

    def session(self) -> requests.Session:
        """This thread's connections; they carry the site's certificates and follow the host's proxies."""
        if not hasattr(self._thread, "session"):
            session = requests.Session()
            if self.sources.ca_bundle:
                session.verify = self.sources.ca_bundle
            self._thread.session = session
        return self._thread.session  # type: ignore[no-any-return]

    def lock(self, name: str) -> threading.Lock:
        """One lock a file: two layers that want it fetch it once."""
        with self._guard:
            return self._locks.setdefault(name, threading.Lock())

    def project(self, name: str) -> list[pages.Link]:
        """All files of a project in all sources, local ones first. Raises Unavailable when an index is away."""
        found = []
        for link in self.sources.links:
            if "://" not in link or link.startswith("file:"):
                folder = Path(unquote(urlsplit(link).path)) if link.startswith("file:") else Path(link)
                found.append(pages.from_folder(folder, name))
            else:
                found.append([file for file in self._page(link) if pages.project_of(file.filename) == name])
        for index in (*self.sources.extra, self.sources.index):
            found.append(self._page(f"{index.rstrip('/')}/{name}/"))
        files = pages.merged(found)
        for file in files:
            self.links[self.id_of(file)] = file
        return files

    def _page(self, url: str) -> list[pages.Link]:
        if url.startswith("file:"):
            file = Path(unquote(urlsplit(url).path)) / "index.html"
            return pages.from_html(file.read_text(), url) if file.is_file() else []
        try:
            answer = self.session().get(url, headers={"Accept": pages.ACCEPT}, timeout=TIMEOUT_SECONDS)
        except requests.RequestException as error:
            raise Unavailable(
                f"The package index {without_password(url)} does not answer ({type(error).__name__})."
            ) from error
        if answer.status_code in (404, 403):
            return []
        if answer.status_code != 200:
            raise Unavailable(
                f"The package index {without_password(url)} answers {answer.status_code} {answer.reason}."
            )
        if "json" in answer.headers.get("Content-Type", ""):
            return pages.from_json(answer.json(), answer.url)
        return pages.from_html(answer.text, answer.url)

    @staticmethod
    def id_of(link: pages.Link) -> str:
        """A file's place in this door's addresses and in the folder."""
        return hashlib.sha256(link.url.encode()).hexdigest()[:40]

    def file(self, name: str) -> Path:
        """A file on this host's disk, fetched if it is not there yet. Raises KeyError for an unknown one."""
        link = self.links[name]
        if link.url.startswith("file:"):
            return Path(unquote(urlsplit(link.url).path))
        target = self.folder / name[:2] / f"{name}-{link.filename}"
        with self.lock(name):
            if target.exists():
                os.utime(target)  # the last use decides what is thrown away first
                return target
            self._fetch(link.url, target, link.digest)
        return target

    def metadata(self, name: str) -> bytes:
        """A wheel's METADATA: from the index where it offers it alone, else from inside the wheel."""
        link = self.links[name]
        if link.has_metadata and not link.url.startswith("file:"):
            target = self.folder / name[:2] / f"{name}.metadata"
            with self.lock(name + ".metadata"):
                if not target.exists():
                    self._fetch(link.url + ".metadata", target, "")
            return target.read_bytes()
        with zipfile.ZipFile(self.file(name)) as wheel:
            inside = next(entry for entry in wheel.namelist() if entry.endswith(".dist-info/METADATA"))
            return wheel.read(inside)

    def _fetch(self, url: str, target: Path, digest: str) -> None:
        """Fetches to a temporary name and checks the index's digest; only a whole file gets the final name."""
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
        hashed = hashlib.sha256()
        try:
            with self.session().get(url, stream=True, timeout=TIMEOUT_SECONDS) as answer, partial.open("wb") as file:
                if answer.status_code != 200:
                    raise Unavailable(f"{without_password(url)} answers {answer.status_code} {answer.reason}.")
                for block in answer.iter_content(CHUNK):
                    hashed.update(block)
                    file.write(block)
            if digest and digest != f"sha256={hashed.hexdigest()}":
                raise Unavailable(
                    f"{without_password(url)} is not the file that its index promises (its SHA-256 differs)."
                )
            partial.replace(target)
        except requests.RequestException as error:
            raise Unavailable(f"{without_password(url)} can't be fetched ({type(error).__name__}).") from error
        finally:
            partial.unlink(missing_ok=True)

    def tidy(self) -> None:
        """Throws away the files used longest ago until the folder is within its bound."""
        files = [
            (path.stat().st_mtime, path.stat().st_size, path) for path in self.folder.glob("??/*") if path.is_file()
        ]
        total = sum(size for _, size, _ in files)
        for _, size, path in sorted(files):
            if total <= self.keep_bytes:
                return
            path.unlink(missing_ok=True)
            total -= size


class _Handler(BaseHTTPRequestHandler):
    """Answers as a proxy: http://packages.atelier/… is the merged index, other plain-http addresses are passed on."""

    protocol_version = "HTTP/1.1"
    door: Door

    def do_GET(self) -> None:
        expected = "Basic " + base64.b64encode(f"build:{self.door.token}".encode()).decode()
        if not hmac.compare_digest(self.headers.get("Proxy-Authorization", ""), expected):
            self._say(
                407,
                "This proxy serves one build; its password is in that build's http_proxy.",
                {"Proxy-Authenticate": 'Basic realm="build"'},
            )
            return
        parts = urlsplit(self.path)
        try:
            if parts.hostname != HOST:
                self._pass_on()
            elif (steps := parts.path.strip("/").split("/"))[0] == "simple" and len(steps) == 2:
                self._project(canonicalize_name(unquote(steps[1])))
            elif steps[0] == "files" and len(steps) == 3:
                self._file(steps[1], unquote(steps[2]))
            else:
                self._say(404, "There is nothing here.")
        except KeyError:
            self._say(404, "There is no such file.")
        except Unavailable as error:
            self._failed(error.message)
            self._say(502, error.message)
        except OSError as error:
            # The disk is full, or the client went away; either way this answer is over.
            self._failed(f"The package door could not answer: {error}")
            self.close_connection = True

    do_HEAD = do_GET

    def _project(self, name: str) -> None:
        files = self.door.project(name)
        if not files:
            self._say(404, f"No index has {name}.")
            return
        rows = [(file, f"/files/{self.door.id_of(file)}/{quote(file.filename)}") for file in files]
        self._send(200, pages.as_html(name, rows).encode(), "text/html; charset=utf-8")

    def _file(self, name: str, filename: str) -> None:
        if filename.endswith(".whl.metadata"):
            self._send(200, self.door.metadata(name), "text/plain; charset=utf-8")
            return
        path = self.door.file(name)
        with path.open("rb") as file:
            self._stream(file, path.stat().st_size)

    def _stream(self, file: BinaryIO, size: int) -> None:
        """The whole file, or the part that a Range header asks for."""
        start, end, status = 0, size - 1, 200
        wanted = self.headers.get("Range", "")
        if wanted.startswith("bytes=") and "," not in wanted:
            first, _, last = wanted[6:].partition("-")
            start, end = (
                (int(first), min(int(last or size - 1), size - 1)) if first else (max(0, size - int(last)), size - 1)
            )
            status = 206
        self.send_response(status)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(end - start + 1))
        self.send_header("Accept-Ranges", "bytes")
        if status == 206:
            self.send_header("Content-Range", f"bytes {start}-{end}/{size}")
        self.end_headers()
        if self.command == "HEAD":
            return
        file.seek(start)
        left = end - start + 1
        while left > 0 and (block := file.read(min(CHUNK, left))):
            self.wfile.write(block)
            left -= len(block)

    def _pass_on(self) -> None:
        """Another plain-http address, such as a distribution's mirror inside a user's Dockerfile."""
        if urlsplit(self.path).scheme != "http":
            self._say(400, "This proxy passes on plain http only.")
            return
        headers = {
            name: value
            for name, value in self.headers.items()
            if name.lower() in ("accept", "user-agent", "range", "if-modified-since")
        }
        headers["Accept-Encoding"] = "identity"
        try:
            with self.door.session().request(
                self.command, self.path, headers=headers, stream=True, timeout=TIMEOUT_SECONDS
            ) as answer:
                self.send_response(answer.status_code)
                for name in ("Content-Type", "Content-Length", "Last-Modified", "ETag", "Content-Range"):
                    if name in answer.headers:
                        self.send_header(name, answer.headers[name])
                self.send_header("Connection", "close")
                self.end_headers()
                shutil.copyfileobj(answer.raw, self.wfile)
                self.close_connection = True
        except requests.RequestException as error:
            self._say(502, f"{self.path} does not answer ({type(error).__name__}).")

    def _say(self, status: int, sentence: str, headers: dict[str, str] | None = None) -> None:
        self._send(status, sentence.encode(), "text/plain; charset=utf-8", headers)

    def _send(self, status: int, body: bytes, kind: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _failed(self, sentence: str) -> None:
        if not self.door.away:
            logger.warning("%s", sentence)
        self.door.away = self.door.away or sentence

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are not logged: each build makes hundreds."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up in mid-answer is a build that was stopped; it is no news."""
        logger.debug("a client of the package door hung up", exc_info=True)


@contextlib.contextmanager
def opened(
    sources: Sources, folder: Path, keep_bytes: int, listen: str = "127.0.0.1", reached_as: str = "127.0.0.1"
) -> Iterator[tuple[Door, str]]:
    """Holds a door open; gives it and the proxy's address, password included, for the build's http_proxy.

    `listen` is the address to bind, `reached_as` the one that the engine's containers know this host by.
    """
    door = Door(sources, folder, keep_bytes)
    server = _Server((listen, 0), type("Handler", (_Handler,), {"door": door}))
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="package-door", daemon=True
    )
    thread.start()
    try:
        yield door, f"http://build:{door.token}@{reached_as}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        door.tidy()
