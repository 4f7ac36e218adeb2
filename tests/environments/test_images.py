"""Environments as images on a real Docker Engine."""

from __future__ import annotations

import pytest
from pytest_django.fixtures import Settings

from studio.containers import containers, images
from studio.environments.logs import build_log
from studio.environments.models import Build, Image
from studio.environments.prepare import Prepared, find_or_build, no_longer_waits
from studio.environments.tasks import build as build_task
from studio.workspace.models import Workspace
from tests.environments.builders import definition, output, prepared

pytestmark = [pytest.mark.docker, pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("engine")]


def log_of(found: Prepared) -> str:
    return build_log(found.build_id or 0).data.decode()


def test_packages_and_the_sdk_are_in_the_image_for_an_account_without_rights(lab: Workspace) -> None:
    found = prepared(lab, definition(pip=["idna==3.10", "azureml-defaults"]), backend="docker")
    assert found.state == "ready", found.message
    assert "azureml-defaults: satisfied by atelier-sdk" in log_of(found)
    said = output(
        found.image,
        found.python,
        "-c",
        "import idna, atelier, os; print(idna.__version__, os.getuid(), os.path.expanduser('~'))",
    )
    assert said == "3.10 1000 /home/atelier"
    assert images.inspect(found.image).user == "1000:1000"
    assert "Permission denied" in output(found.image, "/bin/sh", "-c", "echo x >> /opt/env/pyvenv.cfg")
    record = Image.objects.get()
    assert (
        record.digest == images.inspect(found.image).id and record.lock is not None and "idna==3.10" in record.lock.pip
    )

    again = find_or_build(lab, definition("other", pip=["idna==3.10"]), backend="docker", for_run="run-2")
    assert (again.state, again.image) == ("ready", found.image) and Build.objects.count() == 1


def test_one_package_that_changes_leaves_the_large_ones_where_they_are(lab: Workspace) -> None:
    prepared(lab, definition(pip=["numpy==2.4.6", "idna==3.10"]), backend="docker", run="run-1")
    found = prepared(lab, definition(pip=["numpy==2.4.6", "idna==3.11"]), backend="docker", run="run-2")
    large = log_of(found).split('/opt/atelier/large.txt"]', 1)[1]
    assert large.lstrip().startswith("---> Using cache"), large[:200]


def test_a_dockerfile_is_built_and_the_packages_go_on_top(lab: Workspace, settings: Settings) -> None:
    text = f"FROM {settings.BASE_IMAGE} AS first\nRUN echo made > /made\nFROM first\nENV GREETING=hello"
    found = prepared(lab, definition(pip=["idna==3.10"], docker={"baseDockerfile": text}), backend="docker")
    assert found.state == "ready", found.message
    assert (
        output(found.image, "/bin/sh", "-c", "cat /made; echo $GREETING; python -c 'import idna, atelier'")
        == "made\nhello"
    )


def test_a_broken_dockerfile_is_refused_with_the_step(lab: Workspace, settings: Settings) -> None:
    text = f"FROM {settings.BASE_IMAGE}\nRUN no-such-command --here"
    found = prepared(lab, definition(docker={"baseDockerfile": text}), backend="docker")
    assert found.state == "failed" and "RUN no-such-command --here" in found.message
    assert not [image for image in images.list_images() if any(tag.startswith("atelier/own:") for tag in image.tags)]


def test_a_ready_image_with_its_own_python_gets_the_sdk_and_nothing_else(lab: Workspace, settings: Settings) -> None:
    found = prepared(lab, definition(user_managed=True, docker={"baseImage": settings.BASE_IMAGE}), backend="docker")
    assert found.state == "ready", found.message
    assert found.python == "python"
    assert output(found.image, found.python, "-c", "import atelier, sys; print(sys.prefix)") == "/usr"


def test_a_base_image_that_does_not_exist_is_named(lab: Workspace) -> None:
    found = prepared(lab, definition(docker={"baseImage": "127.0.0.1:1/nowhere/none:1"}), backend="docker")
    assert found.state == "failed" and "The base image 127.0.0.1:1/nowhere/none:1 can't be fetched" in found.message


def test_a_package_that_does_not_exist_is_named_and_leaves_no_image(lab: Workspace) -> None:
    before = {image.id for image in images.list_images()}
    found = prepared(lab, definition(pip=["no-such-package-of-this-name==1"]), backend="docker")
    assert found.state == "failed" and "no-such-package-of-this-name" in found.message, found.message
    left = [image for image in images.list_images() if image.id not in before]
    assert all(tag.startswith(("atelier/ground:", "atelier/python:")) for image in left for tag in image.tags)
    assert containers.names({"atelier.build": None}) == []


def test_a_python_that_the_base_image_lacks_is_refused_with_the_one_it_has(lab: Workspace) -> None:
    found = prepared(lab, definition(conda=["python=3.8"]), backend="docker")
    assert found.state == "failed"
    assert found.message.startswith("Python 3.8 can't be had in this base image; there is 3.11")


def test_a_build_that_no_run_waits_for_is_stopped(lab: Workspace) -> None:
    wanted = definition(pip=["idna==3.10"])
    first = find_or_build(lab, wanted, backend="docker", for_run="run-1")
    find_or_build(lab, wanted, backend="docker", for_run="run-2")
    no_longer_waits("run-1")
    assert Build.objects.get().cancel_requested_at is None, "another run still waits"
    no_longer_waits("run-2")
    build_task(first.build_id)
    assert Build.objects.get().state == "Canceled"
    assert find_or_build(lab, wanted, backend="docker", for_run="run-3").state == "building", (
        "a new run has it built anew"
    )


def test_passwords_of_the_index_stay_out_of_layers_and_log(lab: Workspace, settings: Settings) -> None:
    settings.EXTRA_INDEX_URLS = ["http://ann:open%20sesame@127.0.0.1:1/simple"]
    found = prepared(lab, definition(pip=["idna==3.10"]), backend="docker")
    assert found.state == "failed" and "The package index http://ann:***@127.0.0.1:1/simple" in found.message
    assert "sesame" not in log_of(found) and "sesame" not in found.message
