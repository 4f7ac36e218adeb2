"""What a deployed model would need; accepted when a model is registered."""

from atelier.registry import ResourceConfiguration

__all__ = ["ResourceConfiguration"]
