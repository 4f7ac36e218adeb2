"""Ways to say who is asking. Whatever the class, what is sent is a token of this server.

The classes of v1 are accepted so that scripts run unchanged: they use `ATELIER_TOKEN`, the run's token in a job, or
what `atelier login` saved. A service principal's password and a token function may be such a token themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any

from atelier import config
from atelier.client import Client
from atelier.errors import AuthenticationError

TOKEN_PREFIXES = ("atp_", "atr_")


class Audience(Enum):
    """What a token is asked for; every audience is this server."""

    ARM = "ARM"
    AML = "AML"
    arm = "ARM"
    aml = "AML"


class Authentication:
    """Base: the token that the environment or `atelier login` gives."""

    _token: str | None = None

    def client(self) -> Client:
        """A client that asks with this authentication's token."""
        if self._token is None:
            return config.default_client()
        return Client(config.server_url(), self._token, config.default_transport())

    def get_token(self) -> str:
        """The token; raises a sentence when there is none."""
        token = self.client().token
        if not token:
            raise AuthenticationError("There is no token. Run `atelier login`, or set ATELIER_TOKEN.")
        return token

    def get_authentication_header(self) -> dict[str, str]:
        """{"Authorization": "Bearer …"} for requests to this server."""
        return {"Authorization": f"Bearer {self.get_token()}"}


class InteractiveLogin(Authentication):
    """As `atelier login` saved it; nothing is asked here."""

    def __init__(self, force: bool = False, tenant_id: str | None = None, cloud: str | None = None) -> None:
        self.tenant_id = tenant_id


class CliLogin(InteractiveLogin):
    """As `atelier login` saved it."""


class ManagedIdentity(Authentication):
    """In a job, the run's own token; else as `atelier login` saved it."""

    def __init__(self, identity_config: Any = None, cloud: str | None = None) -> None:
        self.identity_config = identity_config


class ServicePrincipal(Authentication):
    """A token given as the password; with any other password, the token of the environment."""

    def __init__(
        self,
        tenant_id: str | None = None,
        service_principal_id: str | None = None,
        service_principal_password: str | None = None,
        cloud: str | None = None,
        _enable_caching: bool = True,
    ) -> None:
        self.tenant_id = tenant_id
        self.service_principal_id = service_principal_id
        if service_principal_password and service_principal_password.startswith(TOKEN_PREFIXES):
            self._token = service_principal_password


class TokenFunction(Authentication):
    """A token from a function of the audience."""

    def __init__(self, get_token_for_audience: Callable[[Any], str], cloud: str | None = None) -> None:
        self._ask = get_token_for_audience

    def client(self) -> Client:
        """A client that asks the function for each request."""
        return Client(config.server_url(), lambda: self._ask(Audience.AML), config.default_transport())
