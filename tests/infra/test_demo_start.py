"""What `make demo` says when it cannot start, and that it leaves nothing behind when it is stopped."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from scripts.supervisor import answers, free_port
from tests.stack import ROOT, wait_for

TOOLS = ("sh", "dirname", "cat", "sort", "head", "env")


def start_demo(home: Path, port: int | str) -> subprocess.Popen[str]:
    """The demo on data of its own."""
    environment = {
        **os.environ,
        "ATELIER_HOME": str(home),
        "ATELIER_PORT": str(port),
        "ONCE": "1",
        "DATABASE_URL": "",
        "REDIS_URL": "",
        "ATELIER_SERVER_URL": "",
        "PYTHONPATH": str(ROOT / "sdk"),
    }
    command = [sys.executable, "scripts/demo.py"]
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def refusal(home: Path, port: int | str) -> str:
    """What the demo says when it does not start."""
    demo = start_demo(home, port)
    said = demo.communicate(timeout=60)[1]
    assert demo.returncode == 1 and "Traceback" not in said, said
    return said


def test_a_taken_port_is_named_with_the_setting_that_changes_it(tmp_path: Path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        said = refusal(tmp_path, port)
    assert f"Port {port} " in said and "ATELIER_PORT" in said


def test_a_port_that_is_none_is_refused(tmp_path: Path):
    assert "must be a number from 1 to 65535" in refusal(tmp_path, "eighty")


@pytest.mark.docker
def test_a_full_disk_is_told_before_anything_starts(tmp_path: Path):
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(tmp_path)], check=True)
    try:
        said = refusal(tmp_path / "home", free_port())
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)
    assert "is full" in said and "ATELIER_HOME" in said


def bootstrap(folder: Path, **pythons: str) -> str:
    """What scripts/bootstrap says where only these interpreters (name: version) are on the PATH."""
    programs = folder / "bin"
    programs.mkdir()
    for name in TOOLS:
        (programs / name).symlink_to(str(shutil.which(name)))
    for name, version in pythons.items():
        script = programs / name
        script.write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo "Python {version}" && exit 0\nexit 1\n')
        script.chmod(0o755)
    (folder / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "bootstrap", folder / "scripts" / "bootstrap")
    done = subprocess.run(
        [programs / "sh", "scripts/bootstrap"],
        cwd=folder,
        env={"PATH": str(programs)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    return done.stderr


def test_a_python_that_is_too_old_is_named_with_its_version(tmp_path: Path):
    said = bootstrap(tmp_path, python3="3.9.2")
    assert "needs Python 3.11 or newer" in said and "Python 3.9.2" in said


def test_a_missing_python_is_told_with_the_way_to_get_one(tmp_path: Path):
    said = bootstrap(tmp_path)
    assert "found none" in said and "apt install python3" in said


@pytest.mark.timeout(240)
def test_stopping_the_demo_stops_every_process_of_it(tmp_path: Path):
    port = free_port()
    demo = start_demo(tmp_path, port)
    started: list[psutil.Process] = []
    try:
        wait_for(lambda: answers(f"http://127.0.0.1:{port}/health"), 120, "the demo's server answers")
        # A second one on the same data would take the first one's runs for its own.
        assert f"process {demo.pid}" in refusal(tmp_path, free_port())
        started = psutil.Process(demo.pid).children(recursive=True)
        assert len(started) >= 3
    finally:
        demo.send_signal(signal.SIGTERM)
        demo.communicate(timeout=60)
    gone, alive = psutil.wait_procs([p for p in started if "submit.py" not in " ".join(_command(p))], timeout=20)
    assert not alive and gone
    assert demo.returncode == 130


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []
