"""The model registry: a name, its versions, their files."""

from __future__ import annotations

from django.db import models

from studio.workspace.models.workspace import Workspace


class Model(models.Model):
    """A registered name. The next version's number is kept here, so that two registrations can't take the same."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="models")
    name = models.CharField(max_length=255)
    last_version = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "name"], name="a model's name is its workspace's own")
        ]

    def __str__(self) -> str:
        return self.name


class ModelVersion(models.Model):
    """What was registered: files, where they came from, what people say of it."""

    model = models.ForeignKey(Model, on_delete=models.CASCADE, related_name="versions")
    version = models.PositiveIntegerField()
    description = models.TextField(default="", blank=True)
    tags = models.JSONField(default=dict, blank=True)
    properties = models.JSONField(default=dict, blank=True)
    framework = models.CharField(max_length=100, default="", blank=True)
    framework_version = models.CharField(max_length=100, default="", blank=True)
    # The registry knows no runs (they lie above it); a run is named by its id.
    run_id = models.CharField(max_length=256, default="", blank=True, db_index=True)
    experiment = models.CharField(max_length=256, default="", blank=True)
    # The environment the run had, so that a worker can score the model where it was trained.
    environment = models.JSONField(null=True, blank=True)
    # What it was made with, as v1 had it: [{"scenario", "name"}], and a sample of its input.
    datasets = models.JSONField(default=list, blank=True)
    sample_input = models.JSONField(null=True, blank=True)
    is_folder = models.BooleanField(default=False)
    size = models.BigIntegerField(default=0)
    created_by = models.CharField(max_length=150, default="", blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["model", "version"], name="a model's version is registered once")
        ]
        indexes = [models.Index(fields=["model", "-version"], name="newest_version_first")]

    def __str__(self) -> str:
        return f"{self.model.name}:{self.version}"


class ModelFile(models.Model):
    """A file of a version; its content lies in the content-addressed store under its SHA-256.

    The files of a version are written once and together, after a check that no path comes twice.
    """

    version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="files")
    path = models.CharField(max_length=5000)
    size = models.BigIntegerField()
    sha256 = models.CharField(max_length=64, db_index=True)

    def __str__(self) -> str:
        return self.path


class ModelUpload(models.Model):
    """A file that was sent for a model to be; registering the upload makes it a ModelFile, and a day makes it garbage."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="model_uploads")
    upload_id = models.CharField(max_length=64)
    path = models.CharField(max_length=5000)
    size = models.BigIntegerField()
    sha256 = models.CharField(max_length=64, db_index=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index(fields=["workspace", "upload_id"], name="files_of_an_upload")]

    def __str__(self) -> str:
        return f"{self.upload_id}/{self.path}"
