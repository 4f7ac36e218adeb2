"""Clusters."""

from atelier.compute import Cluster as AmlCompute
from atelier.compute_status import ComputeStatus as AmlComputeStatus
from atelier.compute_status import ProvisioningConfiguration as AmlComputeProvisioningConfiguration
from atelier.compute_status import ScaleSettings

__all__ = ["AmlCompute", "AmlComputeProvisioningConfiguration", "AmlComputeStatus", "ScaleSettings"]
