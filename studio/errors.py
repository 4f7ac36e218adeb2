"""Errors that people read: each is a sentence that names the thing and the next step.

Domain code raises them; a page, the API and the worker each translate them once, at the edge.
"""

from __future__ import annotations

import errno
import re


class StudioError(Exception):
    """A refusal that the person in front of it can act on. `field` names the input at fault, when there is one."""

    status = 400
    code = "invalid"

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field

    def as_dict(self) -> dict[str, str | None]:
        """The wire form: {"code", "message", "field"}."""
        return {"code": self.code, "message": self.message, "field": self.field}


class Invalid(StudioError):
    """The input is wrong; nothing was written."""


class Unauthenticated(StudioError):
    """Nobody is signed in, or the token is unknown, revoked or expired."""

    status = 401
    code = "unauthenticated"


class Forbidden(StudioError):
    """The person may see the thing but not do this to it."""

    status = 403
    code = "forbidden"


class NotFound(StudioError):
    """There is no such thing, or it is in a workspace of others."""

    status = 404
    code = "not_found"


class Conflict(StudioError):
    """The thing is in a state that does not allow this."""

    status = 409
    code = "conflict"


class TooLarge(StudioError):
    """A documented limit is passed."""

    status = 413
    code = "too_large"


class Unavailable(StudioError):
    """Something this needs (an engine, a registry, a disk) does not answer now."""

    status = 503
    code = "unavailable"


def full_disk(error: BaseException | None) -> Unavailable | None:
    """The sentence when an error is, or came from, a full disk of this server or of its database; else None."""
    while error is not None:
        full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
        # SQLite and PostgreSQL tell it in words only.
        if full or re.search(r"disk is full|No space left on device", str(error)):
            return Unavailable(
                "The server's disk is full, so nothing was written. Free space on it; jobs keep what they have to send."
            )
        error = error.__cause__
    return None
