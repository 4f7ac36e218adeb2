"""The model registry: named, versioned files that came from a run or from this machine."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from atelier import artifacts, registry
from atelier.client import file_path, segment
from atelier.errors import ModelNotFoundError, NotFoundError, UnsupportedError, UserError

if TYPE_CHECKING:
    from atelier.run.run import Run
    from atelier.workspace import Workspace

CACHE = "azureml-models"


class Model:
    """A registered model: the newest that fits name, tags, properties and run, or exactly `id` or `version`.

    Raises `ModelNotFoundError` when there is none.
    """

    Framework = registry.Framework

    def __init__(
        self,
        workspace: Workspace,
        name: str | None = None,
        id: str | None = None,
        tags: Any = None,
        properties: Any = None,
        version: int | str | None = None,
        run_id: str | None = None,
        model_framework: str | None = None,
        expand: bool = True,
        **kwargs: Any,
    ) -> None:
        self.workspace = workspace
        record = kwargs.pop("_record_of_server", None)
        if kwargs:
            raise TypeError(f"Model() got unexpected arguments: {', '.join(sorted(kwargs))}.")
        if record is None:
            if id:
                name, _, number = id.rpartition(":")
                if not name or not number.isdigit():
                    raise UserError(f"A model's id is name:version, not {id!r}.")
                version = number
            record = self._find(name, version, tags, properties, run_id, model_framework)
        self._record: dict[str, Any] = record

    def _find(
        self, name: str | None, version: Any, tags: Any, properties: Any, run_id: str | None, framework: str | None
    ) -> dict[str, Any]:
        if name and version is not None and not (tags or properties or run_id or framework):
            try:
                return self.workspace.client.call("GET", _address(self.workspace, name, version))
            except NotFoundError as error:
                raise _not_found(self.workspace, f"{name}:{version}", error) from error
        wanted = str(version) if version is not None else None
        for model in _listed(self.workspace, name, tags, properties, run_id, latest=False):
            if wanted in (None, str(model["version"])) and framework in (None, model.get("framework")):
                return model
        raise _not_found(self.workspace, name or "with these tags and properties")

    def __repr__(self) -> str:
        return f"Model(workspace={self.workspace!r}, name={self.name}, id={self.id}, version={self.version}, tags={self.tags}, properties={self.properties})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Model) and (other.workspace.name, other.id) == (self.workspace.name, self.id)

    def __hash__(self) -> int:
        return hash(self.id)

    @property
    def name(self) -> str:
        """The model's name."""
        return self._record["name"]

    @property
    def version(self) -> int:
        """The version, counted from 1."""
        return self._record["version"]

    @property
    def id(self) -> str:
        """name:version."""
        return self._record["id"]

    @property
    def description(self) -> str:
        """What it is, in Markdown."""
        return self._record.get("description") or ""

    @property
    def tags(self) -> dict[str, str | None]:
        """Tags of this version."""
        return dict(self._record.get("tags") or {})

    @property
    def properties(self) -> dict[str, str]:
        """Properties of this version; they do not change."""
        return dict(self._record.get("properties") or {})

    @property
    def created_time(self) -> str:
        """When it was registered (ISO 8601, UTC)."""
        return self._record["created_at"]

    @property
    def created_by(self) -> str | None:
        """Who registered it."""
        return self._record.get("created_by")

    @property
    def model_framework(self) -> str | None:
        """The framework it was made with, one of `Framework`."""
        return self._record.get("framework")

    @property
    def model_framework_version(self) -> str | None:
        """The framework's version."""
        return self._record.get("framework_version")

    @property
    def run_id(self) -> str | None:
        """The run it came from; None for an upload."""
        return self._record.get("run_id")

    @property
    def experiment_name(self) -> str | None:
        """The experiment of that run."""
        return self._record.get("experiment")

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return self._record.get("size") or 0

    @property
    def url(self) -> str:
        """The address of the model's page."""
        client = self.workspace.client
        return f"{client.url}/w/{segment(self.workspace.name)}/models/{segment(self.name)}/{self.version}/"

    @property
    def run(self) -> Run | None:
        """The run it came from; None for an upload."""
        return self.workspace.run(self.run_id) if self.run_id else None

    @staticmethod
    def register(
        workspace: Workspace,
        model_path: str | Path,
        model_name: str,
        tags: Mapping[str, Any] | None = None,
        properties: Mapping[str, Any] | None = None,
        description: str | None = None,
        datasets: Any = None,
        model_framework: str | None = None,
        model_framework_version: str | None = None,
        child_paths: Any = None,
        sample_input_dataset: Any = None,
        sample_output_dataset: Any = None,
        resource_configuration: Any = None,
    ) -> Model:
        """Register a local file or folder as a new version of `model_name`."""
        upload_id = registry.upload(workspace.client, workspace.name, Path(model_path))
        return workspace.register_model(
            model_name,
            {"upload_id": upload_id},
            tags=tags,
            properties=properties,
            framework=model_framework,
            framework_version=model_framework_version,
            description=description,
            datasets=datasets,
        )

    @staticmethod
    def list(
        workspace: Workspace,
        name: str | None = None,
        tags: Any = None,
        properties: Any = None,
        run_id: str | None = None,
        latest: bool = False,
        dataset_id: str | None = None,
        expand: bool = True,
        page_count: int = 255,
        model_framework: str | None = None,
    ) -> Sequence[Model]:
        """The workspace's models, newest first, filtered; `latest` leaves one version of each name."""
        found = _listed(workspace, name, tags, properties, run_id, latest=latest)
        return [
            Model(workspace, _record_of_server=record)
            for record in found
            if model_framework in (None, record.get("framework"))
        ]

    @staticmethod
    def get_model_path(model_name: str, version: int | None = None, _workspace: Workspace | None = None) -> str:
        """A local path of the model: from AZUREML_MODEL_DIR, else from here, else downloaded into azureml-models/."""
        found = _local(model_name, version)
        if found is not None:
            return str(found)
        workspace = _workspace or _own_workspace()
        model = Model(workspace, model_name, version=version)
        target = Path(CACHE) / model.name / str(model.version)
        return model.download(str(target), exist_ok=True)

    def download(self, target_dir: str | Path = ".", exist_ok: bool = False, exists_ok: bool | None = None) -> str:
        """Download the model's file or folder into `target_dir`; its local path."""
        address = _address(self.workspace, self.name, self.version)
        client = self.workspace.client
        files = [record["path"] for record in client.call("GET", f"{address}/files")["items"]]
        if not files:
            raise UserError(f"The model {self.id} has no files.")
        folder = Path(target_dir)
        top = artifacts.clean(files[0]).split("/")[0]
        result = folder / top if all(artifacts.clean(name).split("/")[0] == top for name in files) else folder
        if result != folder and result.exists() and not (exist_ok or exists_ok):
            raise UserError(f"{result} exists already. Pass exist_ok=True to replace it.")
        if result != folder and result.is_dir():
            import shutil

            shutil.rmtree(result)
        for name in files:
            answer = client.open("GET", f"{address}/files/{file_path(name)}", timeout=artifacts.LONG)
            artifacts.save(answer, artifacts.safe_target(folder, name))
        return str(result)

    def update(
        self,
        tags: Mapping[str, Any] | None = None,
        description: str | None = None,
        sample_input_dataset: Any = None,
        sample_output_dataset: Any = None,
        resource_configuration: Any = None,
    ) -> None:
        """Replace the tags and the description, as far as given."""
        body = {"tags": registry.texts(tags), "description": description}
        self._change({key: value for key, value in body.items() if value is not None})

    def add_tags(self, tags: Mapping[str, Any]) -> None:
        """Set or change tags."""
        self._change({"tags": {**self.tags, **(registry.texts(tags) or {})}})

    def remove_tags(self, tags: Any) -> None:
        """Remove tags by key."""
        keys = {tags} if isinstance(tags, str) else set(tags)
        self._change({"tags": {key: value for key, value in self.tags.items() if key not in keys}})

    def update_tags_properties(
        self, add_tags: Any = None, remove_tags: Any = None, add_properties: Mapping[str, Any] | None = None
    ) -> None:
        """Change tags and add properties."""
        if add_tags:
            self.add_tags(add_tags)
        if remove_tags:
            self.remove_tags(remove_tags)
        if add_properties:
            self.add_properties(add_properties)

    def add_properties(self, properties: Mapping[str, Any]) -> None:
        """Add properties; one that exists keeps its value."""
        taken = [key for key, value in properties.items() if self.properties.get(key, str(value)) != str(value)]
        if taken:
            raise UserError(f"Properties do not change: {', '.join(taken)} exist with another value.")
        self._change({"properties": {**self.properties, **(registry.texts(properties) or {})}})

    def _change(self, body: dict[str, Any]) -> None:
        address = _address(self.workspace, self.name, self.version)
        self._record = self.workspace.client.call("PATCH", address, json_body=body)

    def delete(self) -> None:
        """Delete this version and its files."""
        self.workspace.client.call("DELETE", _address(self.workspace, self.name, self.version))

    def serialize(self) -> dict[str, Any]:
        """The model as a dictionary."""
        return {
            "createdTime": self.created_time,
            "createdBy": self.created_by,
            "description": self.description,
            "experimentName": self.experiment_name,
            "framework": self.model_framework,
            "frameworkVersion": self.model_framework_version,
            "id": self.id,
            "name": self.name,
            "properties": self.properties,
            "runId": self.run_id,
            "tags": self.tags,
            "url": self.url,
            "version": self.version,
        }


def _address(workspace: Workspace, name: str, version: Any) -> str:
    return f"/workspaces/{segment(workspace.name)}/models/{segment(name)}/versions/{segment(str(version))}"


def _listed(
    workspace: Workspace, name: str | None, tags: Any, properties: Any, run_id: str | None, *, latest: bool
) -> list[dict[str, Any]]:
    params = {
        "name": name,
        "tag": _wanted(tags),
        "property": _wanted(properties),
        "run_id": run_id,
        "latest": latest or None,
    }
    return list(workspace.client.pages(f"/workspaces/{segment(workspace.name)}/models", params))


def _wanted(pairs: Any) -> list[str] | None:
    """Filters of v1: a list of keys, of [key, value], or a dictionary."""
    if not pairs:
        return None
    if isinstance(pairs, str):
        return [pairs]
    if isinstance(pairs, Mapping):
        pairs = list(pairs.items())
    return [one if isinstance(one, str) else "=".join(str(part) for part in one) for one in pairs]


def _not_found(workspace: Workspace, what: str, inner: BaseException | None = None) -> ModelNotFoundError:
    return ModelNotFoundError(
        f"ModelNotFound: there is no model {what} in the workspace {workspace.name}. Model.list(ws) names them.", inner
    )


def _local(name: str, version: int | None) -> Path | None:
    for place in (os.environ.get("AZUREML_MODEL_DIR"), CACHE):
        folder = Path(place, name) if place else None
        if folder is None or not folder.is_dir():
            continue
        versions = sorted((one for one in folder.iterdir() if one.name.isdigit()), key=lambda one: int(one.name))
        if version is not None:
            versions = [one for one in versions if one.name == str(version)]
        if place == CACHE and version is None:
            continue  # which version is the newest, the server knows
        for found in reversed(versions):
            content = sorted(found.iterdir())
            return content[0] if len(content) == 1 else found
    return None


def _own_workspace() -> Workspace:
    from atelier.run.context import get_context  # only a script of a job has a workspace of its own

    run = get_context()
    if not hasattr(run, "experiment"):
        raise UserError("get_model_path needs _workspace outside of a submitted run.")
    return run.experiment.workspace


def _no_deployment(name: str) -> staticmethod[..., Any]:
    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise UnsupportedError(
            f"Model.{name}: this server does not deploy web services. Fetch the model where it is served with "
            "Model(ws, name).download()."
        )

    refuse.__doc__ = "Refused: this server does not deploy web services."
    return staticmethod(refuse)


for _name in ("deploy", "package", "profile", "print_configuration"):
    setattr(Model, _name, _no_deployment(_name))
