"""Workspaces."""

from atelier.workspace import Workspace

__all__ = ["Workspace"]
