"""Metrics are columns, not rows: a series owns chunks of packed arrays.

A row per point is ten times slower to read and three times to write; lists read `last` off the series and never scan.
Foreign keys have no index of their own where a unique constraint begins with them: each index costs every write.
"""

from __future__ import annotations

from django.db import models

from runs.models.run import Run


class MetricSeries(models.Model):
    """One column of one metric of one run, with what lists and tables show of it.

    A metric of named columns (row, table) has one more series, whose column is "": it has no chunks, and its count is
    the number of rows. The chunks of the columns start at row numbers, so columns that come and go stay aligned.
    `last` is the last value where it is a number; `last_text` is the value as JSON, whatever it is.
    """

    class Type(models.TextChoices):
        FLOAT = "float", "Number"
        INT = "int", "Whole number"
        BOOL = "bool", "Yes or no"
        TEXT = "text", "Text"
        MIXED = "mixed", "Mixed"

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="series", db_index=False)
    # Repeated here so that "the best hundred of this experiment" is one index walk.
    experiment_id = models.BigIntegerField()
    name = models.CharField(max_length=255)
    column = models.CharField(max_length=255, default="", blank=True)
    # scalar, list, row, table, image, confusion_matrix, accuracy_table, residuals, predictions
    kind = models.CharField(max_length=20)
    type = models.CharField(max_length=10, choices=Type.choices)
    # The order in which the columns of a row came, so that tables read as they were logged.
    position = models.PositiveSmallIntegerField(default=0)
    count = models.BigIntegerField(default=0)
    # Chunks that are so small that they wait to be merged.
    loose = models.PositiveIntegerField(default=0)
    # A batch that comes late does not become the last value.
    last_time = models.FloatField(default=0)
    last = models.FloatField(null=True, blank=True)
    last_text = models.TextField(default="", blank=True)
    min = models.FloatField(null=True, blank=True)
    max = models.FloatField(null=True, blank=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "name", "column"], name="a metric's column is one series")
        ]
        indexes = [models.Index(fields=["experiment_id", "name", "column", "last", "run"], name="runs_by_metric")]

    def __str__(self) -> str:
        return f"{self.name}.{self.column}" if self.column else self.name


class MetricChunk(models.Model):
    """`count` points from `start` on, packed by runs.metricstore."""

    series = models.ForeignKey(MetricSeries, on_delete=models.CASCADE, related_name="chunks", db_index=False)
    start = models.BigIntegerField()
    count = models.PositiveIntegerField()
    data = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["series", "start"], name="a chunk starts where the last ended")]

    def __str__(self) -> str:
        return f"{self.series_id}[{self.start}:{self.start + self.count}]"


class MetricBatch(models.Model):
    """The ids of batches that were accepted: one that comes twice is ignored."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="metric_batches", db_index=False)
    batch = models.UUIDField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "batch"], name="a batch counts once")]

    def __str__(self) -> str:
        return str(self.batch)
