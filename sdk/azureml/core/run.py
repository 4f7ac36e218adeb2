"""Runs."""

from atelier.run.context import get_context as get_run
from atelier.run.offline import OfflineRun as _OfflineRun
from atelier.run.run import Run
from atelier.run.run import Run as _SubmittedRun

__all__ = ["Run", "_OfflineRun", "_SubmittedRun", "get_run"]
