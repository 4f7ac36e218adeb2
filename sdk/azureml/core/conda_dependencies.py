"""Conda specifications."""

from atelier.environment.conda import CHANNELS, CondaDependencies
from atelier.environment.conda import DEFAULT_SDK as DEFAULT_SDK_ORIGIN

__all__ = ["CHANNELS", "DEFAULT_SDK_ORIGIN", "CondaDependencies"]
