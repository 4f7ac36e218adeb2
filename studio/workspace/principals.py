"""Who calls: a person by token or session, or a run by its own token.

What a personal token stands for is kept in this process for CACHE_SECONDS, so that a stream of metrics does not ask the
database for the same person again. Revoking a token, or changing a role, counts at once in the process that did it
and at most that much later in the others. A run's token is never kept: it dies with its run, at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from django.contrib.auth import get_user_model

from studio.errors import Forbidden, NotFound, Unauthenticated
from studio.workspace import tokens
from studio.workspace.models import Membership, Role, Workspace

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.http import HttpRequest

CACHE_SECONDS = 5.0
MOST_KEPT = 10_000


class Seat(NamedTuple):
    """A workspace and what the caller may do there."""

    id: int
    role: Role


class RunIdentity(NamedTuple):
    """The run behind a run's token. Its workspace's name is what URLs are checked against."""

    id: str
    workspace_id: int
    workspace_name: str
    state: str
    submitted_by: str
    key: Any
    """What the runs app wants to find again without another query."""


@dataclass(slots=True, eq=False)
class Principal:
    """A caller. Stands in for `request.user` on API requests: it has the fields that views ask a user for."""

    id: int | None
    username: str
    email: str = ""
    is_superuser: bool = False
    seats: dict[str, Seat] = field(default_factory=dict)
    run: RunIdentity | None = None
    is_authenticated = True
    is_active = True
    is_anonymous = False

    @property
    def pk(self) -> int | None:
        """The person's key; None for a run."""
        return self.id

    def seat(self, name: str, need: Role = Role.READER) -> Seat:
        """The caller's seat in the workspace of that name; NotFound for a stranger, Forbidden below `need`."""
        found = self.seats.get(name)
        if (found is None or found.role < need) and self.run is None:
            self.seats = _seats(self.id, self.is_superuser)  # made or changed meanwhile by another process
            found = self.seats.get(name)
        if found is None:
            raise NotFound(f"There is no workspace {name!r} that you can see.")
        self.check(found.role, need)
        return found

    def seat_by_id(self, workspace_id: int, need: Role, what: str) -> Role:
        """The caller's role in the workspace with that key; `what` names the thing in it that was asked for."""
        for _ in range(2):
            for found in self.seats.values():
                if found.id == workspace_id and found.role >= need:
                    return found.role
            if self.run is None:
                self.seats = _seats(self.id, self.is_superuser)
        role = next((found.role for found in self.seats.values() if found.id == workspace_id), None)
        if role is None:
            raise NotFound(f"There is no {what} that you can see.")
        self.check(role, need)
        return role

    def check(self, role: Role, need: Role) -> None:
        """Forbidden when `role` is less than `need`."""
        if role < need and self.run is not None:
            raise Forbidden("A run's token can change its own run and the runs below it, and nothing else.")
        if role < need:
            raise Forbidden(f"This needs the role {need.label}; yours is {role.label}. Ask an owner of the workspace.")

    def user(self) -> User:
        """The account; Forbidden for a run, which has none."""
        if self.id is None:
            raise Forbidden("A run's token can't do this; use a personal token.")
        return get_user_model().objects.get(pk=self.id)


_kept: dict[str, tuple[float, Principal]] = {}
_find_run: Callable[[str], RunIdentity | None] = lambda digest: None  # noqa: E731 - replaced by the runs app


def find_runs_with(look_up: Callable[[str], RunIdentity | None]) -> None:
    """The runs app, which lies above this one, says here how a run's token (its digest) is found."""
    global _find_run
    _find_run = look_up


def forget() -> None:
    """Ask the database again: a token was revoked or a role changed."""
    _kept.clear()


def _seats(user_id: int | None, is_superuser: bool) -> dict[str, Seat]:
    if is_superuser:
        return {name: Seat(key, Role.OWNER) for name, key in Workspace.objects.values_list("name", "id")}
    rows = Membership.objects.filter(user=user_id).values_list("workspace__name", "workspace_id", "role")
    return {name: Seat(key, Role(role)) for name, key, role in rows}


def of_user(user: Any) -> Principal:
    """The principal of a signed-in person."""
    return Principal(user.pk, user.get_username(), user.email, user.is_superuser, _seats(user.pk, user.is_superuser))


def of_token(text: str) -> Principal:
    """The principal of a token's text, or Unauthenticated saying what is wrong with it."""
    digest = tokens.digest(text)
    if text.startswith(tokens.RUN):
        return _of_run(digest)
    now = time.monotonic()
    kept = _kept.get(digest)
    if kept and kept[0] > now:
        return kept[1]
    principal = of_user(tokens.user_of(text))
    if len(_kept) >= MOST_KEPT:
        _kept.clear()
    _kept[digest] = (now + CACHE_SECONDS, principal)
    return principal


def _of_run(digest: str) -> Principal:
    run = _find_run(digest)
    if run is None:
        raise Unauthenticated("This run's token is not valid: its run has ended, was deleted, or was started anew.")
    seats = {run.workspace_name: Seat(run.workspace_id, Role.READER)}
    return Principal(None, run.submitted_by, seats=seats, run=run)


def of_request(request: HttpRequest) -> Principal:
    """The caller: by the Authorization header, else by the browser's session; Unauthenticated when neither."""
    header = request.META.get("HTTP_AUTHORIZATION")
    if header is not None:
        scheme, _, text = header.partition(" ")
        if scheme.lower() != "bearer" or not text.strip():
            raise Unauthenticated("The Authorization header must be: Bearer <token>.")
        return of_token(text.strip())
    user = getattr(request, "user", None)
    if isinstance(user, Principal):
        return user
    if user is None or not user.is_authenticated:
        raise Unauthenticated("Send a token (Authorization: Bearer …) or sign in. The page Tokens makes one.")
    return of_user(user)
