"""The sizes that targets can be created with; a site edits the table in the admin."""

from __future__ import annotations

from django.core.validators import MinValueValidator
from django.db import models

from studio.compute.sizes import Size


class VmSize(models.Model):
    """What a node of that size asks of an engine. A changed row holds for nodes started from then on."""

    name = models.CharField(max_length=64, unique=True, help_text="As scripts write it, for example STANDARD_D2_V2.")
    cpus = models.PositiveIntegerField(validators=[MinValueValidator(1)])
    memory_gib = models.FloatField(validators=[MinValueValidator(0.25)])
    gpus = models.PositiveIntegerField(default=0)
    disk_gib = models.PositiveIntegerField(default=0)
    family = models.CharField(max_length=64, default="", blank=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(cpus__gte=1) & models.Q(memory_gib__gt=0), name="a size has a core and some memory"
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def size(self) -> Size:
        """The row as plain data."""
        return Size(self.name, self.cpus, self.memory_gib, self.gpus, self.disk_gib, self.family)
