"""The familiar names of the Azure ML SDK v1, on top of `atelier`."""

from azureml import _names

_names.install()
