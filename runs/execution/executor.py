"""What a backend is: five verbs over jobs, all idempotent. The truth is looked up each time, never remembered.

A job is one container or process of a run. A single-node run is a gang of one job; a distributed run is several jobs
that differ in `task`, `hostname` and `extra`. `purpose` "deliver" is the job that sends what a killed one had left: it
works in the same folder or volume under a name of its own.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal, Protocol

Purpose = Literal["run", "deliver"]


@dataclass(frozen=True)
class Job:
    """Everything that a backend needs to start one container or process, known again at any time from the rows.

    `environment` may be read by anyone who can look at the container, so it holds no secret; `token` is put in as a
    file. `cpus` in cores, `memory_mb` in MiB, `shm_bytes` for /dev/shm; None means no limit of its own.
    `network` and `volume` name a node's own; None means that the job gets and loses its own.
    """

    run_id: str
    attempt: int = 0
    task: int = 0
    purpose: Purpose = "run"
    token: str = field(default="", repr=False)
    environment: Mapping[str, str] = field(default_factory=dict)
    # The interpreter of the script: a path on this host, or in the image.
    python: str = ""
    # What the script needs on its import path, where the interpreter does not have the SDK.
    python_path: str = ""
    # container backends
    image: str = ""
    engine: str | None = None
    # Of a swarm: the id of the host that the job is bound to; empty: the manager's own.
    host: str = ""
    network: str | None = None
    volume: str | None = None
    hostname: str | None = None
    aliases: tuple[str, ...] = ()
    cpus: float | None = None
    memory_mb: int | None = None
    shm_bytes: int | None = None
    # Indexes of the GPUs that the node holds: two nodes of one engine must not meet on the first one.
    gpus: tuple[int, ...] = ()
    node: str = ""
    # Marks what belongs to this server on an engine that several share.
    site: str = ""
    # Runs before the agent in place of it, for launchers that need more than one process; empty: the agent.
    command: tuple[str, ...] = ()

    @property
    def folder_name(self) -> str:
        """The name of what the job's purposes share: its folder, volume and network."""
        return f"atelier-{_plain(self.run_id)}-{self.attempt}-{self.task}"

    @property
    def name(self) -> str:
        """The name of this very process or container."""
        return self.folder_name if self.purpose == "run" else f"{self.folder_name}-{self.purpose}"

    @property
    def labels(self) -> dict[str, str]:
        """What marks everything that belongs to the job on an engine."""
        return {
            "atelier.run": self.run_id,
            "atelier.task": str(self.task),
            "atelier.attempt": str(self.attempt),
            "atelier.purpose": self.purpose,
            "atelier.site": self.site,
        }

    def delivery(self) -> Job:
        """The job that sends what this one left when it was killed."""
        return replace(self, purpose="deliver", command=())


@dataclass(frozen=True)
class Look:
    """What a backend says of a job now.

    `absent`: nothing of that name was ever started, or all of it is gone. `exit_code` is the agent's; None with
    `exited` means that nobody saw it end. `error` is a sentence on what the backend itself knows.
    """

    state: Literal["absent", "created", "running", "exited"]
    exit_code: int | None = None
    oom_killed: bool = False
    signal: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    error: str = ""


def _plain(run_id: str) -> str:
    """A run's id as part of a name: as it is when engines and file systems take it, else cut and told apart by a digest."""
    if re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}", run_id):
        return run_id
    digest = hashlib.sha256(run_id.encode()).hexdigest()[:16]
    return re.sub(r"[^A-Za-z0-9_-]", "_", run_id)[:60] + "-" + digest


class Executor(Protocol):
    """A backend. Every verb may be called again at any time, by any worker, in any state of the job."""

    ends_whole: bool
    """Whether nothing of a job runs any more once it is `exited`: then its run's end need not wait for `clean`."""

    def start(self, job: Job) -> None:
        """Starts the job; one that was started before, running or ended, is left alone.

        Raises StudioError with a sentence when it cannot be started; then `clean` removes what there is of it.
        """

    def look(self, job: Job) -> Look:
        """The job's state now. Raises Unavailable when the backend can't be asked; that says nothing of the job."""

    def stop(self, job: Job, *, now: bool = False) -> None:
        """Asks the job to end (SIGTERM to the agent, which ends the script); `now` ends all of its processes at once.

        Does not wait for it. A job that has ended or is absent is left alone.
        """

    def clean(self, job: Job) -> None:
        """Removes every trace: processes, container, folder or volume, network; of all purposes of the job."""

    def output(self, job: Job) -> bytes:
        """The end of what the agent's process itself wrote, for a job that could not speak for itself."""
