"""An environment that people registered: a name, its versions, and the credentials its base images need."""

from __future__ import annotations

from django.db import models

from studio.workspace.models import Workspace


class Environment(models.Model):
    """A registered name. The next version's number is kept here, so that two registrations can't take the same."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="environments")
    name = models.CharField(max_length=255)
    last_version = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "name"], name="an environment's name is its workspace's own")
        ]

    def __str__(self) -> str:
        return self.name


class EnvironmentVersion(models.Model):
    """What was registered under a number. The definition does not change; passwords in it are masked."""

    environment = models.ForeignKey(Environment, on_delete=models.CASCADE, related_name="versions")
    version = models.PositiveIntegerField()
    definition = models.JSONField()
    # SHA-256 of the definition without name and version: the same content again is the same version.
    content = models.CharField(max_length=64)
    created_by = models.CharField(max_length=150, default="", blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    # The last image built from it, per backend: {"docker": {"key", "digest", "lock"}, "process": {…}}.
    built = models.JSONField(default=dict, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["environment", "version"], name="an environment's version is registered once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.environment.name}:{self.version}"


class Credential(models.Model):
    """Who a workspace is at a registry. The password is encrypted with the server's key and shown nowhere."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="registry_credentials")
    address = models.CharField(max_length=255)
    username = models.CharField(max_length=255)
    password = models.TextField()
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "address", "username"], name="a workspace has one password per registry and name"
            )
        ]

    def __str__(self) -> str:
        return f"{self.username} at {self.address}"
