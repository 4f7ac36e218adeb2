"""A run in front of a target or on it: what it asked for, and where it stands."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from studio.compute.models.target import ComputeTarget
from studio.compute.planner import Ask


class Placement(models.Model):
    """One row a run from its first question to its release. `placed_at` is set when it got its nodes."""

    run_id = models.CharField(max_length=256, unique=True)
    label = models.CharField(max_length=300, default="", blank=True)
    target = models.ForeignKey(ComputeTarget, on_delete=models.PROTECT, related_name="placements")
    nodes = models.PositiveIntegerField(default=1)
    gpus = models.PositiveIntegerField(default=0)
    priority = models.IntegerField(default=0)
    asked_at = models.DateTimeField(default=timezone.now)
    placed_at = models.DateTimeField(null=True, blank=True)
    position = models.PositiveIntegerField(default=0)
    reason = models.TextField(default="", blank=True)

    class Meta:
        ordering = ["-priority", "asked_at", "run_id"]
        indexes = [models.Index(fields=["target", "placed_at"], name="placements_waiting")]

    def __str__(self) -> str:
        return self.run_id

    @property
    def ask(self) -> Ask:
        """The row as the planner sees it."""
        return Ask(self.run_id, self.nodes, self.priority, self.asked_at)
