"""The app's name for Django, and what it hears of compute."""

from typing import Any

from django.apps import AppConfig


class RunsConfig(AppConfig):
    """The runs app."""

    name = "runs"

    def ready(self) -> None:
        """Compute does not know runs: it says which ids should ask again, and they are woken here."""
        from studio.compute.signals import look_again

        look_again.connect(_wake, dispatch_uid="runs.wake")


def _wake(sender: Any, run_ids: list[str], **kwargs: Any) -> None:
    from runs.queue import wake

    for run_id in run_ids:
        wake(run_id)
