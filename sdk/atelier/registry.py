"""Putting models into the registry: uploads, and the request that makes a version of them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from atelier import artifacts
from atelier.client import Client, file_path, segment
from atelier.errors import UserError


class Framework:
    """Names of model frameworks."""

    CUSTOM = "Custom"
    SCIKITLEARN = "ScikitLearn"
    ONNX = "Onnx"
    TENSORFLOW = "TensorFlow"
    TFKERAS = "TfKeras"
    PYTORCH = "PyTorch"
    MULTI = "Multi"


class ResourceConfiguration:
    """CPU, memory and GPUs that a deployed model would ask for; a model here is not deployed."""

    def __init__(self, cpu: float | None = None, memory_in_gb: float | None = None, gpu: int | None = None) -> None:
        self.cpu = cpu
        self.memory_in_gb = memory_in_gb
        self.gpu = gpu


def register(
    client: Client,
    workspace: str,
    name: str,
    source: Mapping[str, str],
    *,
    tags: Mapping[str, Any] | None = None,
    properties: Mapping[str, Any] | None = None,
    framework: str | None = None,
    framework_version: str | None = None,
    description: str | None = None,
    datasets: Any = None,
    sample_input: Any = None,
) -> dict[str, Any]:
    """A new version of `name`; `source` is {run_id, path} or {upload_id}. The server's record of it."""
    body: dict[str, Any] = {
        "name": name,
        **source,
        "description": description,
        "tags": texts(tags),
        "properties": texts(properties),
        "framework": framework,
        "framework_version": framework_version,
        "datasets": _datasets(datasets),
        "sample_input": sample_input,
    }
    body = {key: value for key, value in body.items() if value is not None}
    return client.call("POST", f"/workspaces/{segment(workspace)}/models", json_body=body)


def texts(values: Mapping[str, Any] | None) -> dict[str, str | None] | None:
    """Tags or properties as texts."""
    if values is None:
        return None
    return {str(key): None if value is None else str(value) for key, value in values.items()}


def _datasets(datasets: Any) -> list[dict[str, str]] | None:
    """[(scenario, dataset), …] as records; what matters is which data was used for what."""
    if not datasets:
        return None
    return [{"scenario": str(scenario), "name": str(getattr(data, "name", data))} for scenario, data in datasets]


def upload(client: Client, workspace: str, path: Path) -> str:
    """Send a file or folder for registration; the upload's id."""
    upload_id = str(uuid.uuid4())
    if path.is_dir():
        files = list(artifacts.folder_files(path, path.resolve().name))
        if not files:
            raise UserError(f"The folder {path} is empty, so there is no model to register.")
    elif path.is_file():
        files = [(path.name, path)]
    else:
        raise UserError(f"There is no file or folder {str(path)!r} to register as a model.")
    for name, file in files:
        address = f"/workspaces/{segment(workspace)}/model-uploads/{upload_id}/{file_path(name)}"
        with file.open("rb") as content:
            headers = {"Content-Type": "application/octet-stream", "Content-Length": str(file.stat().st_size)}
            client.call("PUT", address, body=content, headers=headers, timeout=artifacts.LONG)
    return upload_id
