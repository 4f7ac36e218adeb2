"""What a job on a node used, sampled."""

from __future__ import annotations

from django.db import models


class UsageSample(models.Model):
    """One look at one job of a run. Counters (network, disk) count up from the job's start, in bytes.

    `cpu_percent`: 100 is one whole core. GPU columns are null where there is no GPU.
    """

    run_id = models.CharField(max_length=256)
    node = models.CharField(max_length=255, default="", blank=True)
    # Kept beside the target's id, as a target may be gone while its runs stay: the wall between workspaces holds.
    workspace_id = models.BigIntegerField()
    target_id = models.BigIntegerField(null=True, blank=True)
    at = models.DateTimeField()
    cpu_percent = models.FloatField(default=0)
    memory_bytes = models.BigIntegerField(default=0)
    memory_limit = models.BigIntegerField(default=0)
    disk_read = models.BigIntegerField(default=0)
    disk_written = models.BigIntegerField(default=0)
    network_received = models.BigIntegerField(default=0)
    network_sent = models.BigIntegerField(default=0)
    gpu_percent = models.FloatField(null=True, blank=True)
    gpu_memory_bytes = models.BigIntegerField(null=True, blank=True)

    class Meta:
        ordering = ["at", "id"]
        indexes = [
            models.Index(fields=["run_id", "at"], name="usage_of_a_run"),
            models.Index(fields=["target_id", "at"], name="usage_of_a_target"),
            models.Index(fields=["at"], name="usage_by_age"),
        ]

    def __str__(self) -> str:
        return f"{self.run_id} {self.at:%H:%M:%S}"
