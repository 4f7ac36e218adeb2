"""Containers: made with limits and without privileges, looked at, stopped, removed; files put in before they start."""

from __future__ import annotations

import io
import tarfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from studio.containers.client import api, sentences
from studio.errors import Conflict, NotFound

# The kernel adds one page table, one thread stack … per process; a job that forks without end stops here.
PIDS_LIMIT = 4096
# The engine keeps what a container writes; a job that prints without end must not fill the host's disk.
LOG_OPTIONS = {"max-size": "20m", "max-file": "2"}


@dataclass(frozen=True)
class ContainerSpec:
    """A container to be. `memory_mb` bounds memory and swap together; `cpus` is in cores; `user` is "uid:gid".

    `volumes` {target: volume name}, `read_only_files` {target: path on the engine's host}, `tmpfs` {target: options}; `gpus` are indexes.
    """

    name: str
    image: str
    command: list[str]
    user: str
    environment: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    working_dir: str | None = None
    hostname: str | None = None
    network: str | None = None
    aliases: list[str] = field(default_factory=list)
    extra_hosts: Mapping[str, str] = field(default_factory=dict)
    volumes: Mapping[str, str] = field(default_factory=dict)
    read_only_files: Mapping[str, str] = field(default_factory=dict)
    tmpfs: Mapping[str, str] = field(default_factory=dict)
    cpus: float | None = None
    memory_mb: int | None = None
    shm_bytes: int | None = None
    gpus: tuple[int, ...] = ()


@dataclass(frozen=True)
class ContainerState:
    """What the engine says of a container now. `absent` when it knows none of that name."""

    status: Literal["absent", "created", "running", "exited"]
    exit_code: int | None = None
    oom_killed: bool = False
    started_at: datetime | None = None
    finished_at: datetime | None = None
    error: str = ""


@dataclass(frozen=True)
class File:
    """A file or folder to put into a container, with its owner and mode; `data` None means a folder."""

    path: str
    data: bytes | None
    mode: int
    uid: int = 0
    gid: int = 0


def create(spec: ContainerSpec, *, engine: str | None = None) -> bool:
    """Makes a container, not started. False when one of that name is there already (a second call changes nothing).

    It has no capability, cannot gain one, sees no socket of the engine, and reaps its orphans (init).
    """
    from docker.types import DeviceRequest, LogConfig, Mount, Ulimit

    connection = api(engine)
    limits: dict[str, Any] = {}
    if spec.cpus:
        limits["nano_cpus"] = int(spec.cpus * 1e9)
    if spec.memory_mb:
        # Equal figures: no swap beyond it, so that the limit is the limit.
        limits["mem_limit"] = limits["memswap_limit"] = f"{spec.memory_mb}m"
    if spec.gpus:
        ids = [str(index) for index in spec.gpus]
        limits["device_requests"] = [DeviceRequest(device_ids=ids, capabilities=[["gpu"]])]
    mounts = [Mount(target=target, source=name, type="volume") for target, name in spec.volumes.items()]
    mounts += [Mount(target=to, source=path, type="bind", read_only=True) for to, path in spec.read_only_files.items()]
    host = connection.create_host_config(
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        init=True,
        pids_limit=PIDS_LIMIT,
        ulimits=[Ulimit(name="core", soft=0, hard=0)],
        log_config=LogConfig(type="json-file", config=LOG_OPTIONS),
        network_mode=spec.network or "bridge",
        extra_hosts=dict(spec.extra_hosts),
        mounts=mounts,
        tmpfs=dict(spec.tmpfs),
        shm_size=spec.shm_bytes,
        **limits,
    )
    networking = None
    if spec.network and spec.aliases:
        endpoint = connection.create_endpoint_config(aliases=list(spec.aliases))
        networking = connection.create_networking_config({spec.network: endpoint})  # type: ignore[arg-type] # the stubs err
    try:
        with sentences(engine):
            connection.create_container(
                image=spec.image,
                command=spec.command,
                # The image's own entry point would run before the job, with what it likes to do as root.
                entrypoint="",
                name=spec.name,
                user=spec.user,
                environment=dict(spec.environment),
                labels=dict(spec.labels),
                working_dir=spec.working_dir,
                hostname=spec.hostname,
                host_config=host,
                networking_config=networking,
            )
    except Conflict:
        if inspect(spec.name, engine=engine).status == "absent":
            raise
        return False
    return True


def put(name: str, files: Iterable[File], *, engine: str | None = None) -> None:
    """Puts files into a container, started or not. They show neither in its description nor in its image."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for file in files:
            member = tarfile.TarInfo(file.path.lstrip("/"))
            member.uid, member.gid, member.mode, member.mtime = file.uid, file.gid, file.mode, int(time.time())
            member.type = tarfile.DIRTYPE if file.data is None else tarfile.REGTYPE
            member.size = len(file.data or b"")
            archive.addfile(member, io.BytesIO(file.data or b""))
    with sentences(engine):
        api(engine).put_archive(name, "/", buffer.getvalue())


def start(name: str, *, engine: str | None = None) -> None:
    """Starts a container; one that runs goes on. Raises NotFound, Invalid (no such command), Unavailable."""
    with sentences(engine):
        api(engine).start(name)


def inspect(name: str, *, engine: str | None = None) -> ContainerState:
    """Looks at a container; one that the engine does not know is `absent`."""
    try:
        with sentences(engine):
            state = api(engine).inspect_container(name)["State"]
    except NotFound:
        return ContainerState("absent")
    status = state.get("Status")
    if status == "created":
        # A start that failed leaves "created" with the reason and the exit code of the runtime.
        return ContainerState("created", error=state.get("Error") or "")
    if status in ("running", "paused", "restarting"):
        return ContainerState("running", started_at=moment(state.get("StartedAt")))
    started, finished = moment(state.get("StartedAt")), moment(state.get("FinishedAt"))
    if started and finished:
        # An engine notes the start after the process runs: one that ends at once may be noted to end before.
        finished = max(started, finished)
    return ContainerState(
        "exited",
        exit_code=state.get("ExitCode"),
        oom_killed=bool(state.get("OOMKilled")),
        started_at=started,
        finished_at=finished,
        error=state.get("Error") or "",
    )


def moment(text: str | None) -> datetime | None:
    """The engine's RFC 3339 with nanoseconds; year 1 means never."""
    if not text or text.startswith("0001"):
        return None
    whole, _, rest = text.rstrip("Z").partition(".")
    return datetime.fromisoformat(f"{whole}.{(rest or '0')[:6]:0<6}+00:00")


def stop(name: str, *, grace_seconds: int = 10, engine: str | None = None) -> None:
    """SIGTERM to its first process, SIGKILL to all after the grace. A container that is gone or ended is left alone."""
    try:
        with sentences(engine):
            api(engine).stop(name, timeout=grace_seconds)
    except NotFound:
        return


def signal(name: str, name_or_number: str, *, engine: str | None = None) -> None:
    """Sends a signal to the first process of a running container; does not wait. One that ended is left alone."""
    try:
        with sentences(engine):
            api(engine).kill(name, name_or_number)
    except (NotFound, Conflict):
        return


def remove(name: str, *, engine: str | None = None) -> None:
    """Removes a container, running or not, with its anonymous volumes. None left is success."""
    for _ in range(50):
        try:
            with sentences(engine):
                api(engine).remove_container(name, force=True, v=True)
        except NotFound:
            return
        except Conflict as error:
            # Another caller removes it right now; the name is free when that ends.
            if "already in progress" not in str(error):
                raise
            time.sleep(0.1)
        else:
            return


def logs(name: str, *, tail: int | Literal["all"] = "all", engine: str | None = None) -> bytes:
    """What a container wrote to its output and error streams, in order; empty when it is gone."""
    try:
        with sentences(engine):
            return bytes(api(engine).logs(name, stdout=True, stderr=True, tail=tail))
    except NotFound:
        return b""


def execute(name: str, command: list[str], *, user: str = "", engine: str | None = None) -> tuple[int, bytes]:
    """Runs a command inside a running container; returns its exit code and output."""
    connection = api(engine)
    with sentences(engine):
        made = connection.exec_create(name, command, user=user)
        output = connection.exec_start(made["Id"])
        return int(connection.exec_inspect(made["Id"])["ExitCode"]), bytes(output)


def names(labels: Mapping[str, str | None], *, engine: str | None = None) -> list[str]:
    """Names of all containers, ended ones too, that carry every label (value None: any value)."""
    return list(marked(labels, engine=engine))


def marked(labels: Mapping[str, str | None], *, engine: str | None = None) -> dict[str, dict[str, str]]:
    """The same with all labels of each."""
    wanted = [key if value is None else f"{key}={value}" for key, value in labels.items()]
    with sentences(engine):
        found = api(engine).containers(all=True, filters={"label": wanted})
    return {said["Names"][0].lstrip("/"): dict(said["Labels"] or {}) for said in found}
