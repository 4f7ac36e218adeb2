"""Making, finding and revoking personal tokens."""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
from typing import TYPE_CHECKING

from django.dispatch import Signal
from django.utils import timezone

from studio.errors import Invalid, Unauthenticated
from studio.workspace.models import Token

if TYPE_CHECKING:
    from django.contrib.auth.models import User

revoked = Signal()
"""Sent after a token stopped working."""
PERSONAL = "atp_"
RUN = "atr_"
MAX_DAYS = 366


def digest(text: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(text.encode()).hexdigest()


def fresh(prefix: str) -> str:
    """A new token's text: the prefix tells people and scanners what it is; 256 random bits follow."""
    return prefix + secrets.token_urlsafe(32)


def make(user: User, name: str, *, days: int | None = 90) -> tuple[Token, str]:
    """A personal token and its text, which is shown this once. `days` None: it does not expire."""
    name = (name or "").strip()
    if not name or len(name) > 100 or any(ord(c) < 32 for c in name):
        raise Invalid(
            "A token needs a name of 1 to 100 characters, so that you can tell it apart when you revoke it.", "name"
        )
    if days is not None and not 1 <= days <= MAX_DAYS:
        raise Invalid(f"A token lives 1 to {MAX_DAYS} days; {days} is outside that.", "days")
    text = fresh(PERSONAL)
    expires = timezone.now() + dt.timedelta(days=days) if days else None
    return Token.objects.create(user=user, name=name, digest=digest(text), hint=text[:9], expires_at=expires), text


def revoke(token: Token) -> None:
    """The token stops working; its row stays, so that people see it was theirs."""
    Token.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now())
    revoked.send(sender=Token)


def user_of(text: str) -> User:
    """The person a personal token stands for, or Unauthenticated saying what is wrong with it."""
    token = Token.objects.select_related("user").filter(digest=digest(text)).first()
    now = timezone.now()
    if token is None or not token.user.is_active:
        raise Unauthenticated("This token is not known here. Make one on the page Tokens and run: atelier login.")
    if token.revoked_at:
        raise Unauthenticated(f"The token {token.name!r} was revoked. Make a new one on the page Tokens.")
    if token.expires_at and token.expires_at <= now:
        raise Unauthenticated(
            f"The token {token.name!r} expired on {token.expires_at:%Y-%m-%d}. Make a new one on the page Tokens."
        )
    # A minute's grain: "last used" is for people, and a write for each request would be the dearest part of it.
    if not token.last_used_at or now - token.last_used_at > dt.timedelta(minutes=1):
        Token.objects.filter(pk=token.pk).update(last_used_at=now)
    return token.user
