"""Package locks: the first resolution of a specification is kept, and later builds install the same."""

from __future__ import annotations

import difflib
import platform
from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.utils import timezone

from studio.environments.models import Build, Lock


@dataclass(frozen=True)
class Settled:
    """The lock to install, and as a diff what a fresh resolution would change in it ("" when nothing)."""

    lock: Lock
    drift: str


def this_platform() -> str:
    """The platform that wheels are chosen for on this host, such as linux-x86_64."""
    return f"{platform.system().lower()}-{platform.machine()}"


def in_force(packages_key: str, python: str, system: str) -> Lock | None:
    """The recorded lock, if this specification was ever resolved for this Python."""
    return Lock.objects.filter(packages_key=packages_key, python=python, platform=system, replaced_at=None).first()


def settle(
    packages_key: str, python: str, system: str, *, pip: str, conda: str = "", build: Build | None = None
) -> Settled:
    """Records a fresh resolution when there is none yet; else keeps the recorded one and says how they differ.

    `pip` is a requirements file of exact versions, `conda` a rattler lock file.
    """
    for _ in range(2):
        recorded = in_force(packages_key, python, system)
        if recorded is not None:
            return Settled(recorded, difference(recorded, pip, conda))
        try:
            with transaction.atomic():
                made = Lock.objects.create(
                    packages_key=packages_key, python=python, platform=system, pip=pip, conda=conda, build=build
                )
            return Settled(made, "")
        except IntegrityError:
            continue  # another build settled it meanwhile; the second look finds it
    raise AssertionError("unreachable: the constraint names a row that the look-up must find")


def difference(recorded: Lock, pip: str, conda: str) -> str:
    """A unified diff from the recorded packages to the fresh ones; "" when they are the same."""
    old = [*listed(recorded.pip), *conda_packages(recorded.conda)]
    new = [*listed(pip), *conda_packages(conda)]
    return diff(old, new, "recorded", "resolved today")


def diff(old: list[str], new: list[str], old_name: str, new_name: str) -> str:
    """A unified diff of two sorted lists, without the lines that do not change."""
    return "\n".join(difflib.unified_diff(sorted(old), sorted(new), old_name, new_name, lineterm="", n=0))


def listed(pip: str) -> list[str]:
    """The requirements of a lock's pip part."""
    return [line.strip() for line in pip.splitlines() if line.strip() and not line.startswith(("#", "-"))]


def conda_packages(conda: str) -> list[str]:
    """The packages of a lock's conda part, by the file name that says name, version and build."""
    found = [line.split("conda:", 1)[1].strip() for line in conda.splitlines() if line.strip().startswith("- conda:")]
    return sorted({name.rsplit("/", 1)[-1] for name in found})


def replace(lock: Lock) -> None:
    """Takes a lock out of force: the next build resolves anew. What was built from it keeps it."""
    Lock.objects.filter(pk=lock.pk, replaced_at=None).update(replaced_at=timezone.now())
