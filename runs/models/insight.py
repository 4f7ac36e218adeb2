"""What a run keeps of its explanations and fairness dashboards.

The rows hold what lists and pickers need; the data itself lies in the run's artifacts under `prefix` or `path`.
"""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone

from runs.models.run import Run


def new_id() -> str:
    """An id for an upload: a UUID, as v1 gives."""
    return str(uuid.uuid4())


class Explanation(models.Model):
    """One uploaded explanation. `top` holds the first features by importance, for lists and comparisons."""

    id = models.CharField(primary_key=True, max_length=36, default=new_id)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="explanations")
    comment = models.CharField(max_length=1000, blank=True, default="")
    source = models.CharField(max_length=40)  # interpret-community | interpret | shap
    method = models.CharField(max_length=200, blank=True, default="")
    model_id = models.CharField(max_length=300, blank=True, default="")
    task = models.CharField(max_length=40, blank=True, default="")
    is_raw = models.BooleanField(default=False)
    is_engineered = models.BooleanField(default=False)
    is_global = models.BooleanField(default=False)
    is_local = models.BooleanField(default=False)
    features = models.PositiveIntegerField(default=0)
    rows = models.PositiveIntegerField(default=0)
    classes = models.JSONField(default=list, blank=True)
    top = models.JSONField(default=list, blank=True)
    meta = models.JSONField(default=dict, blank=True)
    prefix = models.CharField(max_length=500)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["run", "created_at"], name="explanations_of_a_run")]

    def __str__(self) -> str:
        return self.comment or self.id


class FairnessDashboard(models.Model):
    """One uploaded dashboard dictionary. `path` is the artifact with the very JSON that was uploaded."""

    id = models.CharField(primary_key=True, max_length=36, default=new_id)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="fairness_dashboards")
    name = models.CharField(max_length=255)
    dataset_name = models.CharField(max_length=255, blank=True, default="")
    prediction_type = models.CharField(max_length=40)
    feature_names = models.JSONField(default=list)
    rows = models.PositiveIntegerField()
    path = models.CharField(max_length=500)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["run", "created_at"], name="dashboards_of_a_run")]

    def __str__(self) -> str:
        return self.name


class DashboardModel(models.Model):
    """One model of a dashboard; `summary` holds its measures and disparities by feature, so lists need no file."""

    dashboard = models.ForeignKey(FairnessDashboard, on_delete=models.CASCADE, related_name="models")
    position = models.PositiveIntegerField()
    model_id = models.CharField(max_length=300, db_index=True)
    summary = models.JSONField(default=dict)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["dashboard", "position"], name="a dashboard's models have their places")
        ]

    def __str__(self) -> str:
        return self.model_id


class Cohort(models.Model):
    """A named part of the rows of a run's explanations, by filters on features, prediction and error."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="cohorts")
    name = models.CharField(max_length=100)
    filters = models.JSONField(default=list)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["created_at", "id"]
        constraints = [
            models.UniqueConstraint(fields=["run", "name"], name="a run's cohort names are unique"),
            models.CheckConstraint(condition=~models.Q(name=""), name="a cohort has a name"),
        ]

    def __str__(self) -> str:
        return self.name


class Mitigation(models.Model):
    """A request to mitigate: its child runs carry the work, `dashboard` gathers what they bring.

    `spec` is the validated form and does not change; `results` maps a child run to its models once it has reported.
    """

    id = models.CharField(primary_key=True, max_length=36, default=new_id)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="mitigations")
    spec = models.JSONField()
    results = models.JSONField(default=dict, blank=True)
    dashboard = models.ForeignKey(FairnessDashboard, null=True, on_delete=models.SET_NULL, related_name="mitigations")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["run", "created_at"], name="mitigations_of_a_run")]

    def __str__(self) -> str:
        return self.id


class ScoringSession(models.Model):
    """A job that holds the run's model and answers what-if questions until `expires_at`."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="scoring_sessions")
    child = models.OneToOneField(Run, on_delete=models.CASCADE, related_name="scoring_for")
    model = models.CharField(max_length=500)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["run", "-created_at"], name="scoring_of_a_run")]

    def __str__(self) -> str:
        return self.model


class ScoringRequest(models.Model):
    """Rows to be scored and, once the job has answered, the answer or a sentence that says why not."""

    id = models.CharField(primary_key=True, max_length=36, default=new_id)
    session = models.ForeignKey(ScoringSession, on_delete=models.CASCADE, related_name="requests")
    rows = models.JSONField()
    answer = models.JSONField(null=True, blank=True)
    error = models.TextField(blank=True, default="")
    created_at = models.DateTimeField(default=timezone.now)
    taken_at = models.DateTimeField(null=True, blank=True)
    answered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["session", "created_at"], name="scoring_waiting", condition=models.Q(answered_at__isnull=True)
            )
        ]

    def __str__(self) -> str:
        return self.id
