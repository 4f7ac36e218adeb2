"""The app's name for Django."""

from django.apps import AppConfig


class RunsConfig(AppConfig):
    """The runs app."""

    name = "runs"
