"""The app's name for Django."""

from django.apps import AppConfig


class EnvironmentsConfig(AppConfig):
    """The environments app."""

    name = "studio.environments"
    label = "environments"
