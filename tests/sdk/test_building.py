"""Environments built before any run needs them, and kept in a folder."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from atelier.errors import NotFoundError, UserError
from azureml.core import Environment, Workspace
from tests.stack import Stack

pytestmark = [pytest.mark.xdist_group("stack"), pytest.mark.timeout(180)]


def an_environment(*packages: str) -> Environment:
    made = Environment(f"built-{uuid.uuid4().hex[:8]}")
    for package in packages:
        made.python.conda_dependencies.add_pip_package(package)
    return made


def test_an_environment_is_built_once_and_its_log_is_shown(ws: Workspace, capsys: pytest.CaptureFixture[str]):
    environment = an_environment("idna==3.10")
    build = environment.build(ws, image_build_compute="local")
    assert build.status in ("Queued", "Building", "Succeeded") and build.id
    assert build.wait_for_completion(show_output=True) is build and build.status == "Succeeded"
    printed = capsys.readouterr().out
    assert f"Building the environment {environment.name}" in printed and "idna==3.10" in printed
    assert printed.encode().endswith(build.get_log()) and build.portal_url in printed
    assert build.image_name and build.image_name.startswith("azureml/azureml_") and build.error is None
    same = environment.clone("another name").build(ws, image_build_compute="local")
    assert same.status == "Succeeded" and same.image_name == build.image_name


def test_a_build_that_fails_says_why_and_may_be_asked_for_again(ws: Workspace):
    environment = an_environment("idna==999.0")
    for _ in range(2):
        build = environment.build(ws, image_build_compute="local")
        with pytest.raises(UserError, match="idna"):
            build.wait_for_completion(show_output=False)
        assert build.status == "Failed" and build.error and build.portal_url.endswith(f"/builds/{build.id}/")


def test_what_a_compute_target_cannot_build_is_refused_before_anything_is(ws: Workspace, stack: Stack):
    image = Environment.from_docker_image("an-image", "debian:12")
    with pytest.raises(UserError, match="submit to a compute with Docker"):
        image.build(ws, image_build_compute="local")
    with pytest.raises(NotFoundError, match="no compute target 'nowhere'"):
        an_environment().build(ws, image_build_compute="nowhere")
    with pytest.raises(NotImplementedError, match=r"env\.build\(ws\)"):
        an_environment().build_local(ws)


def test_what_needs_no_build_is_there_at_once(ws: Workspace):
    environment = an_environment()
    environment.python.user_managed_dependencies = True
    build = environment.build(ws, image_build_compute="local")
    assert (build.id, build.status, build.get_log()) == (None, "Succeeded", b"")
    assert build.wait_for_completion(show_output=False).status == "Succeeded"


def test_an_environment_kept_in_a_folder_is_what_is_registered(ws: Workspace, tmp_path: Path):
    environment = an_environment("idna==3.10")
    environment.environment_variables = {"COLOUR": "blue"}
    environment.save_to_directory(tmp_path / "kept")
    registered = Environment.load_from_directory(tmp_path / "kept").register(ws)
    assert registered.version == "1" and environment.register(ws).version == "1", "the same content is the same version"
    found = Environment.list(ws)[environment.name]
    assert found.environment_variables == {"COLOUR": "blue"}
    assert (
        found.python.conda_dependencies.serialize_to_string()
        == registered.python.conda_dependencies.serialize_to_string()
    )
