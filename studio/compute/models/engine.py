"""What carries nodes: a Docker engine, a host of a swarm, or this machine's own processes."""

from __future__ import annotations

from django.db import models

from studio.compute.sizes import Capacity


class Engine(models.Model):
    """What was last seen of an engine. The row is a cache of what the engine says, refreshed by the beat."""

    class Backend(models.TextChoices):
        PROCESS = "process", "Processes of this machine"
        DOCKER = "docker", "Docker engine"
        SWARM = "swarm", "Hosts of a Docker swarm"

    name = models.CharField(max_length=255)
    backend = models.CharField(max_length=20, choices=Backend.choices)
    # The URL for the Docker client; empty means the default one.
    address = models.CharField(max_length=255, default="", blank=True)
    # A host's id in its swarm; empty for what is no such host, and for one that has left it for good.
    host_id = models.CharField(max_length=64, default="", blank=True)
    cpus = models.PositiveIntegerField(default=0)
    memory_bytes = models.BigIntegerField(default=0)
    gpus = models.PositiveIntegerField(default=0)
    available = models.BooleanField(default=True)
    # A host that is paused or drained in its swarm keeps its place and takes no further node.
    takes_work = models.BooleanField(default=True)
    # A sentence for the pages while it is not available.
    message = models.TextField(default="", blank=True)
    seen_at = models.DateTimeField(null=True, blank=True)
    away_since = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["backend", "name"], name="an engine is one row")]
        ordering = ["backend", "name"]

    def __str__(self) -> str:
        return self.name

    @property
    def memory_gib(self) -> float:
        """What it has in the unit of the table of sizes."""
        return self.memory_bytes / 1024**3

    @property
    def is_gone(self) -> bool:
        """Whether it was a host of a swarm that has left it for good."""
        return self.backend == self.Backend.SWARM and not self.host_id

    @property
    def capacity(self) -> Capacity:
        """What it has in all, for the arithmetic of shares."""
        return Capacity(self.name, self.cpus, self.memory_bytes, self.gpus)
