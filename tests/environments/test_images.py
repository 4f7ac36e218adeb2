"""Environments as images on a real Docker Engine."""

from __future__ import annotations

import pytest

from studio.environments.logs import build_log
from studio.workspace.models import Workspace
from tests.environments.builders import definition, prepared

pytestmark = [pytest.mark.docker, pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("home")]


def test_x(lab: Workspace) -> None:
    found = prepared(lab, definition(pip=["idna==3.10"]), backend="docker")
    print(build_log(found.build_id or 0).data.decode())
    assert found.state == "ready", found.message
