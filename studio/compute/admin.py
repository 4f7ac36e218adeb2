"""The admin's view of compute: sizes are edited here; the rest is looked at, as its rows follow engines."""

from __future__ import annotations

from django.contrib import admin

from studio.compute.models import ComputeTarget, Engine, Node, Placement, ScalingEvent, UsageSample, VmSize
from studio.workspace.admin import ReadOnly


@admin.register(VmSize)
class VmSizeAdmin(admin.ModelAdmin):
    """The table of sizes. A change holds for nodes that start from then on."""

    list_display = ["name", "cpus", "memory_gib", "gpus", "disk_gib", "family"]
    list_editable = ["cpus", "memory_gib", "gpus"]
    list_filter = ["family", "gpus"]
    search_fields = ["name", "family"]


@admin.register(ComputeTarget)
class ComputeTargetAdmin(ReadOnly):
    """Targets are made and deleted through the pages and the API, which clean up engines."""

    list_display = [
        "name",
        "workspace",
        "type",
        "backend",
        "vm_size",
        "min_nodes",
        "max_nodes",
        "created_at",
        "deleting_at",
    ]
    list_filter = ["type", "backend", "workspace"]
    search_fields = ["name", "workspace__name", "created_by"]
    list_select_related = ["workspace"]


@admin.register(Engine)
class EngineAdmin(ReadOnly):
    """What was last seen of each engine."""

    list_display = ["name", "backend", "address", "cpus", "memory_bytes", "gpus", "available", "seen_at"]
    list_filter = ["backend", "available"]
    search_fields = ["name", "address"]


@admin.register(Node)
class NodeAdmin(ReadOnly):
    """The nodes there are now."""

    list_display = ["name", "target", "state", "engine", "run_id", "created_at", "idle_since"]
    list_filter = ["state", "target__workspace"]
    search_fields = ["key", "run_id", "target__name"]
    list_select_related = ["target", "engine"]


@admin.register(Placement)
class PlacementAdmin(ReadOnly):
    """Runs in front of targets and on them."""

    list_display = ["run_id", "target", "nodes", "priority", "asked_at", "placed_at", "position", "reason"]
    list_filter = ["target__workspace", "target__type"]
    search_fields = ["run_id", "label", "target__name"]
    list_select_related = ["target"]


@admin.register(ScalingEvent)
class ScalingEventAdmin(ReadOnly):
    """The timelines of all targets."""

    list_display = ["at", "target", "kind", "nodes", "message"]
    list_filter = ["kind", "target__workspace"]
    search_fields = ["message", "run_id", "target__name"]
    date_hierarchy = "at"
    list_select_related = ["target"]


@admin.register(UsageSample)
class UsageSampleAdmin(ReadOnly):
    """What jobs used."""

    list_display = ["at", "run_id", "node", "cpu_percent", "memory_bytes"]
    search_fields = ["run_id", "node"]
    date_hierarchy = "at"
