"""Connections to Docker engines, and the translation of their errors into sentences.

Every call names its engine by URL (`unix:///var/run/docker.sock`, `tcp://host:2375`); none means the one of DOCKER_HOST,
else the local socket. A connection is kept per thread: the session underneath is not safe to share.
"""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.conf import settings

from studio.errors import Conflict, Invalid, NotFound, StudioError, TooLarge, Unavailable

if TYPE_CHECKING:
    import docker.errors

    from studio.containers.connection import Connection

LOCAL = "unix:///var/run/docker.sock"
# An answer to any call but the streaming ones; a busy engine takes seconds to make a network.
TIMEOUT_SECONDS = 60

_kept = threading.local()


def engine_url(engine: str | None = None) -> str:
    """The URL of the engine that `engine` means; None is the default one."""
    return engine or settings.DOCKER_HOST or LOCAL


def connect(engine: str | None = None, **options: Any) -> Connection:
    """A new connection. Raises Unavailable when nothing answers there."""
    # Here: the web server starts without it, and few of its pages ask an engine.
    from studio.containers.connection import Connection, certificates

    url = engine_url(engine)
    with sentences(engine):
        return Connection(base_url=url, tls=certificates(url) or False, **options)


def api(engine: str | None = None) -> Connection:
    """This thread's connection to an engine. Raises Unavailable when nothing answers there."""
    url = engine_url(engine)
    kept: dict[str, Connection] = _kept.__dict__.setdefault("clients", {})
    if url not in kept:
        kept[url] = connect(engine, version="auto", timeout=TIMEOUT_SECONDS)
    return kept[url]


def forget(engine: str | None = None) -> None:
    """Closes this thread's connection, for a thread that ends or an engine that is gone for good."""
    kept: dict[str, Connection] = _kept.__dict__.get("clients", {})
    connection = kept.pop(engine_url(engine), None)
    if connection is not None:
        connection.close()


@contextlib.contextmanager
def sentences(engine: str | None = None) -> Iterator[None]:
    """What the engine refuses inside this block is raised as a StudioError that says what to do."""
    import docker.errors
    import requests.exceptions
    import urllib3.exceptions

    try:
        yield
    except docker.errors.ImageNotFound as error:
        raise NotFound(f"There is no such image: {explanation(error)}.") from error
    except docker.errors.APIError as error:
        raise translated(error) from error
    except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, docker.errors.DockerException) as error:
        raise Unavailable(
            f"The Docker engine at {engine_url(engine)} does not answer; start it, or set DOCKER_HOST to the one to use."
        ) from error


def explanation(error: docker.errors.APIError) -> str:
    """The engine's own words, without their trailing dot."""
    return str(error.explanation or error).strip().rstrip(".")


def translated(error: docker.errors.APIError) -> StudioError:
    """The StudioError of an engine's refusal."""
    words = explanation(error)
    status = error.response.status_code if error.response is not None else 500
    if "no space left on device" in words:
        return Unavailable(f"The disk of the Docker engine is full; remove unused images or enlarge it ({words}).")
    if "could not select device driver" in words:
        return Invalid(
            "This Docker engine has no GPU runtime; use a compute target without GPUs, or install the runtime."
        )
    if status == 404:
        return NotFound(f"The Docker engine has no such thing: {words}.")
    if status == 409:
        return Conflict(f"The Docker engine refuses: {words}.")
    if status == 413:
        return TooLarge(f"The Docker engine refuses the size: {words}.")
    # A daemon answers 500 for many mistakes of the request, such as a limit above what the host has.
    if status == 400 or re.search(r"invalid|Range of CPUs|Minimum memory limit", words):
        return Invalid(f"The Docker engine refuses: {words}.")
    return Unavailable(f"The Docker engine failed: {words}.")


def answers(engine: str | None = None) -> bool:
    """Whether an engine is there now."""
    try:
        with sentences(engine):
            return bool(api(engine).ping())
    except StudioError:
        forget(engine)
        return False


@dataclass(frozen=True)
class EngineInfo:
    """What an engine has: `cpus` cores, `memory` in bytes, `gpus` by what its NVIDIA runtime reports."""

    id: str
    name: str
    version: str
    cpus: int
    memory: int
    has_nvidia_runtime: bool
    swarm_state: str
    swarm_manager: bool
    swarm_id: str
    root_folder: str


def info(engine: str | None = None) -> EngineInfo:
    """Asks an engine what it has. Raises Unavailable."""
    with sentences(engine):
        said = api(engine).info()
    swarm = said.get("Swarm") or {}
    return EngineInfo(
        id=said.get("ID") or "",
        name=said.get("Name") or "",
        version=said.get("ServerVersion") or "",
        cpus=int(said.get("NCPU") or 0),
        memory=int(said.get("MemTotal") or 0),
        has_nvidia_runtime="nvidia" in (said.get("Runtimes") or {}),
        swarm_state=swarm.get("LocalNodeState") or "inactive",
        swarm_manager=bool(swarm.get("ControlAvailable")),
        swarm_id=swarm.get("NodeID") or "",
        root_folder=said.get("DockerRootDir") or "",
    )
