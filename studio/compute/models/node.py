"""A node: a bounded share of an engine, with its own network and volume."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from studio.compute.models.engine import Engine
from studio.compute.models.target import ComputeTarget
from studio.compute.planner import NodeView


class Node(models.Model):
    """The row is made before anything on the engine and removed after everything there is gone.

    So whatever is killed in between, the next tick finds the row and finishes the work, and a thing on the engine
    without a row is garbage.
    """

    class State(models.TextChoices):
        PREPARING = "preparing", "Preparing"
        IDLE = "idle", "Idle"
        RUNNING = "running", "Running"
        LEAVING = "leaving", "Leaving"
        UNUSABLE = "unusable", "Unusable"

    target = models.ForeignKey(ComputeTarget, on_delete=models.PROTECT, related_name="nodes_set")
    engine = models.ForeignKey(Engine, on_delete=models.PROTECT, related_name="nodes")
    number = models.PositiveIntegerField()
    # Names of things on an engine that several servers may share.
    key = models.CharField(max_length=32, unique=True)
    state = models.CharField(max_length=20, choices=State.choices, default=State.PREPARING)
    cpus = models.FloatField(default=1)
    memory_bytes = models.BigIntegerField(default=0)
    gpus = models.JSONField(default=list, blank=True)
    network = models.CharField(max_length=100, default="", blank=True)
    volume = models.CharField(max_length=100, default="", blank=True)
    # Empty when it runs nothing. Compute knows runs by their ids alone.
    run_id = models.CharField(max_length=256, default="", blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    ready_at = models.DateTimeField(null=True, blank=True)
    idle_since = models.DateTimeField(null=True, blank=True)
    state_since = models.DateTimeField(default=timezone.now)
    message = models.TextField(default="", blank=True)

    class Meta:
        ordering = ["target", "number"]
        constraints = [
            models.UniqueConstraint(fields=["target", "number"], name="a node's number is its target's own"),
            models.CheckConstraint(
                condition=~models.Q(state="running") | ~models.Q(run_id=""), name="a running node runs something"
            ),
            models.CheckConstraint(
                condition=~models.Q(state__in=["idle", "preparing"]) | models.Q(run_id=""),
                name="an idle node runs nothing",
            ),
        ]
        indexes = [models.Index(fields=["run_id"], name="nodes_of_a_run", condition=~models.Q(run_id=""))]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """As people read it: the target and the number."""
        return f"{self.target.name}-{self.number}"

    @property
    def memory_gib(self) -> float:
        """The bound in the unit of the table of sizes."""
        return self.memory_bytes / 1024**3

    @property
    def view(self) -> NodeView:
        """The row as the planner sees it."""
        return NodeView(self.pk, self.name, self.state, self.run_id, self.idle_since)
