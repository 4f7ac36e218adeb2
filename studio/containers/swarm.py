"""Docker's own swarm as its manager tells it: the hosts that are in it, and how they are."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from studio.containers.client import api, engine_url, info, sentences
from studio.errors import Conflict, Unavailable

# The label of a host that says where its own engine is reached: volumes, images and samples are asked there.
ENGINE_LABEL = "atelier.engine"
# A host on the same network answers within milliseconds; one whose cable is out would be waited for a minute.
CONNECT_SECONDS = 3.0


@dataclass(frozen=True)
class Host:
    """A host as the manager sees it. `cpus` in cores, `memory` in bytes; `engine` is a URL or empty.

    `state` is ready, down, unknown or disconnected; `availability` active, pause or drain.
    """

    id: str
    name: str
    state: str
    availability: str
    message: str
    engine: str
    cpus: int
    memory: int
    is_manager: bool


def hosts(manager: str | None = None) -> list[Host]:
    """All hosts by name. Raises Conflict when the engine is in no swarm or is not its manager, Unavailable."""
    require_manager(manager)
    with sentences(manager):
        found = api(manager).nodes()
    return sorted((_host(said) for said in found), key=lambda host: (host.name, host.id))


def host(host_id: str, manager: str | None = None) -> Host:
    """One host. Raises NotFound for one that has left for good."""
    with sentences(manager):
        return _host(api(manager).inspect_node(host_id))


def require_manager(manager: str | None = None) -> str:
    """The manager's own id among the hosts. Raises Conflict with what to do when the engine is no manager."""
    said = info(manager)
    if said.swarm_state != "active":
        raise Conflict(
            f"The Docker engine at {engine_url(manager)} is in no swarm; run `docker swarm init` on it, or use the "
            "backend docker."
        )
    if not said.swarm_manager:
        raise Conflict(
            f"The Docker engine at {engine_url(manager)} is a worker of its swarm; set DOCKER_HOST to a manager."
        )
    return said.swarm_id


def down(host: Host) -> str:
    """That nothing can be asked of a host, with the manager's reason."""
    because = f" ({host.message})" if host.message else ""
    return f"The host {host.name} is {host.state} in the swarm{because}."


def _host(said: Mapping[str, Any]) -> Host:
    spec, status, description = said["Spec"], said.get("Status") or {}, said.get("Description") or {}
    resources = description.get("Resources") or {}
    return Host(
        id=said["ID"],
        name=description.get("Hostname") or said["ID"],
        state=status.get("State") or "unknown",
        availability=spec.get("Availability") or "active",
        message=status.get("Message") or "",
        engine=(spec.get("Labels") or {}).get(ENGINE_LABEL, ""),
        cpus=int(resources.get("NanoCPUs") or 0) // 10**9,
        memory=int(resources.get("MemoryBytes") or 0),
        is_manager=bool(said.get("ManagerStatus")),
    )


def require_reachable(engine: str | None) -> None:
    """Raises Unavailable within seconds when nothing listens at an engine's TCP address; a socket file is believed."""
    parts = urlsplit(engine or "")
    if parts.scheme not in ("tcp", "http", "https"):
        return
    try:
        socket.create_connection((parts.hostname or "", parts.port or 2376), CONNECT_SECONDS).close()
    except OSError as error:
        raise Unavailable(f"The Docker engine at {engine} cannot be reached ({error.strerror or error}).") from error
