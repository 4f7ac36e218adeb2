"""The parts of an environment: Python, Docker, Spark; plain holders of values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from atelier.environment.conda import CondaDependencies

#: The names of v1's base images. On this server they mean the site's own base image.
DEFAULT_CPU_IMAGE = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu20.04"
DEFAULT_GPU_IMAGE = "mcr.microsoft.com/azureml/openmpi4.1.0-cuda11.1-cudnn8-ubuntu20.04"
SITE_IMAGES = frozenset({None, "", DEFAULT_CPU_IMAGE, DEFAULT_GPU_IMAGE})


class _Section:
    """Attributes by name; a name that is not one of the section's is told, not kept."""

    _fields: tuple[str, ...] = ()

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_") and name not in self._fields:
            raise AttributeError(f"{type(self).__name__} has no {name!r}; it has {', '.join(self._fields)}.")
        object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in self._fields)})"


class PythonSection(_Section):
    """The Python part: packages to install, or (`user_managed_dependencies`) an interpreter that has them."""

    _fields = (
        "interpreter_path",
        "user_managed_dependencies",
        "conda_dependencies",
        "conda_dependencies_file",
        "base_conda_environment",
    )

    def __init__(self) -> None:
        self.interpreter_path = "python"
        self.user_managed_dependencies = False
        self.conda_dependencies: CondaDependencies | None = CondaDependencies()
        self.conda_dependencies_file: str | None = None
        self.base_conda_environment: str | None = None

    def specification(self) -> CondaDependencies | None:
        """What is to be installed: the file where one is named, else the object."""
        if self.conda_dependencies_file:
            return CondaDependencies(self.conda_dependencies_file)
        return self.conda_dependencies


class ContainerRegistry(_Section):
    """Where a base image is kept, and who we are there."""

    _fields = ("address", "username", "password")

    def __init__(self) -> None:
        self.address: str | None = None
        self.username: str | None = None
        self.password: str | None = None

    def __repr__(self) -> str:
        hidden = "***" if self.password else None
        return f"ContainerRegistry(address={self.address!r}, username={self.username!r}, password={hidden!r})"


class DockerSection(_Section):
    """The image part. `enabled`, `shared_volumes`, `shm_size`, `gpu_support` and `arguments` are v1's older place of
    what `DockerConfiguration` says; they count where no docker_runtime_config is given."""

    _fields = (
        "enabled",
        "base_image",
        "base_dockerfile",
        "base_image_registry",
        "gpu_support",
        "shared_volumes",
        "shm_size",
        "arguments",
        "platform",
    )

    def __init__(self) -> None:
        self.enabled: bool | None = None
        self.base_image: str | None = DEFAULT_CPU_IMAGE
        self.base_dockerfile: str | None = None
        self.base_image_registry = ContainerRegistry()
        self.gpu_support: bool | None = None
        self.shared_volumes: bool | None = None
        self.shm_size: str | None = None
        self.arguments: list[str] = []
        self.platform: Mapping[str, str] = {"os": "Linux", "architecture": "amd64"}


class SparkPackage(_Section):
    """A Spark package by its Maven coordinates."""

    _fields = ("group", "artifact", "version")

    def __init__(self, group: str | None = None, artifact: str | None = None, version: str | None = None) -> None:
        self.group = group
        self.artifact = artifact
        self.version = version


class SparkSection(_Section):
    """Spark packages; an environment that lists some is refused when it is used."""

    _fields = ("packages", "repositories", "precache_packages")

    def __init__(self) -> None:
        self.packages: list[SparkPackage] = []
        self.repositories: list[str] = []
        self.precache_packages = True
