"""A build: the making of one image or virtual environment, with its log and the lease of the worker that does it."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from studio.workspace.models import Workspace


class State(models.TextChoices):
    """QUEUED waits for a worker; BUILDING is held by one as long as its lease runs."""

    QUEUED = "Queued"
    BUILDING = "Building"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    CANCELED = "Canceled"


ACTIVE = (State.QUEUED, State.BUILDING)


class Build(models.Model):
    """One build per key, backend and engine at a time: the constraint decides who of two is first."""

    key = models.CharField(max_length=64)
    backend = models.CharField(max_length=10, choices=[("process", "Process"), ("docker", "Docker")])
    engine = models.CharField(max_length=255, default="", blank=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    workspace = models.ForeignKey(Workspace, null=True, on_delete=models.SET_NULL, related_name="builds")
    environment = models.CharField(max_length=255, default="", blank=True)
    version = models.CharField(max_length=64, default="", blank=True)
    definition = models.JSONField()
    # The run that asked first; the registry of runs lies above this app.
    run_id = models.CharField(max_length=256, default="", blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    # Who builds, until when he must have said so again, and the how manieth try it is.
    holder = models.CharField(max_length=64, default="", blank=True)
    leased_until = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    # What came of it: where the image was found or that it was built, its name, or the sentence of the failure.
    source = models.CharField(max_length=40, default="", blank=True)
    image = models.CharField(max_length=255, default="", blank=True)
    message = models.TextField(default="", blank=True)
    # What a fresh resolution would change against the recorded lock, as a diff; empty when nothing.
    drift = models.TextField(default="", blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["key", "backend", "engine"],
                condition=models.Q(state__in=[State.QUEUED, State.BUILDING]),
                name="one build per image at a time",
            ),
            models.CheckConstraint(condition=models.Q(state__in=State.values), name="a build's state is a known one"),
            models.CheckConstraint(
                condition=models.Q(ended_at__isnull=True) | ~models.Q(state__in=[State.QUEUED, State.BUILDING]),
                name="only an ended build has an end",
            ),
        ]
        indexes = [
            models.Index(fields=["workspace", "-created_at"], name="builds_of_a_workspace"),
            models.Index(fields=["key"], name="builds_by_key"),
        ]

    def __str__(self) -> str:
        return f"build {self.pk} of {self.environment or self.key[:12]}"

    @property
    def is_active(self) -> bool:
        """Whether it waits or works."""
        return self.state in ACTIVE


class BuildLog(models.Model):
    """A piece of a build's log, at its offset in bytes; merged into one when the build ends."""

    build = models.ForeignKey(Build, on_delete=models.CASCADE, related_name="log_pieces")
    offset = models.BigIntegerField()
    data = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["build", "offset"], name="a piece of a build log is written once")
        ]

    def __str__(self) -> str:
        return f"{self.build_id}@{self.offset}"
