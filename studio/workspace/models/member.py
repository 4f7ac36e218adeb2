"""Who may do what in a workspace."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from studio.workspace.models.workspace import Workspace


class Role(models.IntegerChoices):
    """Each role may do what the ones below it may."""

    READER = 10, "Reader"
    CONTRIBUTOR = 20, "Contributor"
    OWNER = 30, "Owner"


class Membership(models.Model):
    """A person in a workspace."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    role = models.PositiveSmallIntegerField(choices=Role.choices, default=Role.CONTRIBUTOR)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "user"], name="a person is in a workspace once"),
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="a role is one of three"),
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.workspace} as {self.get_role_display()}"
