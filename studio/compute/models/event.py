"""The timeline of a target: what scaled, when and why."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from studio.compute.models.target import ComputeTarget


class ScalingEvent(models.Model):
    """Append-only. `nodes` is how many the target had right after it."""

    target = models.ForeignKey(ComputeTarget, on_delete=models.CASCADE, related_name="events")
    at = models.DateTimeField(default=timezone.now)
    kind = models.CharField(max_length=30)
    nodes = models.PositiveIntegerField(default=0)
    node = models.CharField(max_length=100, default="", blank=True)
    run_id = models.CharField(max_length=256, default="", blank=True)
    message = models.TextField(default="", blank=True)

    class Meta:
        ordering = ["-at", "-id"]
        indexes = [models.Index(fields=["target", "-at"], name="events_of_a_target")]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.message}"
