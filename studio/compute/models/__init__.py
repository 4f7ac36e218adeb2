"""Compute's tables, one file each."""

from studio.compute.models.engine import Engine
from studio.compute.models.event import ScalingEvent
from studio.compute.models.node import Node
from studio.compute.models.placement import Placement
from studio.compute.models.size import VmSize
from studio.compute.models.target import ComputeTarget
from studio.compute.models.usage import UsageSample

__all__ = ["ComputeTarget", "Engine", "Node", "Placement", "ScalingEvent", "UsageSample", "VmSize"]
