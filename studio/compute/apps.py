"""The app's name for Django."""

from django.apps import AppConfig


class ComputeConfig(AppConfig):
    """The compute app."""

    name = "studio.compute"
    label = "compute"
