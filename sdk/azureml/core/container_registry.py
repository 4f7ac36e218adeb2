"""Where base images are kept."""

from atelier.environment import ContainerRegistry

__all__ = ["ContainerRegistry"]
