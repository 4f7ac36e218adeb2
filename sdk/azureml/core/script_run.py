"""Runs of a script; they are ordinary runs."""

from atelier.run.run import Run as ScriptRun

__all__ = ["ScriptRun"]
