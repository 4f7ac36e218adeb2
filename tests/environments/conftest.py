"""Each test has a home of its own, so that nothing is found that another made; the SDK's wheel is built once."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

import studio.celery  # noqa: F401 - the broker is a folder of the tests' home
from studio.environments import sdk_wheel


@pytest.fixture(scope="session")
def wheel_of_the_sdk() -> Path:
    """The wheel of ./sdk, built the way the server builds it."""
    return sdk_wheel.wheel()


@pytest.fixture
def home(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch, wheel_of_the_sdk: Path) -> Path:
    """An empty ATELIER_HOME."""
    monkeypatch.setenv("ATELIER_SDK_WHEEL", str(wheel_of_the_sdk))
    settings.HOME = tmp_path
    return tmp_path
