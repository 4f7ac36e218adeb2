"""The SDK that goes into every environment is made before anybody waits for it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from celery.signals import worker_ready

import studio.environments.tasks  # noqa: F401 - a worker imports it, and so hears that it is ready
from tests.environments.test_virtual_environments import python
from tests.stack import wait_for


def test_a_worker_that_is_ready_unpacks_the_sdk_in_the_background(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    worker_ready.send(sender=None)
    (folder,) = wait_for(lambda: list(home.glob("sdk/*/lib")), 30, "the SDK is unpacked")
    monkeypatch.setenv("PYTHONPATH", str(folder))
    assert python(sys.executable, "import atelier; print(atelier.__file__)").startswith(str(folder))
