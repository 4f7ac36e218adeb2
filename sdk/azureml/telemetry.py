"""Telemetry: none is collected, so there is nothing to switch."""

from atelier.widgets import set_diagnostics_collection

__all__ = ["set_diagnostics_collection"]
