"""What builds left: images and virtual environments, the package locks they were made from, and the runs that used them."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from studio.environments.models.build import Build
from studio.workspace.models import Workspace


class Lock(models.Model):
    """The packages that a Python specification resolved to, the first time. A later build installs the same.

    `pip` is a requirements file of exact versions, `conda` a rattler lock file; both may be empty.
    """

    packages_key = models.CharField(max_length=64)
    python = models.CharField(max_length=20)
    platform = models.CharField(max_length=40)
    pip = models.TextField(default="", blank=True)
    conda = models.TextField(default="", blank=True)
    made_at = models.DateTimeField(default=timezone.now)
    build = models.ForeignKey(Build, null=True, on_delete=models.SET_NULL, related_name="+")
    # A newer resolution that somebody asked for replaces this one; what was built from it keeps pointing here.
    replaced_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["packages_key", "python", "platform"],
                condition=models.Q(replaced_at__isnull=True),
                name="one lock in force per specification and Python",
            )
        ]

    def __str__(self) -> str:
        return f"lock {self.pk} of {self.packages_key[:12]} for Python {self.python}"


class Image(models.Model):
    """An image on an engine or a virtual environment on this host. A record: whether it is still there, the engine says."""

    key = models.CharField(max_length=64)
    backend = models.CharField(max_length=10)
    engine = models.CharField(max_length=255, default="", blank=True)
    name = models.CharField(max_length=255)
    digest = models.CharField(max_length=100, default="", blank=True)
    size = models.BigIntegerField(default=0)
    python = models.CharField(max_length=20, default="", blank=True)
    base_image = models.CharField(max_length=255, default="", blank=True)
    base_digest = models.CharField(max_length=200, default="", blank=True)
    source = models.CharField(max_length=40, default="", blank=True)
    build = models.ForeignKey(Build, null=True, on_delete=models.SET_NULL, related_name="images")
    lock = models.ForeignKey(Lock, null=True, on_delete=models.PROTECT, related_name="images")
    created_at = models.DateTimeField(default=timezone.now)
    used_at = models.DateTimeField(default=timezone.now)
    # Pruned, or gone from the engine; the record says what it was.
    removed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["backend", "engine", "name"], name="an image's name is its engine's own")
        ]
        indexes = [models.Index(fields=["key"], name="images_by_key")]

    def __str__(self) -> str:
        return self.name


class Use(models.Model):
    """A run's environment: what it asked for and what it got, or the build that it waits for."""

    run_id = models.CharField(max_length=256, unique=True)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="environment_uses")
    environment = models.CharField(max_length=255, default="", blank=True)
    version = models.CharField(max_length=64, default="", blank=True)
    key = models.CharField(max_length=64, db_index=True)
    backend = models.CharField(max_length=10)
    image = models.ForeignKey(Image, null=True, on_delete=models.SET_NULL, related_name="uses")
    build = models.ForeignKey(Build, null=True, on_delete=models.SET_NULL, related_name="uses")
    waiting = models.BooleanField(default=True)
    asked_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["workspace", "-asked_at"], name="uses_of_a_workspace")]

    def __str__(self) -> str:
        return f"{self.run_id} uses {self.key[:12]}"
