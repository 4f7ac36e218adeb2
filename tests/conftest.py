"""Fixtures that the whole suite shares."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from studio.workspace.models import Role, Workspace
from tests import people

if TYPE_CHECKING:
    from django.contrib.auth.models import User


# The same examples each time, however slow the machine: HYPOTHESIS_PROFILE=default looks for new ones.
settings.register_profile("suite", deadline=None, derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))


@pytest.fixture
def lab(db: None) -> Workspace:
    """A workspace with an owner (olga), a contributor (carl) and a reader (rita)."""
    return people.workspace("lab", olga=Role.OWNER, carl=Role.CONTRIBUTOR, rita=Role.READER)


@pytest.fixture
def elsewhere(db: None) -> Workspace:
    """A stranger's workspace."""
    return people.workspace("elsewhere", sven=Role.OWNER)


def _named(name: str) -> User:
    from django.contrib.auth import get_user_model

    return get_user_model().objects.get(username=name)


@pytest.fixture
def owner(lab: Workspace) -> User:
    """olga, who owns `lab`."""
    return _named("olga")


@pytest.fixture
def contributor(lab: Workspace) -> User:
    """carl, who may submit in `lab`."""
    return _named("carl")


@pytest.fixture
def reader(lab: Workspace) -> User:
    """rita, who may look at `lab`."""
    return _named("rita")


@pytest.fixture
def stranger(elsewhere: Workspace) -> User:
    """sven, who is not in `lab`."""
    return _named("sven")
