"""One model a file; this is the list."""

from runs.models.artifact import Artifact
from runs.models.event import RunEvent
from runs.models.experiment import Experiment, ExperimentTag
from runs.models.insight import (
    Cohort,
    DashboardModel,
    Explanation,
    FairnessDashboard,
    Mitigation,
    ScoringRequest,
    ScoringSession,
)
from runs.models.log import Log, LogChunk
from runs.models.metric import MetricBatch, MetricChunk, MetricSeries
from runs.models.run import Run
from runs.models.snapshot import Snapshot, SnapshotFile
from runs.models.tag import RunProperty, RunTag
from runs.models.task import RunRank, RunTask

__all__ = [
    "Artifact",
    "Cohort",
    "DashboardModel",
    "Experiment",
    "ExperimentTag",
    "Explanation",
    "FairnessDashboard",
    "Log",
    "LogChunk",
    "MetricBatch",
    "MetricChunk",
    "MetricSeries",
    "Mitigation",
    "Run",
    "RunEvent",
    "RunProperty",
    "RunRank",
    "RunTag",
    "RunTask",
    "ScoringRequest",
    "ScoringSession",
    "Snapshot",
    "SnapshotFile",
]
