"""Instances."""

from atelier.compute import ComputeStatus as ComputeInstanceStatus
from atelier.compute import Instance as ComputeInstance
from atelier.compute import ProvisioningConfiguration as ComputeInstanceProvisioningConfiguration

__all__ = ["ComputeInstance", "ComputeInstanceProvisioningConfiguration", "ComputeInstanceStatus"]
