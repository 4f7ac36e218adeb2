"""The containers or processes of a run, and the ranks in them. A single job is a gang of one."""

from __future__ import annotations

from django.db import models

from runs.models.run import Run


class RunTask(models.Model):
    """One container or process: what the worker last saw of it. The truth is asked of the backend."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="tasks")
    # Counts up when a lost run is tried again; jobs of an earlier attempt are not mistaken for this one's.
    attempt = models.PositiveSmallIntegerField(default=0)
    index = models.PositiveSmallIntegerField(default=0)
    backend = models.CharField(max_length=20)
    node = models.CharField(max_length=255, default="", blank=True)
    engine = models.CharField(max_length=255, default="", blank=True)
    # All that starts it (image, limits, network …) but the token, so that any worker can start, look at and clean it.
    job = models.JSONField(default=dict)
    # What the backend saw of its end; kept because the container is removed before the run is final.
    seen = models.JSONField(default=dict)
    launched_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    # What the agent reported of the script; the backend's own exit code is the container's.
    exit_code = models.IntegerField(null=True, blank=True)
    signal = models.CharField(max_length=20, default="", blank=True)
    error_type = models.CharField(max_length=255, default="", blank=True)
    error_message = models.TextField(default="", blank=True)
    error_traceback = models.TextField(default="", blank=True)
    reported_at = models.DateTimeField(null=True, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "attempt", "index"], name="a run's task is one job")]

    def __str__(self) -> str:
        return f"{self.run_id}[{self.index}]"


class RunRank(models.Model):
    """A process of a distributed run, for the rank timeline."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="ranks")
    attempt = models.PositiveSmallIntegerField(default=0)
    rank = models.PositiveIntegerField()
    local_rank = models.PositiveIntegerField(default=0)
    node = models.CharField(max_length=255, default="", blank=True)
    role = models.CharField(max_length=20, default="", blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    exit_code = models.IntegerField(null=True, blank=True)
    signal = models.CharField(max_length=20, default="", blank=True)
    error_type = models.CharField(max_length=255, default="", blank=True)
    error_message = models.TextField(default="", blank=True)
    error_traceback = models.TextField(default="", blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "attempt", "rank"], name="a run's rank is one process")]

    def __str__(self) -> str:
        return f"{self.run_id} rank {self.rank}"
