"""Ways to say who is asking."""

from atelier.auth import Audience
from atelier.auth import Authentication as AbstractAuthentication
from atelier.auth import CliLogin as AzureCliAuthentication
from atelier.auth import InteractiveLogin as InteractiveLoginAuthentication
from atelier.auth import ManagedIdentity as MsiAuthentication
from atelier.auth import ServicePrincipal as ServicePrincipalAuthentication
from atelier.auth import TokenFunction as TokenAuthentication
from atelier.errors import AuthenticationError as AuthenticationException

__all__ = [
    "AbstractAuthentication",
    "Audience",
    "AuthenticationException",
    "AzureCliAuthentication",
    "InteractiveLoginAuthentication",
    "MsiAuthentication",
    "ServicePrincipalAuthentication",
    "TokenAuthentication",
]
