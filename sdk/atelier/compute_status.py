"""What a compute target is to be, and the state it is in; plain holders with v1's dictionary keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class ProvisioningConfiguration:
    """What a compute target is to be; made by the classes' `provisioning_configuration`."""

    def __init__(self, kind: str, **wanted: Any) -> None:
        self.kind = kind
        self.wanted = {key: value for key, value in wanted.items() if value is not None}
        for key, value in wanted.items():
            setattr(self, key, value)


class ScaleSettings:
    """How far a cluster scales: nodes at least and at most, seconds an idle node stays."""

    def __init__(self, record: Mapping[str, Any]) -> None:
        self.minimum_node_count: int = record.get("min_node_count") or 0
        self.maximum_node_count: int = record.get("max_node_count") or 0
        self.idle_seconds_before_scaledown: int = record.get("idle_seconds") or 0

    def serialize(self) -> dict[str, Any]:
        """As a dictionary with v1's keys."""
        return {
            "minNodeCount": self.minimum_node_count,
            "maxNodeCount": self.maximum_node_count,
            "nodeIdleTimeBeforeScaleDown": f"PT{self.idle_seconds_before_scaledown}S",
        }


class ComputeStatus:
    """A cluster's state at one moment."""

    def __init__(self, record: Mapping[str, Any]) -> None:
        self.name: str = record["name"]
        self.errors: list[dict[str, Any]] = list(record.get("errors") or [])
        self.creation_time: str | None = record.get("creation_time")
        self.modified_time: str | None = record.get("modified_time")
        self.provisioning_state: str = record["provisioning_state"]
        self.provisioning_state_transition_time: str | None = record.get("creation_time")
        self.scale_settings = ScaleSettings(record.get("scale_settings") or {})
        self.vm_priority: str = record.get("vm_priority") or "dedicated"
        self.vm_size: str | None = record.get("vm_size")
        self.current_node_count: int = record.get("current_node_count") or 0
        self.target_node_count: int = record.get("target_node_count") or 0
        self.node_state_counts: dict[str, int] = dict(record.get("node_state_counts") or {})
        self.allocation_state: str | None = record.get("allocation_state")
        self.allocation_state_transition_time: str | None = record.get("allocation_state_transition_time")
        self.state: str | None = record.get("state")

    def serialize(self) -> dict[str, Any]:
        """As a dictionary with v1's keys."""
        return {
            "errors": self.errors,
            "creationTime": self.creation_time,
            "createdBy": None,
            "modifiedTime": self.modified_time,
            "provisioningState": self.provisioning_state,
            "provisioningStateTransitionTime": self.provisioning_state_transition_time,
            "scaleSettings": self.scale_settings.serialize(),
            "vmPriority": self.vm_priority.capitalize(),
            "vmSize": self.vm_size,
            "currentNodeCount": self.current_node_count,
            "targetNodeCount": self.target_node_count,
            "nodeStateCounts": {f"{state}NodeCount": count for state, count in self.node_state_counts.items()},
            "allocationState": self.allocation_state,
            "allocationStateTransitionTime": self.allocation_state_transition_time,
        }
