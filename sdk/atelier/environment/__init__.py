"""Environments: what a script needs to be there when it runs."""

from atelier.environment.build import ImageBuildDetails
from atelier.environment.conda import CondaDependencies
from atelier.environment.environment import Environment, listed
from atelier.environment.sections import (
    DEFAULT_CPU_IMAGE,
    DEFAULT_GPU_IMAGE,
    ContainerRegistry,
    DockerSection,
    PythonSection,
    SparkPackage,
    SparkSection,
)

__all__ = [
    "DEFAULT_CPU_IMAGE",
    "DEFAULT_GPU_IMAGE",
    "CondaDependencies",
    "ContainerRegistry",
    "DockerSection",
    "Environment",
    "ImageBuildDetails",
    "PythonSection",
    "SparkPackage",
    "SparkSection",
    "listed",
]
