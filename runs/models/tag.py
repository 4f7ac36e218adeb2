"""Tags, which change, and properties, which don't."""

from __future__ import annotations

from django.db import models

from runs.models.run import Run


class RunTag(models.Model):
    """A label; without a value it is None, as in v1."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="tag_rows", db_index=False)
    # Repeated here so that "runs with this tag" is one index look-up in an experiment of any size.
    experiment_id = models.BigIntegerField()
    key = models.CharField(max_length=100)
    value = models.CharField(max_length=1000, null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "key"], name="a run's tag is set once")]
        indexes = [models.Index(fields=["experiment_id", "key", "value"], name="runs_by_tag")]

    def __str__(self) -> str:
        return self.key


class RunProperty(models.Model):
    """A fact: set once, never changed."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="property_rows", db_index=False)
    key = models.CharField(max_length=100)
    value = models.CharField(max_length=1000, default="", blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "key"], name="a run's property is set once")]
        indexes = [models.Index(fields=["key", "value"], name="runs_by_property")]

    def __str__(self) -> str:
        return self.key
