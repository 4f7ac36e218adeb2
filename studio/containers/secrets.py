"""Secrets of a swarm: kept encrypted by its managers, seen as a file by the one container that they are given to."""

from __future__ import annotations

from collections.abc import Mapping

from studio.containers.client import api, sentences
from studio.errors import Conflict, NotFound


def create(name: str, data: bytes, labels: Mapping[str, str], *, engine: str | None = None) -> str:
    """Makes a secret, or finds the one of that name, whose content never changes; returns its id."""
    try:
        with sentences(engine):
            made = api(engine).create_secret(name, data, labels=dict(labels))
        return str(made["ID"])
    except Conflict:
        with sentences(engine):
            return str(api(engine).inspect_secret(name)["ID"])


def remove(name: str, *, engine: str | None = None) -> bool:
    """Removes a secret. False when there was none; the engine refuses while a service has it."""
    try:
        with sentences(engine):
            api(engine).remove_secret(name)
    except NotFound:
        return False
    return True


def names(labels: Mapping[str, str | None], *, engine: str | None = None) -> list[str]:
    """Names of all secrets that carry every label (value None: any value)."""
    return list(marked(labels, engine=engine))


def marked(labels: Mapping[str, str | None], *, engine: str | None = None) -> dict[str, dict[str, str]]:
    """The same with all labels of each."""
    wanted = [key if value is None else f"{key}={value}" for key, value in labels.items()]
    with sentences(engine):
        found = api(engine).secrets(filters={"label": wanted})
    return {said["Spec"]["Name"]: dict(said["Spec"].get("Labels") or {}) for said in found}
