"""Networks of jobs and nodes: each apart from the others, so that a job sees its own containers and the way out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studio.containers.client import api, sentences
from studio.errors import Conflict, NotFound


def create(
    name: str,
    labels: Mapping[str, str],
    *,
    driver: str = "bridge",
    attachable: bool = False,
    engine: str | None = None,
) -> bool:
    """Makes a network; False when there is one of that name. `overlay` needs a swarm."""
    # check_duplicate: without it the engine makes a second network of the same name.
    options: dict[str, Any] = {"attachable": True} if attachable else {}
    try:
        with sentences(engine):
            api(engine).create_network(name, driver=driver, check_duplicate=True, labels=dict(labels), **options)
    except Conflict:
        return False
    return True


def exists(name: str, *, engine: str | None = None) -> bool:
    """Whether the engine has a network of that name."""
    try:
        with sentences(engine):
            api(engine).inspect_network(name)
    except NotFound:
        return False
    return True


def gateway(name: str, *, engine: str | None = None) -> str:
    """The host's own address on a network; containers reach a server on the host there. Raises NotFound."""
    with sentences(engine):
        said = api(engine).inspect_network(name)
    for config in (said.get("IPAM") or {}).get("Config") or []:
        if config.get("Gateway"):
            return str(config["Gateway"])
    raise NotFound(f"The network {name} has no gateway to the host.")


def remove(name: str, *, engine: str | None = None) -> bool:
    """Removes a network, cutting off what is still attached to it. False when there was none."""
    connection = api(engine)
    try:
        with sentences(engine):
            attached = connection.inspect_network(name).get("Containers") or {}
        for container in attached:
            try:
                with sentences(engine):
                    connection.disconnect_container_from_network(container, name, force=True)
            except (NotFound, Conflict):
                continue  # it ended meanwhile
        with sentences(engine):
            connection.remove_network(name)
    except NotFound:
        return False
    return True


def names(labels: Mapping[str, str | None], *, engine: str | None = None) -> list[str]:
    """Names of all networks that carry every label (value None: any value)."""
    return list(marked(labels, engine=engine))


def marked(labels: Mapping[str, str | None], *, engine: str | None = None) -> dict[str, dict[str, str]]:
    """The same with all labels of each."""
    wanted = [key if value is None else f"{key}={value}" for key, value in labels.items()]
    with sentences(engine):
        found = api(engine).networks(filters={"label": wanted})
    # A network of a swarm is its manager's, which is the default engine; the other hosts see it and can't remove it.
    return {said["Name"]: dict(said["Labels"] or {}) for said in found if said["Scope"] != "swarm" or not engine}
