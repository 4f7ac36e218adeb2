"""The tables of environments: what people registered, and what was built from it."""

from studio.environments.models.build import ACTIVE, Build, BuildLog, State
from studio.environments.models.environment import Credential, Environment, EnvironmentVersion
from studio.environments.models.image import Image, Lock, Use

__all__ = [
    "ACTIVE",
    "Build",
    "BuildLog",
    "Credential",
    "Environment",
    "EnvironmentVersion",
    "Image",
    "Lock",
    "State",
    "Use",
]
