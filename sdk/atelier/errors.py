"""What can go wrong, as sentences a person can act on.

One class per error code of the server, below `UserError` (change the call) or `ServiceError` (the server or the
way to it). `azureml.exceptions` gives the same classes their v1 names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class AtelierError(Exception):
    """Base of every error this SDK raises.

    `message` is the sentence; `inner_exception` the error below it, if any.
    """

    def __init__(self, message: str = "", inner_exception: BaseException | None = None, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.inner_exception = inner_exception
        self.details = details


class UserError(AtelierError):
    """The call cannot succeed as it stands."""


class ServiceError(AtelierError):
    """The server failed, or could not be reached."""


class InvalidRequest(UserError, ValueError):
    """The server refused a value; `field` names it where it is known."""

    field: str | None = None


class AuthenticationError(UserError):
    """No token, or one that the server does not accept."""


class ForbiddenError(UserError):
    """The token is good, but its owner's role does not allow this."""


class NotFoundError(UserError):
    """Nothing with that name that this token may see."""


class ConflictError(UserError):
    """What is there already does not allow this."""


class TooLargeError(UserError):
    """More than the server takes in one piece."""


class UnavailableError(ServiceError):
    """The server answered that it cannot work just now."""


class UnreachableError(UnavailableError):
    """No answer from the server at all."""


class ConfigurationError(UserError):
    """A setting, file or environment variable is missing or wrong."""


class SnapshotError(UserError):
    """The source folder cannot be kept as a snapshot."""


class RunContextError(AtelierError):
    """There is no run to work in here."""


class RunFailed(AtelierError):
    """The run that was waited for did not complete."""


class ComputeTargetError(AtelierError):
    """The compute target does not exist or cannot do that."""


class WebserviceError(AtelierError):
    """Base of errors on registered models and web services."""


class ModelNotFoundError(WebserviceError, NotFoundError):
    """No model of that name, version or id in the workspace."""


class UnsupportedError(UserError, NotImplementedError):
    """A name of the v1 SDK that this server does not offer; the sentence says what to use instead."""


BY_CODE: dict[str, type[AtelierError]] = {
    "invalid": InvalidRequest,
    "unauthenticated": AuthenticationError,
    "forbidden": ForbiddenError,
    "not_found": NotFoundError,
    "conflict": ConflictError,
    "too_large": TooLargeError,
    "unavailable": UnavailableError,
}
BY_STATUS = {400: "invalid", 401: "unauthenticated", 403: "forbidden", 404: "not_found", 409: "conflict",
             413: "too_large", 422: "invalid"}  # fmt: skip


def from_answer(status: int, answer: Any, where: str) -> AtelierError:
    """The error for an HTTP `status` and the decoded body (`{"error": {code, message, field}}` or anything else)."""
    error = answer.get("error") if isinstance(answer, Mapping) else None
    if not isinstance(error, Mapping):
        error = {}
    code = error.get("code") or BY_STATUS.get(status) or "unavailable"
    message = error.get("message") or f"The server answered {status} to {where}."
    raised = BY_CODE.get(code, ServiceError)(message, status=status, code=code)
    if isinstance(raised, InvalidRequest):
        raised.field = error.get("field")
    return raised
