"""The SDK against a live server, and a line to it that can be cut."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from atelier import sending
from atelier.client import Client
from atelier.transport import Body, PooledTransport, Response, TransportError
from azureml.core import Experiment, Workspace
from tests.stack import CONFIG, Stack


class Line:
    """A transport that can be cut: while `cut`, nothing reaches the server."""

    def __init__(self) -> None:
        self.cut = False
        self.pool = PooledTransport()

    def send(self, method: str, url: str, headers: dict[str, str], body: Body, timeout: float) -> Response:
        """As the pool sends it, or not at all."""
        if self.cut:
            raise TransportError("the line is cut", sent=False)
        return self.pool.send(method, url, headers, body, timeout)


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Spool, saved logins and job variables of the machine stay out of the tests."""
    monkeypatch.setenv("ATELIER_SPOOL_DIR", str(tmp_path / "spool"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("AZUREML_RUN_ID", "AZUREML_RUN_TOKEN", "ATELIER_RUN_TOKEN_FILE", "ATELIER_URL", "ATELIER_TOKEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def line() -> Line:
    """A line to the server that a test may cut."""
    return Line()


@pytest.fixture
def ws(stack: Stack, line: Line) -> Iterator[Workspace]:
    """The workspace of the live server, reached over `line`."""
    client = Client(stack.url, stack.token, line, patience=5.0)
    yield Workspace.get(stack.workspace, auth=client)
    line.cut = False
    sending.close_all()


@pytest.fixture
def experiment(ws: Workspace) -> Experiment:
    """An experiment of this test alone."""
    return Experiment(ws, f"sdk-{uuid.uuid4().hex[:12]}")


@pytest.fixture
def signed_in(stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a v1 config.json, in which this process is a user of the server."""
    monkeypatch.setenv("ATELIER_URL", stack.url)
    monkeypatch.setenv("ATELIER_TOKEN", stack.token)
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(CONFIG))
    monkeypatch.chdir(folder)
    return folder
