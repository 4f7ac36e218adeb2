"""Workspaces: where experiments, models, environments and compute targets live."""

from __future__ import annotations

import builtins
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from atelier import compute, config, environment
from atelier.auth import Authentication
from atelier.client import Client, segment
from atelier.datastore import Datastore
from atelier.errors import ConfigurationError, NotFoundError, UnsupportedError, UserError
from atelier.experiment import Experiment
from atelier.model import Model
from atelier.registry import register
from atelier.run.run import Run

if TYPE_CHECKING:
    from atelier.compute import ComputeTarget
    from atelier.environment import Environment

CONFIG_PLACES = (".azureml", "aml_config", "")
SCOPE_KEYS = ("subscriptions", "resourceGroups", "workspaces")


class Workspace:
    """The workspace `workspace_name` of the server that the environment (or `atelier login`) names.

    Subscription and resource group are what the workspace was created with; the name alone identifies it on a server.
    `auth` may be one of the authentication classes or an `atelier.client.Client`.
    """

    def __init__(
        self,
        subscription_id: str | None = None,
        resource_group: str | None = None,
        workspace_name: str | None = None,
        auth: Authentication | Client | None = None,
        _location: str | None = None,
        _disable_service_check: bool = False,
        **kwargs: Any,
    ) -> None:
        if not workspace_name:
            raise UserError("Workspace needs workspace_name. Workspace.from_config() reads it from config.json.")
        self._given = {
            "subscription_id": subscription_id,
            "resource_group": resource_group,
            "name": workspace_name,
            "location": _location,
        }
        self.client = _client_of(auth)
        self._auth = auth
        self._record: dict[str, Any] | None = kwargs.pop("_record_of_server", None)
        if self._record is None and not _disable_service_check:
            self._known()

    def __repr__(self) -> str:
        given = self._given
        return (
            f"Workspace.create(name={given['name']!r}, subscription_id={self.subscription_id!r}, "
            f"resource_group={self.resource_group!r})"
        )

    def _address(self, tail: str = "") -> str:
        return f"/workspaces/{segment(self.name)}{tail}"

    def _known(self) -> dict[str, Any]:
        if self._record is None:
            try:
                self._record = self.client.call("GET", self._address())
            except NotFoundError as error:
                raise NotFoundError(
                    f"There is no workspace {self.name!r} on {self.client.url} that you may see. "
                    f"Workspace.list() names yours; Workspace.create(name={self.name!r}) makes it.",
                    error,
                ) from error
        return self._record

    # ---- ways to get one

    @staticmethod
    def from_config(
        path: str | Path | None = None, auth: Any = None, _logger: Any = None, _file_name: str | None = None
    ) -> Workspace:
        """The workspace that a v1 config.json names: at `path`, or in this folder or one above it (also in .azureml)."""
        file = _find_config(Path(path) if path is not None else Path.cwd(), _file_name or "config.json")
        try:
            content = json.loads(file.read_text(encoding="utf-8-sig"))
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"{file} cannot be read as JSON: {error}.", error) from error
        if not isinstance(content, dict):
            raise ConfigurationError(f"{file} must hold a JSON object with workspace_name.")
        if content.get("Scope") or content.get("Id"):
            content = {**_of_scope(str(content.get("Scope") or content["Id"])), **content}
        name = content.get("workspace_name")
        if not name:
            raise ConfigurationError(f"{file} lacks workspace_name.")
        return Workspace(content.get("subscription_id"), content.get("resource_group"), name, auth=auth)

    @staticmethod
    def get(
        name: str | None = None,
        auth: Any = None,
        subscription_id: str | None = None,
        resource_group: str | None = None,
        location: str | None = None,
        cloud: str | None = None,
        id: str | None = None,
    ) -> Workspace:
        """The workspace of that name; raises `NotFoundError` when there is none you may see."""
        if not name:
            raise UserError("Workspace.get needs the name of the workspace.")
        return Workspace(subscription_id, resource_group, name, auth=auth, _location=location)

    @staticmethod
    def create(
        name: str,
        auth: Any = None,
        subscription_id: str | None = None,
        resource_group: str | None = None,
        location: str | None = None,
        create_resource_group: bool = True,
        sku: str = "basic",
        tags: Mapping[str, str] | None = None,
        friendly_name: str | None = None,
        exist_ok: bool = False,
        show_output: bool = True,
        **kwargs: Any,
    ) -> Workspace:
        """Make a workspace; with `exist_ok` an existing one of that name is returned.

        `create_resource_group`, `sku` and the names of Azure resources (storage account, key vault …) are accepted;
        there is nothing here that they would set.
        """
        client = _client_of(auth)
        body = {
            "name": name,
            "subscription_id": subscription_id,
            "resource_group": resource_group,
            "location": location,
            "exist_ok": exist_ok,
        }
        body = {key: value for key, value in body.items() if value is not None}
        record = client.call("POST", "/workspaces", json_body=body, repeatable=exist_ok)
        if show_output:
            print(f"Workspace {name} is ready on {client.url}.")
        return Workspace(subscription_id, resource_group, name, auth=auth or client, _record_of_server=record)

    @staticmethod
    def list(
        subscription_id: str | None = None, auth: Any = None, resource_group: str | None = None
    ) -> dict[str, builtins.list[Workspace]]:
        """Your workspaces by name."""
        client = _client_of(auth)
        found: dict[str, builtins.list[Workspace]] = {}
        for entry in client.call("GET", "/me")["workspaces"]:
            one = Workspace(None, None, entry["name"], auth=auth or client, _disable_service_check=True)
            if resource_group is not None and one.resource_group != resource_group:
                continue  # asking a workspace for its group is a request of its own
            if subscription_id is not None and one.subscription_id != subscription_id:
                continue
            found[one.name] = [one]
        return found

    @classmethod
    def of_job(cls, client: Client) -> Workspace:
        """The workspace that the variables of a job name; nothing is asked of the server."""
        names = {
            key: os.environ.get(f"AZUREML_ARM_{key}") for key in ("SUBSCRIPTION", "RESOURCEGROUP", "WORKSPACE_NAME")
        }
        return cls(
            names["SUBSCRIPTION"],
            names["RESOURCEGROUP"],
            names["WORKSPACE_NAME"] or "default",
            auth=client,
            _disable_service_check=True,
        )

    def write_config(self, path: str | Path | None = None, file_name: str | None = None) -> None:
        """Write config.json into `.azureml` below `path` (default: here), for `from_config`."""
        file = Path(path or ".") / ".azureml" / (file_name or "config.json")
        file.parent.mkdir(parents=True, exist_ok=True)
        content = {
            "subscription_id": self.subscription_id,
            "resource_group": self.resource_group,
            "workspace_name": self.name,
        }
        file.write_text(json.dumps(content, indent=4) + "\n")

    # ---- what it is

    def _value(self, key: str) -> Any:
        given = self._given.get(key)
        return given if given is not None and self._record is None else self._known().get(key) or given

    @property
    def name(self) -> str:
        """The workspace's name."""
        return str(self._given["name"])

    @property
    def subscription_id(self) -> str | None:
        """The subscription the workspace was created with."""
        return self._value("subscription_id")

    @property
    def resource_group(self) -> str | None:
        """The resource group the workspace was created with."""
        return self._value("resource_group")

    @property
    def location(self) -> str | None:
        """The location the workspace was created with."""
        return self._value("location")

    @property
    def sku(self) -> str:
        """Always "Basic": a self-hosted workspace has no price tiers."""
        return "Basic"

    @property
    def tags(self) -> dict[str, str]:
        """Empty: a workspace has no tags here."""
        return {}

    def get_details(self) -> dict[str, Any]:
        """The workspace as a dictionary with the keys of v1."""
        record = self._known()
        scope = f"/subscriptions/{self.subscription_id}/resourceGroups/{self.resource_group}"
        return {
            "id": f"{scope}/providers/Microsoft.MachineLearningServices/workspaces/{self.name}",
            "name": self.name,
            "location": self.location,
            "type": "Microsoft.MachineLearningServices/workspaces",
            "sku": self.sku,
            "workspaceid": str(record.get("id")),
            "description": record.get("description") or "",
            "friendlyName": self.name,
            "creationTime": record.get("created_at"),
            "subscription_id": self.subscription_id,
            "resource_group": self.resource_group,
            "role": record.get("role"),
            "discoveryUrl": self.client.url,
        }

    def get_portal_url(self) -> str:
        """The address of the workspace's page."""
        return f"{self.client.url}/w/{segment(self.name)}/"

    # ---- what it holds

    @property
    def experiments(self) -> dict[str, Experiment]:
        """The active experiments by name."""
        return {one.name: one for one in Experiment.list(self)}

    @property
    def compute_targets(self) -> dict[str, ComputeTarget]:
        """The compute targets by name."""
        return compute.targets(self)

    @property
    def environments(self) -> dict[str, Environment]:
        """The latest version of each environment by name, curated ones included."""
        return environment.listed(self)

    @property
    def models(self) -> dict[str, Model]:
        """The latest version of each model by name."""
        return {model.name: model for model in Model.list(self, latest=True)}

    @property
    def datastores(self) -> dict[str, Datastore]:
        """The datastore of the workspace by name."""
        store = self.get_default_datastore()
        return {store.name: store}

    def get_default_datastore(self) -> Datastore:
        """The datastore that the workspace's files are in."""
        record = self._known()
        return Datastore(self, record.get("default_datastore") or None)

    def run(self, run_id: str) -> Run:
        """The run of that id in this workspace."""
        record = self.client.call("GET", f"/runs/{segment(run_id)}")
        if record["workspace"] != self.name:
            raise NotFoundError(f"The run {run_id} is not in the workspace {self.name}.")
        return Run(Experiment(self, record["experiment"]), record["id"], _record_of_server=record)

    def get_run(self, run_id: str) -> Run:
        """The run of that id in this workspace."""
        return self.run(run_id)

    def register_model(self, name: str, source: Mapping[str, str], **described: Any) -> Model:
        """A new version of the model `name` from a run's path or an upload; see `atelier.registry.register`."""
        return Model(self, _record_of_server=register(self.client, self.name, name, source, **described))

    def get_default_compute_target(self, type: str) -> ComputeTarget | None:
        """The first compute target for "CPU" or "GPU" work; None without one."""
        wanted = [one for one in self.compute_targets.values() if one.is_for(type)]
        return wanted[0] if wanted else None

    # ---- not here

    def set_default_datastore(self, name: str) -> None:
        """The default stays the workspace's own; another name is refused."""
        Datastore(self, name)

    @property
    def service_context(self) -> Any:
        """Refused: v1's private way to its services."""
        raise UnsupportedError(
            "Workspace.service_context belongs to Azure's services; use atelier.Client for REST calls."
        )

    @property
    def datasets(self) -> dict[str, Any]:
        """Refused: this server has no dataset registry."""
        raise UnsupportedError(
            "This server does not register datasets. Put data files into the source directory, or read them from a "
            "folder that every node sees (RunConfiguration.environment_variables can name it)."
        )

    @property
    def webservices(self) -> dict[str, Any]:
        """Empty: this server deploys no web services."""
        return {}

    def get_default_keyvault(self) -> Any:
        """Refused: this server keeps no secrets."""
        raise UnsupportedError("This server has no key vault. Pass secrets as environment variables of the run.")

    def get_mlflow_tracking_uri(self, with_auth: bool = False) -> str:
        """Refused: this server does not speak MLflow's protocol."""
        raise UnsupportedError(
            "This server does not answer MLflow clients. Log with azureml.core.Run: "
            "run = Run.get_context(); run.log('metric', value)."
        )

    def delete(self, delete_dependent_resources: bool = False, no_wait: bool = False) -> None:
        """Refused here: an administrator deletes a workspace on the admin pages, where everything in it is listed."""
        raise UnsupportedError(f"Delete the workspace {self.name} on {self.client.url}/admin/, as an administrator.")


def _client_of(auth: Any) -> Client:
    if isinstance(auth, Client):
        return auth
    if isinstance(auth, Authentication):
        return auth.client()
    if auth is not None:
        raise UserError(f"auth is one of azureml.core.authentication's classes, not a {type(auth).__name__}.")
    return config.default_client()


def _find_config(start: Path, file_name: str) -> Path:
    if start.is_file():
        return start
    if not start.exists():
        raise ConfigurationError(f"There is no {start} to read the workspace's configuration from.")
    folders: Iterable[Path] = (start.resolve(), *start.resolve().parents)
    for folder in folders:
        for place in CONFIG_PLACES:
            file = folder / place / file_name
            if file.is_file():
                return file
    raise ConfigurationError(
        f"We could not find {file_name} in {start.resolve()} or a folder above it. Create it with "
        '{"subscription_id": "…", "resource_group": "…", "workspace_name": "…"}, '
        "or use Workspace.get(name=…).write_config()."
    )


def _of_scope(scope: str) -> dict[str, str]:
    """{subscription_id, resource_group, workspace_name} of "/subscriptions/…/resourceGroups/…/…/workspaces/…"."""
    parts = scope.strip("/").split("/")
    found = {key: parts[i + 1] for i, key in enumerate(parts[:-1]) if key in SCOPE_KEYS}
    names = ("subscription_id", "resource_group", "workspace_name")
    return {name: found[key] for name, key in zip(names, SCOPE_KEYS, strict=True) if key in found}
