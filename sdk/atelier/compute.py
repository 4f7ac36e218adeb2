"""Compute targets: clusters and instances, created, watched and deleted."""

from __future__ import annotations

import builtins
import re
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from atelier.client import segment
from atelier.compute_status import ComputeStatus, ProvisioningConfiguration, ScaleSettings
from atelier.errors import ComputeTargetError, NotFoundError, UnsupportedError, UserError

if TYPE_CHECKING:
    from atelier.workspace import Workspace

CLUSTER, INSTANCE, LOCAL = "AmlCompute", "ComputeInstance", "local"
POLL = 0.5


class ComputeTarget:
    """The compute target `name`: a cluster, an instance or `local`; raises `ComputeTargetError` when there is none."""

    _kind = "ComputeTarget"

    def __new__(cls, workspace: Workspace, name: str, **kwargs: Any) -> ComputeTarget:
        record = kwargs.get("_record_of_server") or _fetch(workspace, name)
        kind = KINDS.get(record["type"], ComputeTarget)
        if not issubclass(kind, cls):
            raise ComputeTargetError(f"The compute target {name} is of the type {record['type']}, not {cls._kind}.")
        made = object.__new__(kind)
        made._fetched = record
        return made

    def __init__(self, workspace: Workspace, name: str, **kwargs: Any) -> None:
        self.workspace = workspace
        self.name = name
        self._record: dict[str, Any] = self._fetched

    _fetched: dict[str, Any]

    def __getnewargs_ex__(self) -> tuple[tuple[Any, str], dict[str, Any]]:
        return (self.workspace, self.name), {"_record_of_server": self._record}

    def __repr__(self) -> str:
        return f"{type(self).__name__}(workspace={self.workspace!r}, name={self.name})"

    def _address(self, tail: str = "") -> str:
        return f"/workspaces/{segment(self.workspace.name)}/computes/{segment(self.name)}{tail}"

    @staticmethod
    def create(workspace: Workspace, name: str, provisioning_configuration: ProvisioningConfiguration) -> ComputeTarget:
        """Create a target, or get the one of that name and kind that is there."""
        if not isinstance(provisioning_configuration, ProvisioningConfiguration):
            raise ComputeTargetError(
                "provisioning_configuration is made by AmlCompute.provisioning_configuration(vm_size=…, max_nodes=…)."
            )
        body = {"name": name, "type": provisioning_configuration.kind, **provisioning_configuration.wanted}
        address = f"/workspaces/{segment(workspace.name)}/computes"
        try:
            record = workspace.client.call("POST", address, json_body=body, repeatable=True)
        except UserError as error:
            raise ComputeTargetError(error.message, error) from error
        return ComputeTarget(workspace, name, _record_of_server=record)

    @staticmethod
    def list(workspace: Workspace) -> builtins.list[ComputeTarget]:
        """All targets of the workspace, `local` included."""
        return [*targets(workspace).values()]

    @staticmethod
    def attach(workspace: Workspace, name: str, attach_configuration: Any) -> ComputeTarget:
        """Refused: machines join the server as engines, not one by one from a script."""
        raise UnsupportedError(
            f"{name} cannot be attached from here: an administrator adds a machine's Docker engine to the server, and "
            "clusters (AmlCompute) then use it."
        )

    @property
    def type(self) -> str:
        """AmlCompute, ComputeInstance or local."""
        return self._record["type"]

    @property
    def provisioning_state(self) -> str:
        """Creating, Succeeded, Failed or Deleting, when last read."""
        return self._record["provisioning_state"]

    @property
    def provisioning_errors(self) -> builtins.list[dict[str, Any]]:
        """What went wrong, when last read; empty when nothing did."""
        return [*(self._record.get("errors") or [])]

    @property
    def vm_size(self) -> str | None:
        """The size of a node."""
        return self._record.get("vm_size")

    @property
    def description(self) -> str:
        """What it is for."""
        return self._record.get("description") or ""

    @property
    def tags(self) -> dict[str, Any]:
        """The target's tags."""
        return dict(self._record.get("tags") or {})

    @property
    def location(self) -> str | None:
        """The workspace's location."""
        return self.workspace.location

    @property
    def cluster_resource_id(self) -> str:
        """The path of the target in the workspace."""
        workspace = self.workspace.get_details()["id"]
        return f"{workspace}/computes/{self.name}"

    def is_for(self, kind: str) -> bool:
        """Whether its nodes have ("GPU") or lack ("CPU") GPUs, by the name of the size."""
        has_gpu = bool(re.search(r"_N[CDV]", (self.vm_size or "").upper()))
        return has_gpu == (kind.upper() == "GPU")

    def refresh_state(self) -> None:
        """Read the target again."""
        self._record = _fetch(self.workspace, self.name)

    def get(self) -> dict[str, Any]:
        """The target as the server describes it now."""
        self.refresh_state()
        return dict(self._record)

    def get_status(self) -> Any:
        """The target's state now."""
        self.refresh_state()
        return ComputeStatus(self._record)

    @property
    def status(self) -> Any:
        """The target's state when last read."""
        return ComputeStatus(self._record)

    def serialize(self) -> dict[str, Any]:
        """As a dictionary with v1's keys."""
        return {
            "name": self.name,
            "computeType": self.type,
            "provisioningState": self.provisioning_state,
            "provisioningErrors": self.provisioning_errors or None,
            "description": self.description,
            "tags": self.tags,
            "properties": self.get_status().serialize(),
        }

    def wait_for_completion(
        self,
        show_output: bool = False,
        min_node_count: int | None = None,
        timeout_in_minutes: float = 25,
        is_delete_operation: bool = False,
    ) -> None:
        """Wait until the target is provisioned (and has `min_node_count` nodes), or gone when it is being deleted.

        Ends without an error after `timeout_in_minutes`; raises `ComputeTargetError` when provisioning failed.
        """
        deadline = time.monotonic() + timeout_in_minutes * 60
        shown = ""
        while True:
            try:
                self.refresh_state()
            except ComputeTargetError:
                if is_delete_operation:
                    _say(show_output, f"{self.type} {self.name} is gone.")
                    return
                raise
            status = ComputeStatus(self._record)
            word = f"{status.provisioning_state}" + (f" ({status.current_node_count} nodes)" if min_node_count else "")
            if word != shown:
                _say(show_output, word)
                shown = word
            if status.provisioning_state == "Failed":
                reasons = "; ".join(str(one.get("message")) for one in status.errors) or "the server gives no reason"
                raise ComputeTargetError(f"{self.name} could not be provisioned: {reasons}.")
            if not is_delete_operation and self._is_ready(status, min_node_count or 0):
                _say(show_output, self._ready_words(min_node_count))
                return
            if time.monotonic() > deadline:
                _say(show_output, f"{self.type} wait for completion finished: wait timeout has been reached.")
                return
            time.sleep(POLL)

    def _is_ready(self, status: ComputeStatus, least: int) -> bool:
        up = status.node_state_counts.get("idle", 0) + status.node_state_counts.get("running", 0)
        return status.provisioning_state == "Succeeded" and up >= min(least, status.scale_settings.minimum_node_count)

    def _ready_words(self, least: int | None) -> str:
        return f"{self.type} wait for completion finished\n\nMinimum number of nodes requested have been provisioned"

    def delete(self) -> None:
        """Delete the target: its nodes go, runs on it end."""
        try:
            self.workspace.client.call("DELETE", self._address())
        except UserError as error:
            raise ComputeTargetError(error.message, error) from error

    def detach(self) -> None:
        """Refused: nothing was attached."""
        raise UnsupportedError(f"{self.name} was created, not attached; delete() removes it.")


class Cluster(ComputeTarget):
    """A cluster whose nodes come and go with the work."""

    _kind = CLUSTER

    @staticmethod
    def provisioning_configuration(
        vm_size: str = "",
        vm_priority: str = "dedicated",
        min_nodes: int = 0,
        max_nodes: int | None = None,
        idle_seconds_before_scaledown: int | None = None,
        admin_username: str | None = None,
        admin_user_password: str | None = None,
        admin_user_ssh_key: str | None = None,
        vnet_resourcegroup_name: str | None = None,
        vnet_name: str | None = None,
        subnet_name: str | None = None,
        tags: Mapping[str, str] | None = None,
        description: str | None = None,
        remote_login_port_public_access: str = "NotSpecified",
        identity_type: str | None = None,
        identity_id: builtins.list[str] | None = None,
        location: str | None = None,
        enable_node_public_ip: bool | None = None,
    ) -> ProvisioningConfiguration:
        """What a cluster is to be. `max_nodes` defaults to at least one. Networks, identities and logins of Azure are
        accepted; nodes here are containers of this server, which have none."""
        return ProvisioningConfiguration(
            CLUSTER,
            vm_size=vm_size or None,
            vm_priority=vm_priority,
            min_nodes=min_nodes,
            max_nodes=max_nodes if max_nodes is not None else max(1, min_nodes),
            idle_seconds_before_scaledown=idle_seconds_before_scaledown,
            tags=dict(tags) if tags else None,
            description=description,
        )

    @property
    def scale_settings(self) -> ScaleSettings:
        """How far it scales."""
        return ScaleSettings(self._record.get("scale_settings") or {})

    def update(
        self,
        min_nodes: int | None = None,
        max_nodes: int | None = None,
        idle_seconds_before_scaledown: int | None = None,
    ) -> None:
        """Change how far it scales; None leaves a value as it is."""
        given = {
            "min_nodes": min_nodes,
            "max_nodes": max_nodes,
            "idle_seconds_before_scaledown": idle_seconds_before_scaledown,
        }
        body = {key: value for key, value in given.items() if value is not None}
        try:
            self._record = self.workspace.client.call("PATCH", self._address(), json_body=body)
        except UserError as error:
            raise ComputeTargetError(error.message, error) from error

    def list_nodes(self) -> builtins.list[dict[str, Any]]:
        """The nodes there are now: nodeId, name, nodeState, runId …"""
        items = self.workspace.client.call("GET", self._address("/nodes"))["items"]
        return [
            {"nodeId": node["node_id"], "nodeState": node["state"], "runId": node.get("run_id"), **node}
            for node in items
        ]

    @staticmethod
    def supported_vmsizes(workspace: Workspace, location: str | None = None) -> builtins.list[dict[str, Any]]:
        """The sizes that a node can have: name, vCPUs, gpus, memoryGB, maxResourceVolumeMB."""
        return [
            {
                "name": size["name"],
                "vCPUs": size["cpus"],
                "gpus": size["gpus"],
                "memoryGB": size["memory_gib"],
                "maxResourceVolumeMB": int((size.get("disk_gib") or 0) * 1024),
            }
            for size in workspace.client.call("GET", "/vm-sizes")["items"]
        ]


class Instance(ComputeTarget):
    """One node that is always on."""

    _kind = INSTANCE

    @staticmethod
    def provisioning_configuration(
        vm_size: str = "",
        ssh_public_access: bool = False,
        admin_user_ssh_public_key: str | None = None,
        vnet_resourcegroup_name: str | None = None,
        vnet_name: str | None = None,
        subnet_name: str | None = None,
        tags: Mapping[str, str] | None = None,
        description: str | None = None,
        assigned_user_object_id: str | None = None,
        **kwargs: Any,
    ) -> ProvisioningConfiguration:
        """What an instance is to be; networks and logins of Azure are accepted and set nothing here."""
        return ProvisioningConfiguration(
            INSTANCE, vm_size=vm_size or None, tags=dict(tags) if tags else None, description=description
        )

    def _is_ready(self, status: ComputeStatus, least: int) -> bool:
        return status.provisioning_state == "Succeeded" and status.state == "Running"

    def _ready_words(self, least: int | None) -> str:
        return "Running"

    def _always_on(self, what: str) -> UnsupportedError:
        return UnsupportedError(
            f"{self.name} cannot be {what}: an instance is always on here. delete() frees its node."
        )

    def start(self, wait_for_completion: bool = False, show_output: bool = False) -> None:
        """Refused: an instance is always on."""
        raise self._always_on("started")

    def stop(self, wait_for_completion: bool = False, show_output: bool = False) -> None:
        """Refused: an instance is always on."""
        raise self._always_on("stopped")

    def restart(self, wait_for_completion: bool = False, show_output: bool = False) -> None:
        """Refused: an instance is always on."""
        raise self._always_on("restarted")


class Local(ComputeTarget):
    """The machine that the server's worker runs on."""

    _kind = LOCAL


KINDS: dict[str, type[ComputeTarget]] = {CLUSTER: Cluster, INSTANCE: Instance, LOCAL: Local}


def targets(workspace: Workspace) -> dict[str, ComputeTarget]:
    """The workspace's targets by name."""
    records = workspace.client.pages(f"/workspaces/{segment(workspace.name)}/computes")
    return {one["name"]: ComputeTarget(workspace, one["name"], _record_of_server=one) for one in records}


def _fetch(workspace: Workspace, name: str) -> dict[str, Any]:
    if not isinstance(name, str) or not name:
        raise ComputeTargetError(f"A compute target needs a name that is text, not {name!r}.")
    try:
        return workspace.client.call("GET", f"/workspaces/{segment(workspace.name)}/computes/{segment(name)}")
    except NotFoundError as error:
        raise ComputeTargetError(
            f"ComputeTargetNotFound: Compute Target with name {name} not found in provided workspace", error
        ) from error


def _say(show: bool, words: str) -> None:
    if show:
        print(words, flush=True, file=sys.stdout)
