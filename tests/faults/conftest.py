"""One server on one engine that tests may break, for all tests of this folder; each leaves nothing on either."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine import Engine, running_engine
from tests.environments.test_conda import channel_in
from tests.faults.watched import Watched
from tests.stack import running_stack, wait_for

RELAY = Path(__file__).with_name("relay.py")
HOME_MB = 400
WORKSPACE_REGISTRY, GLOBAL_REGISTRY = "127.0.0.1:5000", "127.0.0.1:5001"


@pytest.fixture(scope="session")
def breakable() -> Iterator[Engine]:
    """The engine."""
    with running_engine(os.environ["ATELIER_BASE_IMAGE"]) as engine:
        yield engine


@pytest.fixture(scope="session")
def small_home() -> Iterator[Path]:
    """A file system for the server's data that a test can fill."""
    folder = Path(tempfile.mkdtemp(prefix="atelier-home-"))
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={HOME_MB}m", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
        folder.rmdir()


@pytest.fixture(scope="session")
def watched_server(breakable: Engine, small_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """The server, which keeps images in registries beside its engine when they run."""
    scratch = small_home / "tmp"
    scratch.mkdir()
    channel = channel_in(tmp_path_factory.mktemp("channels") / "channel", Path("/usr/bin/python3.11"))
    with running_stack(
        home=small_home,
        reached_at=breakable.network.host,
        DOCKER_HOST=breakable.url,
        TMPDIR=str(scratch),
        ATELIER_WORKSPACE_REGISTRY=WORKSPACE_REGISTRY,
        ATELIER_GLOBAL_REGISTRY=GLOBAL_REGISTRY,
        ATELIER_CONDA_CHANNELS=channel,
        ATELIER_ENGINE_AWAY_SECONDS="20",
        ATELIER_LOCAL_SLOTS="16",
    ) as stack:
        yield Watched(stack, breakable)


@pytest.fixture
def live(watched_server: Watched) -> Iterator[Watched]:
    """The server; whole again after each test, with nothing left of the test on its engine or disk."""
    before = watched_server.left()
    yield watched_server
    watched_server.stack.revive()
    if not watched_server.engine.answers():
        watched_server.engine.start()
    with contextlib.suppress(AssertionError):
        wait_for(lambda: watched_server.left() <= before, 20, "all of the test is gone")
    assert watched_server.left() - before == set()


class Registry:
    """A Docker registry beside the engine."""

    def __init__(self, engine: Engine, folder: Path, address: str) -> None:
        self.engine, self.address = engine, address
        self.config = folder / f"registry-{address.rpartition(':')[2]}.yml"
        self.data = self.config.with_suffix("")
        self.config.write_text(
            f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {self.data}}}}}\n"
            f"http: {{addr: '{address}'}}\n"
        )
        self.process: subprocess.Popen[bytes] | None = None
        self.relay: subprocess.Popen[bytes] | None = None

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    def start(self) -> None:
        """Starts it and waits until it listens."""
        self.process = self.engine.beside(os.environ["DOCKER_REGISTRY"], "serve", str(self.config))
        self._listens(self.port)

    def start_behind_a_cut(self, way: str, after: int) -> None:
        """Starts it where it is reached until so many bytes went up to it, or came down from it."""
        text = self.config.read_text()
        self.config.write_text(text.replace(self.address, f"127.0.0.1:{self.port + 100}"))
        self.process = self.engine.beside(os.environ["DOCKER_REGISTRY"], "serve", str(self.config))
        self._listens(self.port + 100)
        self.config.write_text(text)
        self.relay = self.engine.beside(
            sys.executable, str(RELAY), str(self.port), str(self.port + 100), way, str(after)
        )
        self._listens(self.port)

    def _listens(self, port: int) -> None:
        look = self.engine.network.enter(
            "python3", "-c", f"import socket; socket.create_connection(('127.0.0.1', {port}))"
        )
        wait_for(
            lambda: subprocess.run(look, capture_output=True, check=False).returncode == 0, 20, "the registry listens"
        )

    def kill(self) -> None:
        """kill -9, as when its machine goes down."""
        for process in filter(None, (self.process, self.relay)):
            process.kill()
            process.wait()
        self.process = self.relay = None

    def holds(self, words: str) -> bool:
        """Whether there is a repository of that name."""
        return bool(list(self.data.rglob(words)))


@pytest.fixture
def workspace_registry(breakable: Engine, tmp_path: Path) -> Iterator[Registry]:
    """The registry of the workspaces: nothing runs there before `start`."""
    made = Registry(breakable, tmp_path, WORKSPACE_REGISTRY)
    yield made
    made.kill()


@pytest.fixture
def global_registry(breakable: Engine, tmp_path: Path) -> Iterator[Registry]:
    """The registry of all sites."""
    made = Registry(breakable, tmp_path, GLOBAL_REGISTRY)
    yield made
    made.kill()
