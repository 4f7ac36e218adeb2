"""What happened to a run's state, append-only."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from runs.models.run import Run


class RunEvent(models.Model):
    """One move. Rows are never changed or deleted while the run is there."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="events", db_index=False)
    state = models.CharField(max_length=20)
    at = models.DateTimeField(default=timezone.now)
    reason = models.TextField(default="", blank=True)

    class Meta:
        indexes = [models.Index(fields=["run", "id"], name="events_of_a_run")]
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.run_id}: {self.state}"
