"""The client of Atelier: runs, experiments, environments, compute and models of a self-hosted studio.

>>> from atelier import Workspace, Experiment
>>> run = Experiment(Workspace.from_config(), "first").start_logging()
>>> run.log("accuracy", 0.91)
>>> run.complete()

Names are loaded when they are asked for, so that a job's agent, which needs two of them, starts quickly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atelier.version import VERSION as __version__

if TYPE_CHECKING:
    from atelier.client import Client
    from atelier.compute import ComputeTarget
    from atelier.environment import CondaDependencies, Environment
    from atelier.errors import AtelierError
    from atelier.experiment import Experiment
    from atelier.model import Model
    from atelier.run.run import Run
    from atelier.runconfig import DockerConfiguration, RunConfiguration, ScriptRunConfig
    from atelier.workspace import Workspace

__all__ = [
    "AtelierError",
    "Client",
    "ComputeTarget",
    "CondaDependencies",
    "DockerConfiguration",
    "Environment",
    "Experiment",
    "Model",
    "Run",
    "RunConfiguration",
    "ScriptRunConfig",
    "Workspace",
    "__version__",
]
_PLACES = {
    "AtelierError": "errors",
    "Client": "client",
    "ComputeTarget": "compute",
    "CondaDependencies": "environment",
    "DockerConfiguration": "runconfig",
    "Environment": "environment",
    "Experiment": "experiment",
    "Model": "model",
    "Run": "run.run",
    "RunConfiguration": "runconfig",
    "ScriptRunConfig": "runconfig",
    "Workspace": "workspace",
}


def __getattr__(name: str) -> Any:
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(f"module 'atelier' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"atelier.{place}"), name)
