"""Logs while they grow: chunks by offset; when the run has ended, one artifact."""

from __future__ import annotations

from django.db import models

from runs.models.run import Run


class Log(models.Model):
    """A growing file. `size` is where the next chunk starts; a chunk that comes twice changes nothing."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="logs", db_index=False)
    path = models.CharField(max_length=600)
    size = models.BigIntegerField(default=0)
    # Where the log of this attempt begins: a job that is tried again counts from nought, and what was there stays.
    base = models.BigIntegerField(default=0)
    # Set when it was closed into an artifact of the same path and its chunks were removed.
    complete = models.BooleanField(default=False)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "path"], name="a run's log path is one log")]

    def __str__(self) -> str:
        return self.path


class LogChunk(models.Model):
    """Bytes from `offset` on."""

    log = models.ForeignKey(Log, on_delete=models.CASCADE, related_name="chunks", db_index=False)
    offset = models.BigIntegerField()
    data = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["log", "offset"], name="a log's offset is written once")]

    def __str__(self) -> str:
        return f"{self.log_id}@{self.offset}"
