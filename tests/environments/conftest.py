"""Each test has a home of its own, so that nothing is found that another made; the SDK's wheel is built once."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from pytest_django.fixtures import Settings

import studio.celery  # noqa: F401 - the broker is a folder of the tests' home
from studio.containers import images
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


OURS = ("azureml/", "atelier/", "atelier-test-base:")


def _named() -> set[str]:
    """Tags that builds of environments make; what other suites on the engine have is left alone."""
    return {tag for image in images.list_images() for tag in image.tags if tag.startswith(OURS)}


@pytest.fixture(scope="session")
def base_of_this_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A base image that no other suite on the same engine has, so that nothing it built is found here."""
    before, context = _named(), tmp_path_factory.mktemp("base")
    name = f"atelier-test-base:{uuid.uuid4().hex[:12]}"
    (context / "Dockerfile").write_text(
        f"FROM {django_settings.BASE_IMAGE}\nLABEL atelier.test={name.partition(':')[2]}\n"
    )
    images.build(context, name, {}, lambda data: None, lambda: False)
    yield name
    for tag in sorted(_named() - before):
        images.remove(tag, force=True)


@pytest.fixture
def engine(home: Path, settings: Settings, base_of_this_session: str) -> Iterator[None]:
    """The Docker engine. Environments that the test made are gone afterwards; the stages they share stay for the next."""
    settings.BASE_IMAGE = base_of_this_session
    before = _named()
    yield
    for tag in _named() - before:
        if not tag.startswith(("atelier/ground:", "atelier/python:")):
            images.remove(tag, force=True)
