"""Temporary volumes of jobs and nodes."""

from __future__ import annotations

from collections.abc import Mapping

from studio.containers.client import api, sentences
from studio.errors import NotFound


def create(name: str, labels: Mapping[str, str], *, engine: str | None = None) -> None:
    """Makes a volume; one of that name is kept as it is."""
    with sentences(engine):
        api(engine).create_volume(name, labels=dict(labels))


def exists(name: str, *, engine: str | None = None) -> bool:
    """Whether the engine has a volume of that name."""
    try:
        with sentences(engine):
            api(engine).inspect_volume(name)
    except NotFound:
        return False
    return True


def remove(name: str, *, engine: str | None = None) -> bool:
    """Removes a volume with what is in it. False when there was none; Conflict while a container uses it."""
    try:
        with sentences(engine):
            api(engine).remove_volume(name)
    except NotFound:
        return False
    return True


def names(labels: Mapping[str, str | None], *, engine: str | None = None) -> list[str]:
    """Names of all volumes that carry every label (value None: any value)."""
    return list(marked(labels, engine=engine))


def marked(labels: Mapping[str, str | None], *, engine: str | None = None) -> dict[str, dict[str, str]]:
    """The same with all labels of each."""
    wanted = [key if value is None else f"{key}={value}" for key, value in labels.items()]
    with sentences(engine):
        found = api(engine).volumes(filters={"label": wanted})["Volumes"] or []
    return {said["Name"]: dict(said["Labels"] or {}) for said in found}
