"""The admin's view of workspaces, members, tokens and models."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest

from studio.workspace.models import (
    Membership,
    Model,
    ModelFile,
    ModelUpload,
    ModelVersion,
    StoredFile,
    Token,
    Workspace,
)


class ReadOnly(admin.ModelAdmin):
    """History is looked at, not edited."""

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Rows come from actions alone."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Looking needs the view permission only."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Deleting goes through the actions, which clean up what hangs on a row."""
        return False


class MembershipInline(admin.TabularInline):
    """Members beside their workspace."""

    model = Membership
    extra = 0
    autocomplete_fields = ["user"]


@admin.register(Workspace)
class WorkspaceAdmin(admin.ModelAdmin):
    """Workspaces and their members."""

    list_display = ["name", "resource_group", "location", "created_at"]
    list_filter = ["location", "created_at"]
    search_fields = ["name", "resource_group", "subscription_id"]
    readonly_fields = ["public_id", "created_at"]
    inlines = [MembershipInline]


@admin.register(Membership)
class MembershipAdmin(admin.ModelAdmin):
    """Who is where."""

    list_display = ["user", "workspace", "role", "created_at"]
    list_filter = ["role", "workspace"]
    search_fields = ["user__username", "workspace__name"]
    list_select_related = ["user", "workspace"]
    autocomplete_fields = ["user", "workspace"]


@admin.register(Token)
class TokenAdmin(ReadOnly):
    """Tokens: whose, until when. Revoking is an action, so that the row stays."""

    list_display = ["name", "user", "hint", "created_at", "expires_at", "revoked_at", "last_used_at"]
    list_filter = ["revoked_at", "expires_at"]
    search_fields = ["name", "user__username", "hint"]
    list_select_related = ["user"]
    exclude = ["digest"]
    actions = ["revoke"]

    @admin.action(description="Revoke the selected tokens", permissions=["view"])
    def revoke(self, request: HttpRequest, queryset: object) -> None:
        """Stop them at once."""
        from studio.workspace import tokens

        for token in queryset:  # type: ignore[attr-defined]
            tokens.revoke(token)


@admin.register(Model)
class ModelAdmin(ReadOnly):
    """Registered names."""

    list_display = ["name", "workspace", "last_version", "created_at"]
    list_filter = ["workspace"]
    search_fields = ["name"]
    list_select_related = ["workspace"]


@admin.register(ModelVersion)
class ModelVersionAdmin(ReadOnly):
    """Versions and where they came from."""

    list_display = ["__str__", "framework", "run_id", "size", "created_by", "created_at"]
    list_filter = ["framework", "model__workspace"]
    search_fields = ["model__name", "run_id", "created_by"]
    list_select_related = ["model"]


@admin.register(ModelFile)
class ModelFileAdmin(ReadOnly):
    """Files of versions."""

    list_display = ["path", "version", "size", "sha256"]
    list_filter = ["version__model__workspace"]
    search_fields = ["path", "sha256"]
    list_select_related = ["version__model"]


@admin.register(ModelUpload)
class ModelUploadAdmin(ReadOnly):
    """Files sent for models that are not registered yet."""

    list_display = ["path", "upload_id", "workspace", "size", "created_at"]
    list_filter = ["workspace"]
    search_fields = ["upload_id", "path", "sha256"]
    list_select_related = ["workspace"]


@admin.register(StoredFile)
class StoredFileAdmin(ReadOnly):
    """Files of workspaces' datastores."""

    list_display = ["path", "workspace", "size", "created_by", "created_at"]
    list_filter = ["workspace"]
    search_fields = ["path", "sha256"]
    list_select_related = ["workspace"]
