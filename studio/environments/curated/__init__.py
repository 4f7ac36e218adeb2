"""The environments that ship with the studio, one YAML file each: name, version, description, the specification."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

PREFIX = "AzureML-"
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Curated:
    """A version of a curated environment. `versions` in its file are newest last; older ones stay as they were."""

    name: str
    version: int
    description: str
    definition: dict[str, Any]


@functools.cache
def versions() -> tuple[Curated, ...]:
    """All versions of all curated environments, by name and number."""
    found = []
    for file in sorted(HERE.glob("*.yml")):
        said = yaml.safe_load(file.read_text())
        for number, version in enumerate(said["versions"], start=1):
            definition = {
                "name": said["name"],
                "version": str(number),
                "python": {
                    "interpreterPath": "python",
                    "userManagedDependencies": False,
                    "condaDependencies": {"name": "project_environment", "dependencies": version["dependencies"]},
                    "baseCondaEnvironment": None,
                },
                "environmentVariables": version.get("variables") or {},
                "docker": {"baseImage": None, "baseDockerfile": None, "baseImageRegistry": None},
            }
            found.append(Curated(said["name"], number, said["description"].strip(), definition))
    return tuple(found)


def named(name: str) -> list[Curated]:
    """The versions of one, oldest first; empty when there is no such."""
    return [one for one in versions() if one.name == name]


def latest() -> list[Curated]:
    """The newest version of each."""
    return list({one.name: one for one in versions()}.values())
