"""Who is in a workspace: the verbs. A workspace keeps at least one owner."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.auth import get_user_model
from django.db import transaction

from studio.errors import Conflict, Invalid, NotFound
from studio.workspace import principals
from studio.workspace.models import Membership, Role, Workspace
from studio.workspace.models.workspace import check_name

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def role(text: str) -> Role:
    """The role by its number or name."""
    for known in Role:
        if str(text).lower() in (str(known.value), known.name.lower()):
            return known
    raise Invalid(f"{text!r} is no role; there are Owner, Contributor and Reader.", "role")


@transaction.atomic
def create_workspace(
    name: str,
    owner: User,
    *,
    subscription_id: str = "",
    resource_group: str = "",
    location: str = "",
    description: str = "",
) -> Workspace:
    """A new workspace owned by the person, or Conflict when the name is taken."""
    check_name(name)
    if len(subscription_id) > 64 or len(resource_group) > 90 or len(location) > 64 or len(description) > 5000:
        raise Invalid("subscription_id has at most 64 characters, resource_group 90, location 64, description 5,000.")
    workspace, fresh = Workspace.objects.get_or_create(
        name=name,
        defaults={
            "subscription_id": subscription_id,
            "resource_group": resource_group,
            "location": location or "local",
            "description": description,
        },
    )
    if not fresh:
        raise Conflict(
            f"The name {name!r} is taken on this server. Choose another, or ask its owner to add you.", "name"
        )
    Membership.objects.create(workspace=workspace, user=owner, role=Role.OWNER)
    return workspace


def add(workspace: Workspace, username: str, as_role: Role) -> Membership:
    """Let a person in, or change the role of one who is."""
    user = get_user_model().objects.filter(username=username).first()
    if user is None:
        raise NotFound(
            f"There is no account {username[:150]!r} on this server; an admin makes accounts under /admin/.", "username"
        )
    member, fresh = Membership.objects.get_or_create(workspace=workspace, user=user, defaults={"role": as_role})
    if not fresh:
        change(member, as_role)
    return member


@transaction.atomic
def change(member: Membership, as_role: Role) -> None:
    """Give a member another role; the last owner stays one."""
    _keep_an_owner(member, as_role)
    Membership.objects.filter(pk=member.pk).update(role=as_role)
    principals.forget()


@transaction.atomic
def remove(member: Membership) -> None:
    """Take a member out; the last owner stays."""
    _keep_an_owner(member, None)
    member.delete()


def _keep_an_owner(member: Membership, as_role: Role | None) -> None:
    owners = Membership.objects.select_for_update().filter(workspace=member.workspace_id, role=Role.OWNER)
    if as_role != Role.OWNER and list(owners.values_list("pk", flat=True)) == [member.pk]:
        raise Conflict("A workspace keeps at least one owner. Make somebody else an owner first.")
