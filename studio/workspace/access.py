"""The one place that decides who may see and do what.

A person outside a workspace is told that nothing is there: the same 404 as for a name that does not exist.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from studio.errors import Forbidden, NotFound, Unauthenticated
from studio.workspace.models import Membership, Role, Workspace
from studio.workspace.principals import Principal

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User
    from django.db.models import QuerySet
    from django.http import HttpRequest


def signed_in(request: HttpRequest) -> User:
    """The person behind a page's request, or Unauthenticated."""
    user = request.user
    if not user.is_authenticated:
        raise Unauthenticated("Sign in to see this page.")
    return user  # type: ignore[return-value]


def role_in(user: User | AnonymousUser | Principal, workspace: Workspace) -> Role | None:
    """The person's role, None for a stranger. The server's superusers own every workspace."""
    if isinstance(user, Principal) and user.run is not None:
        return Role.READER if user.run.workspace_id == workspace.pk else None
    if not user.is_authenticated or not user.is_active:
        return None
    if user.is_superuser:
        return Role.OWNER
    row = Membership.objects.filter(workspace=workspace, user=user.pk).values_list("role", flat=True).first()
    return Role(row) if row is not None else None


def check(role: Role | None, need: Role, what: str) -> None:
    """Raise unless `role` is at least `need`; a stranger gets NotFound, a member Forbidden."""
    if role is None:
        raise NotFound(f"There is no {what} that you can see.")
    if role < need:
        raise Forbidden(f"This needs the role {need.label}; yours is {role.label}. Ask an owner of the workspace.")


def workspace_for(user: User | AnonymousUser | Principal, name: str, need: Role = Role.READER) -> Workspace:
    """The workspace by its name when the person may `need` there; else NotFound or Forbidden. Two queries."""
    workspace = Workspace.objects.filter(name=name).first()
    if workspace is None:
        raise NotFound(f"There is no workspace {name!r} that you can see.")
    role = role_in(user, workspace)
    if isinstance(user, Principal) and role is not None:
        user.check(role, need)
    check(role, need, f"workspace {name!r}")
    workspace.role = role  # type: ignore[attr-defined]  # pages show or hide what the person can't do
    return workspace


def workspaces_of(user: User | AnonymousUser | Principal) -> QuerySet[Workspace, Any]:
    """The workspaces that the person is in, by name."""
    if not user.is_authenticated:
        return Workspace.objects.none()
    if user.is_superuser:
        return Workspace.objects.order_by("name")
    if isinstance(user, Principal) and user.run is not None:
        return Workspace.objects.filter(pk=user.run.workspace_id)
    return Workspace.objects.filter(memberships__user=user.pk).order_by("name")
