"""Images in real registries: kept after a build, found before one, done without when they are away."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from pytest_django.fixtures import Settings

from studio.containers import images
from studio.environments.logs import build_log
from studio.environments.models import Build, Image, Lock
from studio.environments.prepare import find_or_build
from studio.environments.tasks import build as build_task
from studio.workspace.models import Workspace
from tests.environments.builders import definition, prepared, work

pytestmark = [
    pytest.mark.docker,
    pytest.mark.registry,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("engine"),
]


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Callable[[], str]]:
    """Starts Docker registries on loopback; each call gives another one's address."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> str:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        folder = tmp_path / f"registry-{port}"
        config = tmp_path / f"registry-{port}.yml"
        config.write_text(
            f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {folder}}}}}\nhttp: {{addr: '127.0.0.1:{port}'}}\n"
        )
        program = os.environ.get("DOCKER_REGISTRY") or "docker-registry"
        started.append(
            subprocess.Popen([program, "serve", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        )
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                requests.get(f"http://127.0.0.1:{port}/v2/", timeout=2)
                return f"127.0.0.1:{port}"
            except requests.ConnectionError:
                time.sleep(0.05)
        raise AssertionError("the registry did not start")

    yield start
    for process in started:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


def forget_locally(name: str) -> None:
    """As on another engine of the same site: the image is not in this store, the database knows nothing of it."""
    images.remove(name, force=True)
    Image.objects.all().delete()
    Lock.objects.all().delete()


def log(build_id: int | None) -> str:
    return build_log(build_id or 0).data.decode()


def test_an_image_is_kept_in_the_workspaces_registry_and_found_there_or_in_the_global_one(
    lab: Workspace, settings: Settings, registry: Callable[[], str]
) -> None:
    workspace_registry, empty = registry(), registry()
    settings.WORKSPACE_REGISTRY = workspace_registry
    wanted = definition(pip=["idna==3.10"])
    built = prepared(lab, wanted, backend="docker", run="run-1")
    assert f"Kept in the workspace registry {workspace_registry} as sha256:" in log(built.build_id)

    forget_locally(built.image)
    found = prepared(lab, wanted, backend="docker", run="run-2")
    assert found.state == "ready" and found.digest == built.digest
    assert f"Found in the workspace registry {workspace_registry}" in log(found.build_id)
    assert "Step 1/" not in log(found.build_id), "nothing was built"
    record = Image.objects.get()
    assert record.source == "workspace registry" and record.lock is not None and "idna==3.10" in record.lock.pip

    settings.WORKSPACE_REGISTRY, settings.GLOBAL_REGISTRY = empty, workspace_registry
    forget_locally(built.image)
    found = prepared(lab, wanted, backend="docker", run="run-3")
    assert f"Not in the workspace registry {empty}" in log(found.build_id)
    assert f"Found in the global registry {workspace_registry}" in log(found.build_id)


def test_a_registry_that_is_away_is_said_and_the_image_is_built_all_the_same(
    lab: Workspace, settings: Settings
) -> None:
    settings.WORKSPACE_REGISTRY = "127.0.0.1:1"
    first = find_or_build(lab, definition(pip=["idna==3.10"]), backend="docker", for_run="run-1")
    build_task(first.build_id)
    work()
    build = Build.objects.get()
    assert build.state == "Succeeded" and build.source == "built"
    assert "The workspace registry 127.0.0.1:1 does not answer; going on without it" in log(build.pk)
    assert "Could not be kept in the workspace registry 127.0.0.1:1" in log(build.pk)
