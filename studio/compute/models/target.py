"""A compute target: a cluster that scales, an instance that is always on, or this machine."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.utils import timezone

from studio.compute.models.engine import Engine
from studio.workspace.models import Workspace


class ComputeTarget(models.Model):
    """Intent: how many nodes there may be. What there is are its Node rows. `deleting_at` asks for its removal."""

    class Type(models.TextChoices):
        CLUSTER = "AmlCompute", "Cluster"
        INSTANCE = "ComputeInstance", "Instance"
        LOCAL = "local", "This machine"

    class Priority(models.TextChoices):
        DEDICATED = "dedicated", "Dedicated"
        LOW = "lowpriority", "Low priority"

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="compute_targets")
    name = models.CharField(max_length=64)
    type = models.CharField(max_length=20, choices=Type.choices, default=Type.CLUSTER)
    backend = models.CharField(max_length=20, choices=Engine.Backend.choices)
    vm_size = models.CharField(max_length=64, default="", blank=True)
    min_nodes = models.PositiveIntegerField(default=0)
    max_nodes = models.PositiveIntegerField(default=1)
    idle_seconds = models.PositiveIntegerField(default=1800)
    vm_priority = models.CharField(max_length=20, choices=Priority.choices, default=Priority.DEDICATED)
    description = models.TextField(default="", blank=True)
    tags = models.JSONField(default=dict, blank=True)
    # What v1 accepts and has no meaning on one's own machines (subnet, admin user …): kept to be given back.
    settings = models.JSONField(default=dict, blank=True)
    created_by = models.CharField(max_length=150, default="", blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    modified_at = models.DateTimeField(default=timezone.now)
    deleting_at = models.DateTimeField(null=True, blank=True)
    # steady or resizing, and since when; written by scaling.
    resizing = models.BooleanField(default=False)
    allocation_changed_at = models.DateTimeField(default=timezone.now)
    error = models.TextField(default="", blank=True)
    # Nodes of a target are numbered through its life, so that a log line names one node.
    next_number = models.PositiveIntegerField(default=1)
    # One process at a time acts on the engine for it; a lease that ran out belongs to nobody.
    leased_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["workspace", "name"], name="a target's name is its workspace's own"),
            models.CheckConstraint(
                condition=models.Q(max_nodes__gte=models.F("min_nodes")),
                name="a target's maximum is not below its minimum",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def provisioning_state(self) -> str:
        """v1's word: a target can be used as soon as its row is there."""
        if self.deleting_at:
            return "Deleting"
        return "Failed" if self.error and not self.max_nodes else "Succeeded"

    @property
    def tags_text(self) -> dict[str, Any]:
        """The tags, for a template."""
        return dict(self.tags or {})
