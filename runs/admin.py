"""The admin's view of runs: searchable, and read-only, because history is not edited."""

from __future__ import annotations

from django.contrib import admin

from runs import models
from studio.workspace.admin import ReadOnly


@admin.register(models.Experiment)
class ExperimentAdmin(ReadOnly):
    """Experiments."""

    list_display = ["name", "workspace", "last_number", "created_at", "archived_at"]
    list_filter = ["workspace", "archived_at"]
    search_fields = ["name", "description"]
    list_select_related = ["workspace"]


@admin.register(models.Run)
class RunAdmin(ReadOnly):
    """Runs."""

    list_display = ["id", "experiment", "kind", "state", "submitted_by", "compute", "created_at", "ended_at"]
    list_filter = ["state", "kind", "workspace"]
    search_fields = ["id", "display_name", "submitted_by", "experiment__name"]
    list_select_related = ["experiment"]
    exclude = ["token_digest"]
    show_full_result_count = False


def _register(
    model: type,
    display: list[str],
    search: list[str],
    filters: list[str] | None = None,
    related: list[str] | None = None,
) -> None:
    options = {
        "list_display": display,
        "search_fields": search,
        "list_filter": filters or [],
        "list_select_related": related or [],
        "show_full_result_count": False,
    }
    admin.site.register(model, type(f"{model.__name__}Admin", (ReadOnly,), options))


_register(models.RunEvent, ["run_id", "state", "at", "reason"], ["run__id", "reason"], ["state"])
_register(models.RunTag, ["run_id", "key", "value"], ["run__id", "key", "value"], ["run__workspace"])
_register(models.RunProperty, ["run_id", "key", "value"], ["run__id", "key", "value"], ["run__workspace"])
_register(
    models.ExperimentTag,
    ["experiment", "key", "value"],
    ["experiment__name", "key"],
    ["experiment__workspace"],
    ["experiment"],
)
_register(
    models.MetricSeries,
    ["run_id", "name", "column", "kind", "type", "count", "last"],
    ["run__id", "name"],
    ["kind", "type"],
)
_register(models.MetricChunk, ["series_id", "start", "count"], ["series__run__id", "series__name"], ["series__kind"])
_register(models.MetricBatch, ["run_id", "batch"], ["run__id"], ["run__workspace"])
_register(models.Log, ["run_id", "path", "size", "complete", "updated_at"], ["run__id", "path"], ["complete"])
_register(models.LogChunk, ["log_id", "offset"], ["log__run__id", "log__path"], ["log__complete"])
_register(
    models.Artifact,
    ["run_id", "path", "size", "sha256", "created_at"],
    ["run__id", "path", "sha256"],
    ["created_at", "run__workspace"],
)
_register(
    models.Snapshot, ["content_id", "workspace", "size", "created_at"], ["content_id"], ["workspace"], ["workspace"]
)
_register(models.SnapshotFile, ["snapshot_id", "path", "size"], ["path", "sha256"], ["snapshot__workspace"])
_register(
    models.RunTask,
    ["run_id", "attempt", "index", "backend", "node", "exit_code", "launched_at", "ended_at"],
    ["run__id", "node"],
    ["backend"],
)
_register(
    models.RunRank, ["run_id", "rank", "node", "exit_code", "started_at", "ended_at"], ["run__id", "node"], ["role"]
)
_register(
    models.Explanation,
    ["__str__", "run_id", "source", "task", "features", "rows", "created_at"],
    ["run__id", "comment", "model_id"],
    ["source", "task"],
)
_register(
    models.FairnessDashboard,
    ["name", "run_id", "prediction_type", "rows", "created_at"],
    ["run__id", "name", "dataset_name"],
    ["prediction_type"],
)
_register(
    models.DashboardModel,
    ["model_id", "dashboard_id", "position"],
    ["model_id", "dashboard__run__id"],
    ["dashboard__prediction_type"],
)
_register(
    models.Cohort, ["name", "run_id", "created_by", "created_at"], ["run__id", "name"], ["created_at"], ["created_by"]
)
_register(models.Mitigation, ["id", "run_id", "created_at"], ["id", "run__id"], ["created_at"])
_register(
    models.ScoringSession,
    ["model", "run_id", "child_id", "created_at", "expires_at"],
    ["run__id", "model"],
    ["created_at"],
)
_register(
    models.ScoringRequest,
    ["id", "session_id", "created_at", "taken_at", "answered_at"],
    ["id", "session__run__id"],
    ["created_at"],
)
