"""The app's name for Django."""

from django.apps import AppConfig


class WorkspaceConfig(AppConfig):
    """The workspace app."""

    name = "studio.workspace"
    label = "workspace"
