"""The submitted folder, kept once whoever submits it how often."""

from __future__ import annotations

from django.db import models

from studio.workspace.models import Workspace


class Snapshot(models.Model):
    """`content_id` is the SHA-256 over the sorted listing: path, mode and content hash of each file."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="snapshots")
    content_id = models.CharField(max_length=64)
    # Where the zip lies in the content-addressed store.
    zip_sha256 = models.CharField(max_length=64)
    zip_size = models.BigIntegerField()
    size = models.BigIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "content_id"], name="a snapshot is kept once")]

    def __str__(self) -> str:
        return self.content_id[:12]


class SnapshotFile(models.Model):
    """A line of the listing. The listing is written once and whole, after a check that no path comes twice."""

    snapshot = models.ForeignKey(Snapshot, on_delete=models.CASCADE, related_name="files")
    path = models.TextField()
    size = models.BigIntegerField()
    sha256 = models.CharField(max_length=64)
    mode = models.CharField(max_length=6, default="644")

    def __str__(self) -> str:
        return self.path
