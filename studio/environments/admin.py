"""Environments in the admin: searchable, and read-only where history must not be edited."""

from __future__ import annotations

from django.contrib import admin

from studio.environments.models import Build, BuildLog, Credential, Environment, EnvironmentVersion, Image, Lock, Use
from studio.workspace.admin import ReadOnly


@admin.register(Environment)
class EnvironmentAdmin(admin.ModelAdmin):
    """Names."""

    list_display = ("name", "workspace", "last_version", "created_at")
    list_filter = ("workspace",)
    search_fields = ("name",)
    readonly_fields = ("last_version", "created_at")


@admin.register(EnvironmentVersion)
class EnvironmentVersionAdmin(ReadOnly):
    """What was registered."""

    list_display = ("__str__", "created_by", "created_at")
    list_filter = ("environment__workspace",)
    search_fields = ("environment__name",)
    list_select_related = ("environment",)


@admin.register(Build)
class BuildAdmin(ReadOnly):
    """Builds and how they ended."""

    list_display = ("id", "state", "backend", "environment", "run_id", "source", "attempts", "created_at", "ended_at")
    list_filter = ("state", "backend", "workspace")
    search_fields = ("key", "environment", "run_id", "message")


@admin.register(BuildLog)
class BuildLogAdmin(ReadOnly):
    """Pieces of logs; the page of a build shows them as one."""

    list_display = ("build", "offset")
    list_filter = ("build__state",)
    list_select_related = ("build",)
    search_fields = ("build__key",)
    exclude = ("data",)


@admin.register(Image)
class ImageAdmin(ReadOnly):
    """What was built or fetched."""

    list_display = ("name", "backend", "python", "source", "size", "used_at", "removed_at")
    list_filter = ("backend", "source", "engine")
    search_fields = ("name", "key", "digest")


@admin.register(Lock)
class LockAdmin(ReadOnly):
    """Packages as first resolved."""

    list_display = ("packages_key", "python", "platform", "made_at", "replaced_at")
    list_filter = ("python", "platform")
    search_fields = ("packages_key", "pip")


@admin.register(Use)
class UseAdmin(ReadOnly):
    """Which run used which environment."""

    list_display = ("run_id", "workspace", "environment", "version", "backend", "waiting", "asked_at")
    list_filter = ("backend", "waiting", "workspace")
    search_fields = ("run_id", "environment", "key")


@admin.register(Credential)
class CredentialAdmin(ReadOnly):
    """Who a workspace is at a registry; the password is not shown."""

    list_display = ("address", "username", "workspace", "changed_at")
    list_filter = ("workspace",)
    search_fields = ("address", "username")
    exclude = ("password",)
