"""A run, live in a notebook."""

from atelier.widgets import RunDetails

__all__ = ["RunDetails"]
