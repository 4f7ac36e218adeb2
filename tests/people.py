"""The people of every test: an owner, a contributor (the teammate), a reader, and a stranger with a workspace of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.auth import get_user_model

from studio.workspace import tokens
from studio.workspace.models import Membership, Role, Workspace

if TYPE_CHECKING:
    from django.contrib.auth.models import User

PASSWORD = "correct-horse-battery"


def person(name: str, *, superuser: bool = False) -> User:
    """An account with PASSWORD."""
    make = get_user_model().objects.create_superuser if superuser else get_user_model().objects.create_user
    return make(username=name, password=PASSWORD, email=f"{name}@example.org")


def workspace(name: str, **members: Role) -> Workspace:
    """A workspace with people made by their names: workspace("lab", ann=Role.OWNER)."""
    made = Workspace.objects.create(
        name=name, subscription_id="00000000-0000-0000-0000-000000000001", resource_group="rg"
    )
    for who, role in members.items():
        user = get_user_model().objects.filter(username=who).first() or person(who)
        Membership.objects.create(workspace=made, user=user, role=role)
    return made


def bearer(user: User) -> dict[str, str]:
    """Headers for Django's test client that carry a fresh personal token."""
    return {"HTTP_AUTHORIZATION": f"Bearer {tokens.make(user, 'test')[1]}"}
