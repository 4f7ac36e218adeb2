"""What to run where."""

from atelier.runconfig import ScriptRunConfig

__all__ = ["ScriptRunConfig"]
