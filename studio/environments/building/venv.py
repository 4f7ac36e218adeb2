"""A virtual environment on this host, for the process backend: one folder per key and SDK, whole or not there."""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
import sys
from pathlib import Path

from django.conf import settings

from studio.environments import locks, sdk_wheel
from studio.environments.building import conda_host, folders, pythons, resolve
from studio.environments.building.faults import BuildError
from studio.environments.building.job import Job
from studio.environments.building.made import Made

MARKER = "atelier.json"


def folder() -> Path:
    """Where the environments lie."""
    return Path(settings.HOME) / "venvs"


def base() -> str:
    """What stands in the key for the base image: the kind of machine, as wheels are chosen by it."""
    return f"process:{locks.this_platform()}:python{sys.version_info[0]}.{sys.version_info[1]}"


def place(key: str) -> Path:
    """The name that a ready environment is found under: a link to the folder that the last build made."""
    return folder() / f"{key[:32]}-{sdk_wheel.digest()[:12]}"


def find(key: str) -> Path | None:
    """The ready environment's own folder; None when there is none, or only the remains of one."""
    link = place(key)
    try:
        real = link.resolve(strict=True)
    except OSError:
        return None
    return real if (real / MARKER).is_file() and (real / "bin" / "python").exists() else None


def python_of(environment: Path) -> str:
    """The interpreter to run a job with."""
    return str(environment / "bin" / "python")


def build(job: Job) -> Made:
    """Makes the environment, or finds that another worker just did. Raises BuildError, Cancelled."""
    folder().mkdir(parents=True, exist_ok=True)
    folders.sweep(folder(), _is_whole)
    made = folder() / f"{job.build.key[:32]}-{sdk_wheel.digest()[:12]}.{secrets.token_hex(4)}"
    with folders.held(made):
        try:
            result = _fill(job, made)
            _publish(made, place(job.build.key))
            return result
        except OSError as error:
            if error.errno == 28:  # ENOSPC
                raise BuildError(
                    "The disk is full: the environment could not be written. Free space, then submit again."
                ) from error
            raise
        finally:
            if not _is_whole(made):
                shutil.rmtree(made, ignore_errors=True)


def _is_whole(made: Path) -> bool:
    return (made / MARKER).is_file()


def _fill(job: Job, made: Path) -> Made:
    resolve.introduce(job)
    work = made / ".work"
    work.mkdir()
    environment = made
    interpreter = python_of(environment)
    if job.spec.conda:
        solved = conda_host.solve(job, work)
        conda_host.install(job, solved, environment, environment, work)
        python_minor = solved.python
        pip = resolve.on_this_host(job, interpreter, work)
        lock = resolve.settle(job, python_minor, locks.this_platform(), pip=pip, conda=solved.fresh)
    else:
        python = pythons.for_pin(job.spec.python)
        job.log.say(f"Python {python.version} ({python.path})")
        pip = resolve.on_this_host(job, python.path, work)
        lock = resolve.settle(job, python.minor, locks.this_platform(), pip=pip)
        job.uv("venv", "--python", python.path, "--allow-existing", "--quiet", "--no-config", str(environment))
        python_minor = python.minor
    install(job, interpreter, lock.pip, work)
    shutil.rmtree(work)
    digest = hashlib.sha256((lock.pip + lock.conda + sdk_wheel.digest()).encode()).hexdigest()
    size = sum(path.lstat().st_size for path in made.rglob("*") if not path.is_symlink())
    marker = {"key": job.build.key, "python": python_minor, "digest": f"sha256:{digest}", "lock": lock.pk}
    temporary = made / f".{MARKER}"
    temporary.write_text(json.dumps(marker))
    temporary.rename(made / MARKER)
    return Made(str(made), f"sha256:{digest}", size, python_minor, lock, base_image="this host", base_digest=base())


def install(job: Job, interpreter: str, pip: str, work: Path) -> None:
    """Installs exactly the lock, then the SDK on top, into an environment of this host."""
    lock = work / "lock.txt"
    lock.write_text(pip)
    where = ["--python", interpreter, "--break-system-packages", "--no-config"]
    if locks.listed(pip):
        job.uv("pip", "install", *where, "--no-deps", *job.sources.uv_arguments(), "-r", str(lock))
    job.uv("pip", "install", *where, *job.sources.uv_arguments(), "--constraint", str(lock), str(sdk_wheel.wheel()))


def _publish(made: Path, link: Path) -> None:
    """From now on the link leads to the new folder; a job that runs in an older one keeps it."""
    staged = link.with_name(f".{made.name}")
    staged.symlink_to(made.name)
    staged.replace(link)


def remove(name: str) -> None:
    """Removes an environment's folder, and the link that leads to it."""
    path = Path(name)
    if path.parent != folder():
        return
    for link in folder().iterdir():
        if link.is_symlink() and link.readlink().name == path.name:
            link.unlink()
    shutil.rmtree(path, ignore_errors=True)
