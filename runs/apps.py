"""The app's name for Django, and what it hears of compute."""

from typing import Any

from django.apps import AppConfig


class RunsConfig(AppConfig):
    """The runs app."""

    name = "runs"

    def ready(self) -> None:
        """Compute and the callers' tokens lie below and do not know runs: here they learn what they need of them."""
        from runs.queries.tokens import run_of
        from studio.compute.signals import look_again
        from studio.workspace import principals

        look_again.connect(_wake, dispatch_uid="runs.wake")
        principals.find_runs_with(run_of)


def _wake(sender: Any, run_ids: list[str], **kwargs: Any) -> None:
    from runs.queue import wake

    for run_id in run_ids:
        wake(run_id)
