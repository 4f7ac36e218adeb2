"""Which Python a pin means, and the sentence when it can't be had. Pure but for asking uv what this host has."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version
from uv import find_uv_bin

from studio.environments import sdk_wheel
from studio.environments.building.faults import BuildError
from studio.environments.conda import Match, pip_version
from studio.environments.packages.sources import of_site


@dataclass(frozen=True)
class Python:
    """An interpreter: its version (3.11.7) and its path."""

    version: str
    path: str

    @property
    def minor(self) -> str:
        """3.11"""
        return ".".join(self.version.split(".")[:2])


def own() -> Python:
    """The server's own Python (the one below its virtual environment)."""
    return Python(
        ".".join(map(str, sys.version_info[:3])), str(getattr(sys, "_base_executable", None) or sys.executable)
    )


def on_this_host() -> list[Python]:
    """CPythons that uv finds here, newest first; the server's own is always among them."""
    command = [find_uv_bin(), "python", "list", "--only-installed", "--output-format", "json", "--no-config"]
    done = subprocess.run(command, capture_output=True, text=True, env=sdk_wheel.uv_environment(of_site()))
    found = {own().version: own()}
    for said in json.loads(done.stdout) if done.returncode == 0 and done.stdout.strip() else []:
        if said.get("implementation") == "cpython" and said.get("variant", "default") == "default":
            found.setdefault(said["version"], Python(said["version"], said["path"]))
    return sorted(found.values(), key=lambda python: Version(python.version), reverse=True)


def for_pin(pin: str) -> Python:
    """The server's own Python where the pin allows it, else the newest of this host that it allows. Raises BuildError."""
    if specifier(pin).contains(own().version):  # asking for all of them starts each once, which takes seconds
        return own()
    return choose(pin, on_this_host())


def specifier(pin: str) -> SpecifierSet:
    """The version clauses of a conda pin ("3.11.*", ">=3.8,<3.12", "==3.11.2"). Raises BuildError."""
    try:
        return SpecifierSet(pip_version(Match("python", pin)))
    except InvalidSpecifier as error:
        raise BuildError(f"The pin python {pin!r} can't be read; write python=3.11.") from error


def choose(pin: str, there: Iterable[Python], where: str = "here") -> Python:
    """The first Python that the pin and the SDK allow. Raises BuildError naming what can be had."""
    needed = SpecifierSet(sdk_wheel.requires_python())
    usable = [python for python in there if needed.contains(python.version)]
    wanted = specifier(pin)
    for python in usable:
        if wanted.contains(python.version):
            return python
    raise BuildError(sentence(pin, [python.version for python in usable], where))


def sentence(pin: str, versions: list[str], where: str = "here") -> str:
    """ "Python 3.8 can't be had here; there is 3.11.2." """
    shown = re.sub(r"\.\*$|^==", "", pin) or "3"
    there = ", ".join(dict.fromkeys(versions)) or "none that the SDK runs on"
    return f"Python {shown} can't be had {where}; there is {there}."
