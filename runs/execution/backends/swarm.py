"""Jobs as services of a swarm: each a service with one task, bound to one host, that is never started again.

The manager is asked for what the swarm knows: services, tasks, secrets, overlay networks. The host's own engine is asked
for what a swarm has no word for: the volume's owner and removal, a signal, the kernel's verdict on memory, the output.
A host that is down is not asked; its job's state is then unknown, which is what Unavailable says. See
docs/adr/0023-a-swarm-job-is-a-service-bound-to-a-host.md.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable
from dataclasses import replace

from runs.execution.backends.docker import (
    FOLDER,
    GID,
    OUTPUT_LINES,
    TOKEN_FILE,
    UID,
    certificates,
    container_of,
    environment_of,
    look_of,
    server_url,
)
from runs.execution.executor import Job, Look
from studio.containers import containers, images, networks, secrets, services, swarm, volumes
from studio.containers.containers import ContainerSpec, ContainerState, File
from studio.containers.services import SecretFile, Task
from studio.errors import Conflict, Invalid, NotFound, StudioError, Unavailable

# A name in a swarm is a DNS label, and a secret's has 64 characters at most; room is left for "-deliver".
LONGEST = 54
LABEL = re.compile(r"[A-Za-z0-9]+(?:[-_]+[A-Za-z0-9]+)*")
CA_FILE = f"{FOLDER}/.atelier-ca.pem"
# A network goes when the swarm has taken in that its service has gone, and a volume after its container.
SETTLE_SECONDS = 20.0
WAITING = ("new", "pending", "allocated", "assigned", "accepted", "preparing", "ready", "starting")


class SwarmExecutor:
    """See runs.execution.executor.Executor."""

    ends_whole = False  # what a host that is down was running may go on there

    def start(self, job: Job) -> None:
        """Makes what is missing of volume, network and secret, then the service; the swarm starts its task."""
        name = name_of(job)
        if services.exists(name):
            return
        host = self._host(job)
        image = images.inspect(job.image, engine=job.engine)
        if job.purpose == "run":
            volumes.create(job.folder_name, job.labels, engine=job.engine)
            _furnish(job)
            if job.network is None:
                networks.create(_label(job.folder_name), job.labels, driver="overlay", attachable=True)
        secret = secret_of(job)
        secret_id = secrets.create(secret, job.token.encode(), job.labels)
        token = SecretFile(secret, secret_id, TOKEN_FILE, UID, GID, 0o400)
        # By its id: the swarm would ask a registry for any name, and each host may have built its own.
        spec = replace(service_of(job, host), name=name, image=image.id)
        services.create(spec, host.id, (token,), job.labels)

    def look(self, job: Job) -> Look:
        """The task as the manager knows it, and of one that has ended what its host's engine adds."""
        try:
            task = services.task(name_of(job))
        except NotFound:
            return Look("absent")
        if task is None or task.state in WAITING:
            return self._before(job, task)
        if task.state == "running":
            _require_up(task.host)
            return Look("running", started_at=task.at)
        return look_of_ended(task, self._seen(job, task))

    def stop(self, job: Job, *, now: bool = False) -> None:
        """A signal to the container through its host's engine; a task that has none yet is called off."""
        try:
            task = services.task(name_of(job))
        except NotFound:
            return
        if task is not None and task.state in services.ENDED:
            return
        if task is None or not task.container:
            services.remove(name_of(job))
            return
        self._host(job)
        containers.signal(task.container, "SIGKILL" if now else "SIGTERM", engine=job.engine)

    def clean(self, job: Job) -> None:
        """First what the manager has, which it removes for a host that is down too; then what the host has."""
        for one in (job, job.delivery()):
            services.remove(name_of(one))
        secrets.remove(secret_of(job))
        network = _label(job.folder_name)
        try:
            self._clean_host(job)
        finally:
            _until_gone(lambda: networks.remove(network))
        _until_gone(lambda: _forgotten(network, job.engine))

    def output(self, job: Job) -> bytes:
        """What the container wrote, from its host's engine."""
        try:
            task = services.task(name_of(job))
        except NotFound:
            return b""
        if task is None or not task.container:
            return b""
        self._host(job)
        return containers.logs(task.container, tail=OUTPUT_LINES, engine=job.engine)

    def container(self, job: Job) -> str:
        """The id of the job's container on its host's engine; empty when it has none."""
        try:
            task = services.task(name_of(job))
        except NotFound:
            return ""
        return task.container if task else ""

    def _host(self, job: Job) -> swarm.Host:
        """The job's host when it is up and its engine answers, else Unavailable within seconds."""
        found = _require_up(job.host or swarm.require_manager())
        swarm.require_reachable(job.engine)
        return found

    def _before(self, job: Job, task: Task | None) -> Look:
        """A job that the manager does not know to run yet; its container may be a moment ahead of what is known."""
        if task is None:
            return Look("created")
        _require_up(task.host or job.host or swarm.require_manager())
        if task.container:
            seen = containers.inspect(task.container, engine=job.engine)
            if seen.status == "running":
                return look_of(seen)
        return Look("created", error=waits_for(task))

    def _seen(self, job: Job, task: Task) -> ContainerState | None:
        """The container of an ended task as its engine keeps it; None when the host can't be asked, or has it no more."""
        if not task.container:
            return None
        try:
            self._host(job)
            seen = containers.inspect(task.container, engine=job.engine)
        except StudioError:
            return None
        return seen if seen.status == "exited" else None

    def _clean_host(self, job: Job) -> None:
        self._host(job)
        for one in (job, job.delivery()):
            for name in containers.names({services.NAME_LABEL: name_of(one)}, engine=job.engine):
                containers.remove(name, engine=job.engine)
        containers.remove(f"{job.folder_name}-furnish", engine=job.engine)
        _until_gone(lambda: volumes.remove(job.folder_name, engine=job.engine))


def name_of(job: Job) -> str:
    """The service's name: the job's own when a swarm takes it, else cut and told apart by a digest."""
    return _label(job.folder_name) + job.name.removeprefix(job.folder_name)


def secret_of(job: Job) -> str:
    """The name of the secret with the run's token, which all purposes of the job share."""
    return _label(job.folder_name)


def _label(name: str) -> str:
    if len(name) <= LONGEST and LABEL.fullmatch(name):
        return name
    plain = re.sub(r"[^A-Za-z0-9]+", "-", name)[: LONGEST - 17].strip("-")
    return f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:16]}"


def service_of(job: Job, host: swarm.Host) -> ContainerSpec:
    """The container of the job's task. Raises Invalid when it could not reach the server from its host."""
    spec = container_of(job)
    if job.network is None:
        spec = replace(spec, network=_label(job.folder_name))
    variables = {**environment_of(job, CA_FILE), "ATELIER_JOB_NO_NEW_PRIVILEGES": "1"}
    if spec.extra_hosts and not job.command and host.id != swarm.require_manager():
        raise Invalid(
            f"A job on {host.name} cannot reach the server at {server_url()}, which is an address of the server's own "
            "machine; set SERVER_URL_FOR_CONTAINERS to one that every host of the swarm reaches."
        )
    return replace(spec, environment=variables)


def _furnish(job: Job) -> None:
    """Gives the volume's folder to the job's user, through a container that is never started."""
    name = f"{job.folder_name}-furnish"
    spec = replace(container_of(job), name=name, command=["true"], network="none", aliases=[], extra_hosts={}, gpus=())
    files = [File(FOLDER, None, 0o755, UID, GID), File(f"{FOLDER}/home", None, 0o700, UID, GID)]
    if job.volume:
        files.append(File("/mnt/node", None, 0o1777))
    containers.create(spec, engine=job.engine)
    try:
        containers.put(name, files + certificates(CA_FILE), engine=job.engine)
    finally:
        containers.remove(name, engine=job.engine)


def _require_up(host_id: str) -> swarm.Host:
    """The host, or Unavailable with what the manager says of it."""
    try:
        found = swarm.host(host_id)
    except NotFound as error:
        raise Unavailable(f"The host {host_id} has left the swarm.") from error
    if found.state != "ready":
        raise Unavailable(swarm.down(found))
    return found


def waits_for(task: Task) -> str:
    """What a task that does not run yet waits for, in words; empty while it is merely on its way."""
    if task.error:
        return f"The swarm has not started it yet: {task.error.rstrip('.')}."
    return ""


def look_of_ended(task: Task, seen: ContainerState | None) -> Look:
    """The end of a task. Its container knows best; a task that never had one has only the manager's words."""
    if seen is not None:
        return look_of(seen)
    words = task.error or task.message or task.state
    code = task.exit_code
    if task.state in ("complete", "failed") and code is not None:
        signal = "SIGKILL" if code == 137 else "SIGTERM" if code == 143 else ""
        return Look("exited", exit_code=code, signal=signal, finished_at=task.at, error="" if code == 0 else words)
    because = {
        "rejected": "The host refused the job",
        "orphaned": "The job's host was lost",
        "shutdown": "The swarm ended the job, as it does when its host is drained",
        "remove": "The job's service was removed",
    }.get(task.state, "The job did not start")
    return Look("exited", finished_at=task.at, error=f"{because}: {words.rstrip('.')}.")


def _forgotten(network: str, engine: str | None) -> None:
    """Raises Conflict while a host still has its end of a network; it lets go of it a moment after the last container."""
    if networks.exists(network, engine=engine):
        raise Conflict(f"The network {network} is in use on its host.")


def _until_gone(remove: Callable[[], object]) -> None:
    """Removes a thing that is let go of within moments, and says so when it is not."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        try:
            remove()
        except (Conflict, Invalid, Unavailable) as error:
            if "in use" not in error.message and "active endpoints" not in error.message:
                raise
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return
