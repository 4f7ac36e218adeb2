"""Registered models."""

from atelier.model import Model
from azureml._later import refusal

InferenceConfig = refusal("azureml.core.model", "InferenceConfig")

__all__ = ["InferenceConfig", "Model"]
