"""Clusters."""

from atelier.compute import Cluster as AmlCompute
from atelier.compute import ComputeStatus as AmlComputeStatus
from atelier.compute import ProvisioningConfiguration as AmlComputeProvisioningConfiguration
from atelier.compute import ScaleSettings

__all__ = ["AmlCompute", "AmlComputeProvisioningConfiguration", "AmlComputeStatus", "ScaleSettings"]
