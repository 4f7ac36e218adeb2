"""Conda packages from a local channel made on the fly, solved and installed by py-rattler's child process."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from studio.environments.logs import build_log
from studio.environments.models import Lock
from studio.workspace.models import Workspace
from tests.environments.builders import definition, output, prepared

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("home")]


def package(folder: Path, name: str, version: str, files: dict[str, str | bytes], depends: list[str]) -> None:
    """A conda package of the .tar.bz2 form; a text is a file, bytes are the target of a symbolic link."""
    (folder / "linux-64").mkdir(exist_ok=True)
    index = {
        "name": name,
        "version": version,
        "build": "0",
        "build_number": 0,
        "depends": depends,
        "subdir": "linux-64",
        "timestamp": 1700000000000,
    }
    paths = []
    with tarfile.open(folder / "linux-64" / f"{name}-{version}-0.tar.bz2", "w:bz2") as archive:

        def add(path: str, content: bytes | str, link: bool = False) -> None:
            member = tarfile.TarInfo(path)
            if link:
                member.type, member.linkname = (
                    tarfile.SYMTYPE,
                    content.decode() if isinstance(content, bytes) else content,
                )
                archive.addfile(member)
            else:
                data = content.encode() if isinstance(content, str) else content
                member.size, member.mode = len(data), 0o755
                archive.addfile(member, io.BytesIO(data))

        for path, content in files.items():
            add(path, content, link=isinstance(content, bytes))
            paths.append({"_path": path, "path_type": "softlink" if isinstance(content, bytes) else "hardlink"})
        add("info/index.json", json.dumps(index))
        add("info/files", "\n".join(files))
        add("info/paths.json", json.dumps({"paths_version": 1, "paths": paths}))


def channel_in(folder: Path, base: Path) -> str:
    """A channel with a Python (a thin one that leans on `base`) and greeting 1.0 and 1.1, which need it."""
    folder.mkdir()
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    home = f"home = {base.parent}\ninclude-system-site-packages = false\nversion = {version}\n"
    files: dict[str, str | bytes] = {
        "bin/python": str(base).encode(),
        f"bin/python{version}": b"python",
        "pyvenv.cfg": home,
    }
    package(folder, "python", f"{version}.0", files, [])
    for number in ("1.0", "1.1"):
        module = {f"lib/python{version}/site-packages/greeting.py": f"VERSION = {number!r}\n"}
        package(folder, "greeting", number, dict(module), [f"python {version}.*"])
    index(folder)
    return folder.as_uri()


@pytest.fixture
def channel(tmp_path: Path) -> str:
    """The channel for environments on this host."""
    return channel_in(tmp_path / "channel", Path(sys._base_executable).resolve())  # type: ignore[attr-defined]


def index(folder: Path) -> None:
    code = (
        "import asyncio, os, sys; from rattler.index import index_fs; asyncio.run(index_fs(sys.argv[1])); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", code, str(folder)], check=True, capture_output=True)


def says(python: str, code: str) -> str:
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_conda_packages_are_solved_from_the_sites_channel_and_pip_installs_on_top(
    lab: Workspace, settings: Settings, channel: str
) -> None:
    settings.CONDA_CHANNELS = [channel]
    found = prepared(
        lab, definition(conda=["python=3.11", "greeting=1.0"], pip=["idna==3.10"], channels=["conda-forge"])
    )
    assert found.state == "ready", found.message
    assert says(found.python, "import greeting, idna, atelier; print(greeting.VERSION, idna.__version__)") == "1.0 3.10"
    log = build_log(found.build_id or 0).data.decode()
    assert "channel conda-forge: this site's own channels are used in its place" in log
    lock = Lock.objects.get()
    assert "greeting-1.0-0.tar.bz2" in lock.conda and "idna==3.10" in lock.pip


def test_conda_packages_that_cannot_be_solved_are_named(lab: Workspace, settings: Settings, channel: str) -> None:
    settings.CONDA_CHANNELS = [channel]
    found = prepared(lab, definition(conda=["greeting=2.0"]))
    assert found.state == "failed" and "greeting 2.0" in found.message, found.message


def test_a_python_that_no_channel_has_is_refused_with_those_there_are(
    lab: Workspace, settings: Settings, channel: str
) -> None:
    settings.CONDA_CHANNELS = [channel]
    found = prepared(lab, definition(conda=["python=3.8", "greeting"]))
    version = f"{sys.version_info[0]}.{sys.version_info[1]}.0"
    said = f"Python 3.8 can't be had from this site's conda channels; there is {version}."
    assert found.state == "failed" and found.message == said, found.message


def test_a_channel_that_is_away_is_said(lab: Workspace, settings: Settings, tmp_path: Path) -> None:
    settings.CONDA_CHANNELS = ["http://127.0.0.1:1/nowhere"]
    found = prepared(lab, definition(conda=["greeting"]))
    assert found.state == "failed" and "127.0.0.1:1/nowhere" in found.message, found.message


def test_a_rebuild_keeps_the_lock_and_says_what_would_change(
    lab: Workspace, settings: Settings, channel: str, tmp_path: Path
) -> None:
    import shutil

    from studio.environments.models import Build, Image

    settings.CONDA_CHANNELS = [channel]
    wanted = definition(conda=["greeting"])
    first = prepared(lab, wanted, run="run-1")
    assert says(first.python, "import greeting; print(greeting.VERSION)") == "1.1"
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    folder = tmp_path / "channel"
    package(folder, "greeting", "1.2", {f"lib/python{version}/site-packages/greeting.py": "VERSION = '1.2'\n"}, [])
    index(folder)
    shutil.rmtree(tmp_path / "venvs")  # as on a new host: the record is there, the environment is not
    second = prepared(lab, wanted, run="run-2")
    assert second.state == "ready", second.message
    assert says(second.python, "import greeting; print(greeting.VERSION)") == "1.1", "nobody is silently updated"
    drift = Build.objects.get(pk=second.build_id).drift
    assert "-greeting-1.1-0.tar.bz2" in drift and "+greeting-1.2-0.tar.bz2" in drift
    assert "The recorded lock is installed" in build_log(second.build_id or 0).data.decode()
    assert Image.objects.filter(removed_at=None).count() >= 1


def test_without_channels_conda_names_come_from_pypi_with_a_line_each(lab: Workspace) -> None:
    found = prepared(lab, definition(conda=["python=3.11", "pip", "idna=3.10", "mkl=2020"], channels=["conda-forge"]))
    assert found.state == "ready", found.message
    assert says(found.python, "import idna, pip; print(idna.__version__)") == "3.10"
    log = build_log(found.build_id or 0).data.decode()
    assert "conda idna 3.10.*: taken from PyPI as idna==3.10.*, as this site allows no conda channel" in log
    assert "conda mkl 2020.*: left out, it is a system library" in log


@pytest.mark.docker
def test_conda_packages_are_laid_out_in_an_image_under_the_path_they_run_from(
    lab: Workspace, settings: Settings, tmp_path: Path, engine: None
) -> None:
    settings.CONDA_CHANNELS = [channel_in(tmp_path / "channel", Path("/usr/bin/python3.11"))]
    found = prepared(lab, definition(conda=["python=3.11", "greeting=1.0"], pip=["idna==3.10"]), backend="docker")
    assert found.state == "ready", found.message
    code = "import greeting, idna, atelier, sys; print(greeting.VERSION, idna.__version__, sys.prefix)"
    assert output(found.image, found.python, "-c", code) == "1.0 3.10 /opt/env"
    lock = Lock.objects.get()
    assert "greeting-1.0-0.tar.bz2" in lock.conda and "idna==3.10" in lock.pip
