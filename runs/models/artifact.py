"""A file that a run keeps. Its content lies in the content-addressed store under its SHA-256."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from runs.models.run import Run


class Artifact(models.Model):
    """A path of the run and what it holds."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="artifacts")
    path = models.TextField()
    size = models.BigIntegerField()
    sha256 = models.CharField(max_length=64, db_index=True)
    content_type = models.CharField(max_length=255, default="application/octet-stream")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "path"], name="a run's path is one artifact")]

    def __str__(self) -> str:
        return self.path
