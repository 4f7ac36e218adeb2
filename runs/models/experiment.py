"""An experiment: the runs that belong together."""

from __future__ import annotations

from django.db import models

from studio.workspace.models import Workspace


class Experiment(models.Model):
    """A name in a workspace. `last_number` numbers its runs, as people count them."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="experiments")
    name = models.CharField(max_length=256)
    description = models.TextField(default="", blank=True)
    last_number = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)
    archived_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "name"], name="an experiment's name is its workspace's own"),
            models.CheckConstraint(condition=~models.Q(name=""), name="an experiment has a name"),
        ]

    def __str__(self) -> str:
        return self.name


class ExperimentTag(models.Model):
    """A mutable label; without a value it is None, as in v1."""

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="tag_rows")
    key = models.CharField(max_length=250)
    value = models.CharField(max_length=1000, null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["experiment", "key"], name="an experiment's tag is set once")]

    def __str__(self) -> str:
        return self.key
