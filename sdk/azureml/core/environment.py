"""Environments and their parts."""

from atelier.environment import (
    DEFAULT_CPU_IMAGE,
    DEFAULT_GPU_IMAGE,
    CondaDependencies,
    ContainerRegistry,
    DockerSection,
    Environment,
    ImageBuildDetails,
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
]
