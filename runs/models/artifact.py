"""A file that a run keeps. Its content lies in the content-addressed store under its SHA-256."""

from __future__ import annotations

import hashlib
from typing import Any

from django.db import models
from django.utils import timezone

from runs.models.run import Run


class Artifact(models.Model):
    """A path of the run and what it holds."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="artifacts", db_index=False)
    path = models.TextField()
    # The MD5 of the path: an index entry of PostgreSQL has at most 2,700 bytes, a path up to 20,000.
    path_key = models.CharField(max_length=32, default="", editable=False)
    size = models.BigIntegerField()
    sha256 = models.CharField(max_length=64)
    content_type = models.CharField(max_length=255, default="application/octet-stream")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "path_key"], name="a run's path is one artifact")]
        indexes = [models.Index(fields=["sha256"], name="artifacts_by_content")]

    def __str__(self) -> str:
        return self.path

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Keep the key in step with the path."""
        self.path_key = self.key_of(self.path)
        super().save(*args, **kwargs)

    @staticmethod
    def key_of(path: str) -> str:
        """What `path_key` holds for a path."""
        return hashlib.md5(path.encode(), usedforsecurity=False).hexdigest()
