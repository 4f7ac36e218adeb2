"""How a script runs: target, environment, processes, container."""

from atelier.environment import DEFAULT_CPU_IMAGE, DEFAULT_GPU_IMAGE, Environment
from atelier.environment import DockerSection as DockerEnvironment
from atelier.environment import PythonSection as PythonEnvironment
from atelier.environment import SparkSection as SparkEnvironment
from atelier.runconfig import (
    DockerConfiguration,
    MpiConfiguration,
    PyTorchConfiguration,
    RunConfiguration,
    ScriptRunConfig,
    SparkConfiguration,
    TensorflowConfiguration,
)
from atelier.runconfig import History as HistoryConfiguration
from azureml._later import refusal

DEFAULT_MMLSPARK_CPU_IMAGE = DEFAULT_CPU_IMAGE

DataReferenceConfiguration = refusal("azureml.core.runconfig", "DataReferenceConfiguration")
JarLibrary = refusal("azureml.core.runconfig", "JarLibrary")
ParallelTaskConfiguration = refusal("azureml.core.runconfig", "ParallelTaskConfiguration")

__all__ = [
    "DEFAULT_CPU_IMAGE",
    "DEFAULT_GPU_IMAGE",
    "DEFAULT_MMLSPARK_CPU_IMAGE",
    "DockerConfiguration",
    "DockerEnvironment",
    "Environment",
    "HistoryConfiguration",
    "MpiConfiguration",
    "PyTorchConfiguration",
    "PythonEnvironment",
    "RunConfiguration",
    "ScriptRunConfig",
    "SparkConfiguration",
    "SparkEnvironment",
    "TensorflowConfiguration",
]
