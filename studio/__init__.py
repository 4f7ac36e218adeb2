"""The site: settings, the workspace, environments, compute, and the door to Docker."""

__version__ = "0.1.0"
