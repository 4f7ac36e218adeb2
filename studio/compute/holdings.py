"""What a node has on its engine: a network and a volume. In a swarm the network is the manager's and spans its hosts."""

from __future__ import annotations

from studio.compute import engines
from studio.compute.models import Engine, Node
from studio.containers import networks, volumes


def labels(node: Node) -> dict[str, str]:
    """How a thing on an engine says whose it is."""
    return {"atelier.site": engines.site(), "atelier.node": node.key, "atelier.target": node.target.name}


def _places(node: Node) -> tuple[str | None, str | None]:
    """(the engine that is asked for the network, the one that is asked for the volume)."""
    address = node.engine.address or None
    return (None if node.engine.backend == Engine.Backend.SWARM else address), address


def make(node: Node) -> None:
    """Makes what is missing. A node of processes has neither."""
    if not node.network:
        return
    network, volume = _places(node)
    spans = {"driver": "overlay", "attachable": True} if node.engine.backend == Engine.Backend.SWARM else {}
    networks.create(node.network, labels(node), engine=network, **spans)  # type: ignore[arg-type] # mypy: dict of both
    volumes.create(node.volume, labels(node), engine=volume)


def remove(node: Node) -> None:
    """Removes what is there. Raises Conflict while something uses it. What a host had that is gone for good is gone."""
    if not node.network:
        return
    network, volume = _places(node)
    networks.remove(node.network, engine=network)
    if not node.engine.is_gone:
        volumes.remove(node.volume, engine=volume)


def whole(node: Node) -> bool:
    """Whether all of it is there."""
    network, volume = _places(node)
    return not node.network or (
        networks.exists(node.network, engine=network) and volumes.exists(node.volume, engine=volume)
    )
