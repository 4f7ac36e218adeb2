"""Environments of the process backend: real virtual environments made with uv."""

from __future__ import annotations

import subprocess

import pytest

from studio.environments.logs import build_log
from studio.environments.models import Build, Image, State
from studio.environments.prepare import find_or_build
from studio.workspace.models import Workspace
from tests.environments.builders import definition, prepared

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("home")]


def python(found: str, code: str) -> str:
    return subprocess.run([found, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_packages_are_installed_with_the_sdk_beside_them(lab: Workspace) -> None:
    found = prepared(lab, definition(pip=["idna==3.10"]))
    assert found.state == "ready", found.message
    assert python(found.python, "import idna, atelier; print(idna.__version__)") == "3.10"


def test_two_names_with_the_same_packages_share_one_environment(lab: Workspace) -> None:
    first = prepared(lab, definition("one", pip=["idna==3.10"], variables={"A": "1"}), run="run-1")
    second = find_or_build(
        lab, definition("two", pip=["IDNA == 3.10"], variables={"A": "2"}), backend="process", for_run="run-2"
    )
    assert (second.state, second.python, second.image) == ("ready", first.python, first.image)
    assert first.image.startswith("azureml/azureml_") and Build.objects.count() == 1
    assert second.build_id == first.build_id, "a run that found an image still shows the log of its build"


def test_the_second_run_waits_for_the_first_ones_build(lab: Workspace) -> None:
    first = find_or_build(lab, definition(pip=["idna==3.9"]), backend="process", for_run="run-1")
    second = find_or_build(lab, definition(pip=["idna==3.9"]), backend="process", for_run="run-2")
    assert (first.state, second.state) == ("building", "building")
    assert first.build_id == second.build_id
    assert "the run run-1 started" in second.message


def test_a_package_that_does_not_exist_is_named(lab: Workspace) -> None:
    found = prepared(lab, definition(pip=["no-such-package-of-this-name==1"]))
    assert found.state == "failed" and "no-such-package-of-this-name" in found.message
    assert Build.objects.get().state == State.FAILED and not Image.objects.exists()


def test_names_of_the_old_sdk_are_satisfied_by_ours_and_said_so(lab: Workspace) -> None:
    found = prepared(lab, definition(pip=["azureml-defaults", "azureml-core==1.30", "idna==3.10"]))
    assert found.state == "ready", found.message
    log = build_log(found.build_id or 0).data.decode()
    assert "azureml-defaults: satisfied by atelier-sdk" in log and "azureml-core: satisfied by atelier-sdk" in log


def test_a_python_that_is_not_there_is_refused_with_those_that_are(lab: Workspace) -> None:
    found = prepared(lab, definition(conda=["python=3.4"]))
    assert found.state == "failed"
    assert "Python 3.4 can't be had here; there is" in found.message and "3.11" in found.message
