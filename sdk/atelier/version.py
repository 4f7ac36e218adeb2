"""The version of the SDK, on its own so that setup, CLI and `azureml.core.VERSION` read one place."""

VERSION = "0.1.0"
#: What scripts written for the v1 SDK compare with: the last release whose names this SDK follows.
AZUREML_VERSION = "1.60.0"
