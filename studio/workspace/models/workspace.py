"""A workspace: what people share, and the wall between those who don't."""

from __future__ import annotations

import re
import uuid

from django.db import models

from studio.errors import Invalid

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{1,31}")


def check_name(name: str) -> str:
    """A workspace's name, or Invalid: 2 to 32 letters, digits, - and _, as v1 had it."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise Invalid(
            f"{str(name)[:40]!r} can't name a workspace: use 2 to 32 letters, digits, - or _, with a letter or digit first.",
            "name",
        )
    return name


class Workspace(models.Model):
    """The name is unique on the server, so that `ws` in a URL is enough to find it."""

    name = models.CharField(max_length=32, unique=True)
    subscription_id = models.CharField(max_length=64, default="", blank=True)
    resource_group = models.CharField(max_length=90, default="", blank=True)
    location = models.CharField(max_length=64, default="local", blank=True)
    description = models.TextField(max_length=5000, default="", blank=True)
    # v1 scripts print it and pass it on; ours is made once and never read by us.
    public_id = models.UUIDField(default=uuid.uuid4, editable=False, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)

    # Not a column: the role of who asked, set by studio.workspace.access for pages that show or hide what it allows.
    role: int | None = None

    class Meta:
        constraints = [models.CheckConstraint(condition=~models.Q(name=""), name="a workspace has a name")]

    def __str__(self) -> str:
        return self.name
