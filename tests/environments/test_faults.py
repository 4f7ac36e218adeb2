"""What goes wrong in the middle: a killed worker, an engine that goes away, a full disk. Nothing half made stays."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.utils import timezone
from pytest_django.fixtures import Settings

from studio.containers import containers, images
from studio.containers.client import engine_url
from studio.environments import queue
from studio.environments.logs import build_log
from studio.environments.models import Build, Image, State
from studio.environments.prepare import find_or_build, no_longer_waits
from studio.environments.tasks import build as build_task
from studio.workspace.models import Workspace
from tests.environments.builders import definition, prepared, work

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("home")]


def wait_for(look: Callable[[], object], what: str, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.05)


def a_worker(build_id: int, home: Path, **more: str) -> subprocess.Popen[bytes]:
    """A worker's process, on this test's database and home, that does one build."""
    database = connection.settings_dict
    url = f"sqlite:///{database['NAME']}"
    if connection.vendor == "postgresql":
        url = f"postgresql://{database['USER']}:{database['PASSWORD']}@{database['HOST']}:{database['PORT']}/{database['NAME']}"
    code = f"import django; django.setup(); from studio.environments.tasks import build; build({build_id})"
    environment = {
        **os.environ,
        "ATELIER_HOME": str(home),
        "DATABASE_URL": url,
        "DJANGO_SETTINGS_MODULE": "studio.settings",
        **more,
    }
    return subprocess.Popen(
        [sys.executable, "-c", code], env=environment, cwd=django_settings.BASE_DIR, start_new_session=True
    )


SLOW = "import time\nfrom setuptools import setup\ntime.sleep(600)\nsetup(name='slow', version='1')\n"


@pytest.fixture
def slow_package(tmp_path: Path, settings: Settings) -> str:
    """A package whose installation takes minutes: the place to be killed in."""
    folder = tmp_path / "links"
    source = folder / "slow-1"
    source.mkdir(parents=True)
    (source / "setup.py").write_text(SLOW)
    subprocess.run(["tar", "-czf", "slow-1.tar.gz", "slow-1"], cwd=folder, check=True)
    settings.FIND_LINKS = str(folder)
    return str(folder)


def test_a_build_whose_worker_was_killed_is_taken_up_by_another(lab: Workspace, home: Path, slow_package: str) -> None:
    wanted = definition(pip=["slow==1"])
    first = find_or_build(lab, wanted, backend="process", for_run="run-1")
    worker = a_worker(first.build_id or 0, home, ATELIER_FIND_LINKS=slow_package)
    wait_for(lambda: list((home / "venvs").glob("*.????????")), "the worker has begun")
    os.killpg(worker.pid, signal.SIGKILL)
    worker.wait()
    assert find_or_build(lab, wanted, backend="process", for_run="run-1").state == "building"
    Build.objects.update(leased_until=timezone.now() - timedelta(seconds=1))  # half a minute passes
    again = find_or_build(lab, wanted, backend="process", for_run="run-1")
    assert again.build_id == first.build_id and "is gone; another takes over" in again.message

    (Path(slow_package) / "slow-1.tar.gz").unlink()  # the second try ends at once, for another reason
    work()
    assert "Try 2 of 3" in build_log(first.build_id or 0).data.decode()
    assert Build.objects.get().state == State.FAILED
    assert not list((home / "venvs").glob("*.????????")), "what the killed worker left is gone"


def test_a_build_that_is_cut_off_again_and_again_ends(lab: Workspace) -> None:
    first = find_or_build(lab, definition(pip=["idna"]), backend="process", for_run="run-1")
    Build.objects.update(state=State.BUILDING, attempts=3, leased_until=timezone.now() - timedelta(seconds=1))
    build_task(first.build_id)
    found = find_or_build(lab, definition(pip=["idna"]), backend="process", for_run="run-1")
    assert found.state == "failed" and "cut off 3 times" in found.message


def test_a_stale_build_that_nobody_waits_for_is_over(lab: Workspace) -> None:
    find_or_build(lab, definition(pip=["idna"]), backend="process", for_run="run-1")
    Build.objects.update(state=State.BUILDING, leased_until=timezone.now() - timedelta(seconds=1))
    queue.upkeep()
    assert Build.objects.get().state == State.QUEUED, "a run waits: it is sent again"
    Build.objects.update(state=State.BUILDING, leased_until=timezone.now() - timedelta(seconds=1))
    no_longer_waits("run-1")
    queue.upkeep()
    assert Build.objects.get().state == State.CANCELED


def test_a_cancel_in_the_middle_stops_the_installer_at_once(lab: Workspace, home: Path, slow_package: str) -> None:
    first = find_or_build(lab, definition(pip=["slow==1"]), backend="process", for_run="run-1")
    worker = a_worker(first.build_id or 0, home, ATELIER_FIND_LINKS=slow_package)
    wait_for(lambda: list((home / "venvs").glob("*.????????")), "the worker has begun")
    no_longer_waits("run-1")
    assert worker.wait(30) == 0
    assert Build.objects.get().state == State.CANCELED
    assert not list((home / "venvs").glob("*.????????"))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 40 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.docker  # mounting takes the rights that the engine's tests have
def test_a_full_disk_is_said_and_leaves_nothing(
    lab: Workspace, small_disk: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.HOME = small_disk
    monkeypatch.setenv("UV_CACHE_DIR", str(small_disk / "uv"))
    found = prepared(lab, definition(pip=["numpy==2.4.6"]), backend="process")
    assert found.state == "failed" and found.message.startswith("The disk is full"), found.message
    assert not Image.objects.exists() and not list((small_disk / "venvs").glob("*.????????"))


class Relay:
    """A socket in front of the engine's that can be cut and mended: an engine that is restarted."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "engine.sock")
        self.target = engine_url().removeprefix("unix://")
        self.open: list[socket.socket] = []
        self.server: socket.socket | None = None
        self.mend()

    @property
    def url(self) -> str:
        return f"unix://{self.path}"

    def mend(self) -> None:
        Path(self.path).unlink(missing_ok=True)
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(self.path)
        self.server.listen(50)
        threading.Thread(target=self._accept, args=(self.server,), daemon=True).start()

    def cut(self) -> None:
        if self.server:
            self.server.close()
        Path(self.path).unlink(missing_ok=True)
        for one in self.open:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def _accept(self, server: socket.socket) -> None:
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            engine = socket.socket(socket.AF_UNIX)
            engine.connect(self.target)
            self.open += [client, engine]
            for source, sink in ((client, engine), (engine, client)):
                threading.Thread(target=self._copy, args=(source, sink), daemon=True).start()

    @staticmethod
    def _copy(source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65_536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            return


@pytest.fixture
def relay(tmp_path_factory: pytest.TempPathFactory, engine: None) -> Iterator[Relay]:
    made = Relay(tmp_path_factory.mktemp("s"))
    yield made
    made.cut()


@pytest.mark.docker
def test_an_engine_that_is_restarted_in_mid_build_costs_a_try_and_no_more(
    lab: Workspace, relay: Relay, settings: Settings
) -> None:
    text = f"FROM {settings.BASE_IMAGE}\nRUN echo begun && sleep 2\nRUN echo done"
    wanted = definition(docker={"baseDockerfile": text}, user_managed=True)
    first = find_or_build(lab, wanted, backend="docker", engine=relay.url, for_run="run-1")
    worker = threading.Thread(target=build_task, args=(first.build_id,))
    worker.start()
    wait_for(lambda: b"begun" in build_log(first.build_id or 0).data, "the Dockerfile's step runs")
    relay.cut()
    worker.join(60)
    build = Build.objects.get()
    assert build.state == State.QUEUED and "Docker engine" in build.message
    assert "Another try follows" in build_log(build.pk).data.decode()
    relay.mend()
    found = prepared(lab, wanted, backend="docker", engine=relay.url)
    assert found.state == "ready", found.message
    assert containers.names({"atelier.build": None}) == []
    assert not [tag for image in images.list_images() for tag in image.tags if tag.startswith("atelier/own:")]
