"""The SDK as a wheel: built from ./sdk once per content, installed as the last layer of every environment."""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import shutil
import subprocess
import tempfile
import zipfile
from email.parser import HeaderParser
from pathlib import Path

from django.conf import settings
from uv import find_uv_bin

from studio.environments.packages.sources import Sources, of_site
from studio.errors import Unavailable

SOURCE = Path(settings.BASE_DIR) / "sdk"
LEFT_OUT = ("__pycache__", ".egg-info", "build", "dist", ".pyc")


@functools.cache
def digest() -> str:
    """SHA-256 over the names and contents of the SDK's files: 64 hexadecimal digits. Read once per process."""
    given = os.environ.get("ATELIER_SDK_WHEEL")
    if given:
        return hashlib.sha256(Path(given).read_bytes()).hexdigest()
    hashed = hashlib.sha256()
    for path in _files():
        hashed.update(f"{path.relative_to(SOURCE)}\0".encode())
        hashed.update(hashlib.sha256(path.read_bytes()).digest())
    return hashed.hexdigest()


def _files() -> list[Path]:
    def wanted(path: Path) -> bool:
        return path.is_file() and not any(
            part in LEFT_OUT or part.endswith(LEFT_OUT) for part in path.relative_to(SOURCE).parts
        )

    if not (SOURCE / "pyproject.toml").is_file():
        raise Unavailable(
            f"The SDK's source is not at {SOURCE}; set ATELIER_SDK_WHEEL to the wheel of atelier-sdk to install."
        )
    return sorted(path for path in SOURCE.rglob("*") if wanted(path))


def wheel() -> Path:
    """The wheel's path. The first call of a new content builds it; others that come meanwhile wait. Raises Unavailable."""
    if given := os.environ.get("ATELIER_SDK_WHEEL"):
        return Path(given)
    folder = Path(settings.HOME) / "sdk" / digest()[:16]
    if found := list(folder.glob("*.whl")):
        return found[0]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (found := list(folder.glob("*.whl"))):
            found = [_build(folder)]
    return found[0]


def _build(folder: Path) -> Path:
    """Builds in a copy: build backends write beside the source, which may be read-only."""
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        copy = Path(temporary) / "sdk"
        for path in _files():
            target = copy / path.relative_to(SOURCE)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        out = Path(temporary) / "out"
        sources = of_site()
        command = [
            find_uv_bin(),
            "build",
            "--wheel",
            "--quiet",
            "--out-dir",
            str(out),
            *sources.uv_arguments(),
            str(copy),
        ]
        done = subprocess.run(command, capture_output=True, text=True, env=uv_environment(sources))
        if done.returncode:
            raise Unavailable(f"The SDK's wheel could not be built: {done.stderr.strip()[-2000:]}")
        made = next(out.glob("*.whl"))
        return Path(shutil.move(made, folder / made.name))


def uv_environment(sources: Sources) -> dict[str, str]:
    """The environment of every uv that we start: no downloads of Pythons, the site's certificates, no colours."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("UV_", "PIP_", "VIRTUAL_ENV", "PYTHON", "ATELIER_"))
    }
    kept |= {"UV_PYTHON_DOWNLOADS": "never", "NO_COLOR": "1", "UV_HTTP_TIMEOUT": "120", "UV_NO_PROGRESS": "1"}
    if cache := os.environ.get("UV_CACHE_DIR"):
        kept["UV_CACHE_DIR"] = cache
    if sources.ca_bundle:
        kept["SSL_CERT_FILE"] = sources.ca_bundle
    return kept


def unpacked() -> Path:
    """A folder with the SDK's modules, for a Python that its user manages: it goes on PYTHONPATH."""
    folder = Path(settings.HOME) / "sdk" / digest()[:16] / "lib"
    if not folder.exists():
        with tempfile.TemporaryDirectory(
            dir=wheel().parent if not os.environ.get("ATELIER_SDK_WHEEL") else None
        ) as temporary:
            with zipfile.ZipFile(wheel()) as archive:
                archive.extractall(temporary)
            folder.parent.mkdir(parents=True, exist_ok=True)
            staged = folder.with_name(f".lib.{os.getpid()}.{os.urandom(3).hex()}")
            shutil.copytree(temporary, staged)
            # A .pth counts only where packages are installed; on PYTHONPATH this is what Python reads at its start.
            shutil.copyfile(staged / "atelier" / "start" / "sitecustomize.py", staged / "sitecustomize.py")
        try:
            staged.rename(folder)
        except OSError:  # another process was first
            shutil.rmtree(staged, ignore_errors=True)
    return folder


@functools.cache
def _metadata(path: Path) -> tuple[str, tuple[str, ...], str]:
    with zipfile.ZipFile(path) as archive:
        name = next(entry for entry in archive.namelist() if entry.endswith(".dist-info/METADATA"))
        parsed = HeaderParser().parsestr(archive.read(name).decode())
    needs = tuple(line for line in parsed.get_all("Requires-Dist") or [] if "extra ==" not in line)
    return parsed["Version"], needs, parsed.get("Requires-Python") or ""


def version() -> str:
    """The SDK's version."""
    return _metadata(wheel())[0]


def requirements() -> tuple[str, ...]:
    """What the SDK itself needs installed, as requirements."""
    return _metadata(wheel())[1]


def requires_python() -> str:
    """The Pythons that the SDK runs on, as a version specifier."""
    return _metadata(wheel())[2]
