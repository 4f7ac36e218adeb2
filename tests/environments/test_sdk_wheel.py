"""The SDK that goes into every environment is made before anybody waits for it."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import pytest
from celery.signals import worker_ready

import studio.environments.tasks  # noqa: F401 - a worker imports it, and so hears that it is ready
from studio.environments import sdk_wheel
from tests.environments.test_virtual_environments import python
from tests.stack import wait_for


def test_a_worker_that_is_ready_unpacks_the_sdk_in_the_background(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    worker_ready.send(sender=None)
    (folder,) = wait_for(lambda: list(home.glob("sdk/*/lib")), 30, "the SDK is unpacked")
    monkeypatch.setenv("PYTHONPATH", str(folder))
    assert python(sys.executable, "import atelier; print(atelier.__file__)").startswith(str(folder))


OLD = "from fairlearn.metrics._group_metric_set import _create_group_metric_set as made; print(made.__module__)"


def test_an_old_name_may_be_the_first_import_where_the_sdk_is_installed_and_where_it_lies_on_the_path(
    wheel_of_the_sdk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(sdk_wheel.unpacked()))
    assert python(sys.executable, OLD) == "atelier.fairness.metric_set"
    monkeypatch.delenv("PYTHONPATH")
    packages = tmp_path / "site"
    with zipfile.ZipFile(wheel_of_the_sdk) as archive:
        archive.extractall(packages)
    as_installed = f"import site; site.addsitedir({str(packages)!r}); {OLD}"
    assert python(sys.executable, as_installed) == "atelier.fairness.metric_set"


def test_the_sites_own_start_goes_on_behind_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sitecustomize.py").write_text("import builtins\nbuiltins.started = 'by the site'\n")
    monkeypatch.setenv("PYTHONPATH", f"{sdk_wheel.unpacked()}:{tmp_path}")
    assert python(sys.executable, "print(started)") == "by the site"
