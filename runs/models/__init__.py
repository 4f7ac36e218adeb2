"""One model a file; this is the list."""

from runs.models.artifact import Artifact
from runs.models.event import RunEvent
from runs.models.experiment import Experiment, ExperimentTag
from runs.models.log import Log, LogChunk
from runs.models.metric import MetricBatch, MetricChunk, MetricSeries
from runs.models.run import Run
from runs.models.snapshot import Snapshot, SnapshotFile
from runs.models.tag import RunProperty, RunTag
from runs.models.task import RunRank, RunTask

__all__ = [
    "Artifact",
    "Experiment",
    "ExperimentTag",
    "Log",
    "LogChunk",
    "MetricBatch",
    "MetricChunk",
    "MetricSeries",
    "Run",
    "RunEvent",
    "RunProperty",
    "RunRank",
    "RunTag",
    "RunTask",
    "Snapshot",
    "SnapshotFile",
]
