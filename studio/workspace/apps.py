"""The app's name for Django."""

from typing import Any

from django.apps import AppConfig


class WorkspaceConfig(AppConfig):
    """The workspace app."""

    name = "studio.workspace"
    label = "workspace"

    def ready(self) -> None:
        """Whoever changes an account, a member or a token changes it for this process's open callers too."""
        from django.contrib.auth import get_user_model
        from django.db.models.signals import post_delete, post_save

        from studio.workspace import principals, tokens
        from studio.workspace.models import Membership, Token, Workspace

        def forget(**_: Any) -> None:
            principals.forget()

        tokens.revoked.connect(forget, weak=False, dispatch_uid="forget-callers")
        for model in (get_user_model(), Membership, Token, Workspace):
            post_save.connect(forget, sender=model, weak=False, dispatch_uid=f"forget-callers-{model.__name__}")
            post_delete.connect(forget, sender=model, weak=False, dispatch_uid=f"forget-callers-{model.__name__}")
