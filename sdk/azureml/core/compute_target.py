"""The base of compute targets and their error."""

from atelier.compute import ComputeTarget
from atelier.compute import Local as LocalTarget
from atelier.errors import ComputeTargetError as ComputeTargetException

__all__ = ["ComputeTarget", "ComputeTargetException", "LocalTarget"]
