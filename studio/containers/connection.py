"""The connection to an engine. In a module of its own: the web server starts without Docker's client, and few pages ask."""

from __future__ import annotations

from pathlib import Path

import docker
import docker.tls
from django.conf import settings


class Connection(docker.APIClient):
    """An engine's interface, one request a call. Speaks to the engine itself and believes the engine's authority alone.

    Without this, requests lets REQUESTS_CA_BUNDLE and http_proxy, which are about the web, rule here too.
    """

    trust_env = property(lambda self: False, lambda self, value: None)


def certificates(url: str) -> docker.tls.TLSConfig | None:
    """What an engine on another machine is spoken to with: the client's certificate in DOCKER_CERT_PATH, if it is set."""
    if not settings.DOCKER_CERT_PATH or not url.startswith(("tcp://", "https://")):
        return None
    folder = Path(settings.DOCKER_CERT_PATH)
    pair = (str(folder / "cert.pem"), str(folder / "key.pem"))
    return docker.tls.TLSConfig(client_cert=pair, ca_cert=str(folder / "ca.pem"), verify=True)
