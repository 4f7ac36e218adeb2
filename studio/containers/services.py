"""Services of a swarm that run once: one task on one named host, never started again, made with limits and unprivileged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from studio.containers.client import api, sentences
from studio.containers.containers import LOG_OPTIONS, PIDS_LIMIT, ContainerSpec, moment
from studio.errors import Conflict, NotFound

# Tasks and their containers carry the name of their service: their host's engine knows no services.
NAME_LABEL = "atelier.service"
# Services can ask for it since this version of the API; before, whoever starts the job must see to it.
NO_NEW_PRIVILEGES_SINCE = "1.46"


@dataclass(frozen=True)
class SecretFile:
    """A secret as a file in the container."""

    secret: str
    secret_id: str
    path: str
    uid: int
    gid: int
    mode: int


@dataclass(frozen=True)
class Task:
    """What the manager last heard of a task. `state` is one of swarm's own words; `exit_code` None until it ended."""

    id: str
    state: str
    desired: str
    message: str
    error: str
    host: str
    container: str
    exit_code: int | None
    at: datetime | None


def create(
    spec: ContainerSpec, host: str, secrets: tuple[SecretFile, ...], volume_labels: Mapping[str, str], *,
    engine: str | None = None,
) -> bool:  # fmt: skip
    """Makes a service with one task on `host` (its id). False when one of that name is there already."""
    connection = api(engine)
    template = {
        "ContainerSpec": _container(spec, secrets, volume_labels, connection.api_version),
        "Resources": _resources(spec),
        "RestartPolicy": {"Condition": "none", "MaxAttempts": 0},
        "Placement": {"Constraints": [f"node.id=={host}"]},
        "LogDriver": {"Name": "json-file", "Options": dict(LOG_OPTIONS)},
        "Networks": [{"Target": spec.network, "Aliases": list(spec.aliases)}] if spec.network else [],
    }
    try:
        with sentences(engine):
            # dnsrr: a name leads to the container itself. A virtual address in between is not one that MPI could bind.
            connection.create_service(
                template,
                name=spec.name,
                labels=dict(spec.labels),
                mode={"Replicated": {"Replicas": 1}},  # type: ignore[arg-type] # the stubs know the class only
                endpoint_spec={"Mode": "dnsrr"},  # type: ignore[arg-type]
            )
    except Conflict:
        if not exists(spec.name, engine=engine):
            raise
        return False
    return True


def _resources(spec: ContainerSpec) -> dict[str, Any]:
    """Limits, and the memory set aside. Cores are shared in time: to reserve them would forbid what a node allows."""
    limits: dict[str, int] = {"Pids": PIDS_LIMIT}
    if spec.cpus:
        limits["NanoCPUs"] = int(spec.cpus * 1e9)
    reserved: dict[str, int] = {}
    if spec.memory_mb:
        limits["MemoryBytes"] = reserved["MemoryBytes"] = spec.memory_mb << 20
    return {"Limits": limits, "Reservations": reserved}


def _container(
    spec: ContainerSpec, secrets: tuple[SecretFile, ...], volume_labels: Mapping[str, str], version: str
) -> dict[str, Any]:
    mounts: list[dict[str, Any]] = [
        # Labelled here too: a container that starts late makes the volume anew, and the sweep must know it.
        {"Type": "volume", "Source": name, "Target": to, "VolumeOptions": {"Labels": dict(volume_labels)}}
        for to, name in spec.volumes.items()
    ]
    if spec.shm_bytes:
        # Services have no size for /dev/shm; a file system in memory at its place is the same.
        options = {"SizeBytes": spec.shm_bytes, "Mode": 0o1777}
        mounts.append({"Type": "tmpfs", "Target": "/dev/shm", "TmpfsOptions": options})
    made: dict[str, Any] = {
        "Image": spec.image,
        # Command takes the place of the image's entry point, which would run before the job.
        "Command": list(spec.command),
        "User": spec.user,
        "Env": [f"{name}={value}" for name, value in spec.environment.items()],
        "Labels": {**spec.labels, NAME_LABEL: spec.name},
        "Dir": spec.working_dir,
        "Hostname": spec.hostname,
        "Hosts": [f"{address} {name}" for name, address in spec.extra_hosts.items()],
        "Mounts": mounts,
        "Init": True,
        "CapabilityDrop": ["ALL"],
        "Ulimits": [{"Name": "core", "Soft": 0, "Hard": 0}],
        "StopGracePeriod": 10 * 10**9,
        "Secrets": [
            {
                "SecretName": one.secret,
                "SecretID": one.secret_id,
                "File": {"Name": one.path, "UID": str(one.uid), "GID": str(one.gid), "Mode": one.mode},
            }
            for one in secrets
        ],
    }
    from docker.utils import version_lt  # here, as the web server starts without Docker's client

    if not version_lt(version, NO_NEW_PRIVILEGES_SINCE):
        made["Privileges"] = {"NoNewPrivileges": True}
    return made


def exists(name: str, *, engine: str | None = None) -> bool:
    """Whether the swarm has a service of that name."""
    try:
        with sentences(engine):
            api(engine).inspect_service(name)
    except NotFound:
        return False
    return True


def task(name: str, *, engine: str | None = None) -> Task | None:
    """The service's task; None while the manager has made none yet. Raises NotFound without such a service."""
    try:
        with sentences(engine):
            found = api(engine).tasks(filters={"service": name})
    except NotFound:
        found = []
    # A prefix of another service's name or id must not be taken for it.
    found = [said for said in found if said["Spec"]["ContainerSpec"]["Labels"].get(NAME_LABEL) == name]
    if not found:
        if not exists(name, engine=engine):
            raise NotFound(f"There is no service {name}.")
        return None
    said = max(found, key=lambda one: one["CreatedAt"])
    status = said.get("Status") or {}
    container = status.get("ContainerStatus") or {}
    ended = status.get("State") in ENDED
    return Task(
        id=said["ID"],
        state=status.get("State") or "new",
        desired=said.get("DesiredState") or "",
        message=status.get("Message") or "",
        error=(status.get("Err") or "").strip(),
        host=said.get("NodeID") or "",
        container=container.get("ContainerID") or "",
        exit_code=container.get("ExitCode") if ended and container.get("ContainerID") else None,
        at=moment(status.get("Timestamp")),
    )


# Swarm's words for a task that will not run any more.
ENDED = frozenset({"complete", "failed", "rejected", "shutdown", "orphaned", "remove"})


def remove(name: str, *, engine: str | None = None) -> bool:
    """Removes a service; its host ends and removes the container, or does so when it is back. False without one."""
    try:
        with sentences(engine):
            api(engine).remove_service(name)
    except NotFound:
        return False
    return True


def names(labels: Mapping[str, str | None], *, engine: str | None = None) -> list[str]:
    """Names of all services that carry every label (value None: any value)."""
    return list(marked(labels, engine=engine))


def marked(labels: Mapping[str, str | None], *, engine: str | None = None) -> dict[str, dict[str, str]]:
    """The same with all labels of each."""
    wanted = [key if value is None else f"{key}={value}" for key, value in labels.items()]
    with sentences(engine):
        found = api(engine).services(filters={"label": wanted})
    return {said["Spec"]["Name"]: dict(said["Spec"].get("Labels") or {}) for said in found}
