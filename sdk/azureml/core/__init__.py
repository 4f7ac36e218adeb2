"""Workspaces, experiments, runs and what they need."""

from atelier.compute import ComputeTarget
from atelier.datastore import Datastore
from atelier.environment import ContainerRegistry, Environment
from atelier.experiment import Experiment
from atelier.model import Model
from atelier.run.run import Run
from atelier.runconfig import RunConfiguration, ScriptRunConfig
from atelier.version import AZUREML_VERSION as VERSION
from atelier.workspace import Workspace
from azureml._later import refusal

__version__ = VERSION

Dataset = refusal("azureml.core", "Dataset")
Image = refusal("azureml.core", "Image")
Keyvault = refusal("azureml.core", "Keyvault")
LinkedService = refusal("azureml.core", "LinkedService")
SynapseWorkspaceLinkedServiceConfiguration = refusal("azureml.core", "SynapseWorkspaceLinkedServiceConfiguration")
Webservice = refusal("azureml.core", "Webservice")

__all__ = [
    "VERSION",
    "ComputeTarget",
    "ContainerRegistry",
    "Dataset",
    "Datastore",
    "Environment",
    "Experiment",
    "Image",
    "Keyvault",
    "LinkedService",
    "Model",
    "Run",
    "RunConfiguration",
    "ScriptRunConfig",
    "Webservice",
    "Workspace",
]
