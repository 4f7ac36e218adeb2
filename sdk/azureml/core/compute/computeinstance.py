"""Instances."""

from atelier.compute import Instance as ComputeInstance
from atelier.compute_status import ComputeStatus as ComputeInstanceStatus
from atelier.compute_status import ProvisioningConfiguration as ComputeInstanceProvisioningConfiguration

__all__ = ["ComputeInstance", "ComputeInstanceProvisioningConfiguration", "ComputeInstanceStatus"]
