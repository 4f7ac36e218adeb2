"""A run is a row; everything else is a look at it."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.utils import timezone

from runs.models.experiment import Experiment
from runs.models.snapshot import Snapshot
from runs.states import CANCEL_REQUESTED, FINAL, NOT_FINAL, State
from studio.workspace.models import Workspace


class Run(models.Model):
    """Intent and fact in different columns: `cancel_requested_at` is asked for, `state` is what is.

    `state` is written by runs.lifecycle alone. `definition` does not change after submit.
    """

    class Kind(models.TextChoices):
        INTERACTIVE = "interactive", "Interactive"  # the script runs elsewhere and tells us
        SCRIPT = "script", "Script"
        SWEEP = "sweep", "Sweep"
        AUTOML = "automl", "AutoML"
        PIPELINE = "pipeline", "Pipeline"
        MITIGATION = "mitigation", "Mitigation"
        SCORING = "scoring", "Scoring"

    id = models.CharField(primary_key=True, max_length=256)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="runs", db_index=False)
    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="runs", db_index=False)
    number = models.PositiveIntegerField()
    kind = models.CharField(max_length=20, choices=Kind.choices, default=Kind.INTERACTIVE)
    # The v1 run type that scripts filter by: azureml.scriptrun, hyperdrive …
    type = models.CharField(max_length=100, default="", blank=True)
    display_name = models.CharField(max_length=256, default="", blank=True)
    description = models.TextField(default="", blank=True)

    state = models.CharField(max_length=20, default=State.NOT_STARTED)
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    archived_at = models.DateTimeField(null=True, blank=True)

    parent = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.CASCADE, related_name="children", db_index=False
    )
    # The topmost run: one comparison finds a tree of any depth. A run without parent is its own root.
    root_id = models.CharField(max_length=256)

    definition = models.JSONField(null=True, blank=True)
    snapshot = models.ForeignKey(Snapshot, null=True, blank=True, on_delete=models.SET_NULL, related_name="runs")
    compute = models.CharField(max_length=255, default="", blank=True)
    submitted_by = models.CharField(max_length=150, default="", blank=True)

    # What the script said of its own end with run.complete() or run.fail(), before its process has ended.
    said_status = models.CharField(max_length=20, default="", blank=True)
    error_code = models.CharField(max_length=100, default="", blank=True)
    error_message = models.TextField(default="", blank=True)
    error_details = models.TextField(default="", blank=True)
    warnings = models.JSONField(default=list, blank=True)

    # The SHA-256 of the run's own token: it can touch this run and its children, and dies with it.
    token_digest = models.CharField(max_length=64, default="", blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    # A worker that steps the run holds it until then; another leaves it alone.
    leased_until = models.DateTimeField(null=True, blank=True)
    # host:process:start of that worker, so that the lease of one that was killed on this host ends at once.
    leased_by = models.CharField(max_length=150, default="", blank=True)
    retries = models.PositiveSmallIntegerField(default=0)
    # Why the worker itself is ending the job ("time limit"); written before anything is stopped.
    stopped_for = models.CharField(max_length=40, default="", blank=True)
    # Why it waits, in words, for the page.
    waiting_for = models.TextField(default="", blank=True)
    image = models.CharField(max_length=255, default="", blank=True)
    build_id = models.BigIntegerField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["experiment", "number"], name="a run's number is its experiment's own"),
            models.CheckConstraint(
                condition=models.Q(state__in=[s.value for s in State]), name="a run's state is a known one"
            ),
            models.CheckConstraint(
                condition=models.Q(ended_at__isnull=True) | models.Q(state__in=sorted(s.value for s in FINAL)),
                name="only a final run has ended",
            ),
        ]
        # A run is moved six times, and each move writes every index anew: none stands here that another one serves. A
        # text column's own db_index would make two on PostgreSQL, the second for LIKE, which nothing asks.
        indexes = [
            models.Index(fields=["root_id"], name="runs_of_a_root"),
            models.Index(fields=["experiment", "-created_at", "-id"], name="runs_of_an_experiment"),
            models.Index(fields=["workspace", "-created_at", "-id"], name="runs_of_a_workspace"),
            models.Index(fields=["experiment", "state", "-created_at", "-id"], name="runs_of_a_state"),
            models.Index(
                fields=["experiment", "-created_at", "-id"],
                name="runs_archived",
                condition=models.Q(archived_at__isnull=False),
            ),
            models.Index(fields=["parent", "created_at", "id"], name="runs_of_a_parent"),
            models.Index(
                fields=["created_at"],
                name="runs_not_final",
                condition=models.Q(state__in=sorted(s.value for s in NOT_FINAL)),
            ),
            models.Index(fields=["token_digest"], name="runs_by_token", condition=~models.Q(token_digest="")),
        ]

    def __str__(self) -> str:
        return self.display_name or self.id

    @property
    def is_final(self) -> bool:
        """Whether nothing more happens to it."""
        return self.state in FINAL

    @property
    def status(self) -> str:
        """The state as v1 names it: CancelRequested while a cancel is on its way."""
        if self.cancel_requested_at and not self.is_final:
            return CANCEL_REQUESTED
        return self.state

    @property
    def error(self) -> dict[str, Any] | None:
        """{"code", "message", "details"} when something went wrong."""
        if not (self.error_message or self.error_code):
            return None
        return {"code": self.error_code or "UserError", "message": self.error_message, "details": self.error_details}
