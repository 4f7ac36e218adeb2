"""Files that people keep with a workspace: its default datastore. Contents lie in the content-addressed store."""

from __future__ import annotations

import hashlib

from django.db import models

from studio.workspace.models.workspace import Workspace


class StoredFile(models.Model):
    """A path of the datastore and what it holds."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="stored_files", db_index=False)
    path = models.TextField()
    # The MD5 of the path: an index entry of PostgreSQL has at most 2,700 bytes, a path up to 20,000.
    path_key = models.CharField(max_length=32, editable=False)
    size = models.BigIntegerField()
    sha256 = models.CharField(max_length=64, db_index=True)
    created_by = models.CharField(max_length=150)
    created_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "path_key"], name="a datastore's path is one file")]

    def __str__(self) -> str:
        return self.path

    @staticmethod
    def key_of(path: str) -> str:
        """What `path_key` holds for a path."""
        return hashlib.md5(path.encode(), usedforsecurity=False).hexdigest()
