"""Runs: logging, files, record, and the ways to get one."""

from atelier.run.offline import OfflineRun
from atelier.run.run import Run

__all__ = ["OfflineRun", "Run"]
