"""Jobs as containers on a Docker engine: without privileges, bounded, in a network and with a volume of their own.

The volume is /job: the snapshot, the logs, the outputs and the metric spool. It outlives the container, so that what a
container that was killed had written is still delivered; `clean` removes it. The run's token is copied into the made
container before it starts: it is in no image and no description.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from django.conf import settings

from runs.execution.executor import Job, Look
from studio.containers import containers, networks, volumes
from studio.containers.containers import ContainerSpec, ContainerState, File
from studio.errors import Unavailable

# Nobody's: in no image's /etc/passwd, owns nothing but the job's folder.
UID = GID = 10001
FOLDER = "/job"
SECRETS = "/run/atelier"
TOKEN_FILE = f"{SECRETS}/token"
CA_FILE = f"{SECRETS}/ca.pem"
HOST = "host.docker.internal"
OUTPUT_LINES = 2000
# A delivery sends files and nothing more; it must not need what the job had.
DELIVERY_MEMORY_MB = 512


class DockerExecutor:
    """See runs.execution.executor.Executor."""

    ends_whole = True  # the kernel ends what is left in a container whose first process has ended

    def start(self, job: Job) -> None:
        """Makes what is missing of network, volume and container, and starts the container."""
        state = containers.inspect(job.name, engine=job.engine)
        if state.status in ("running", "exited"):
            return
        volumes.create(job.folder_name, job.labels, engine=job.engine)
        if job.network is None:
            networks.create(job.folder_name, job.labels, engine=job.engine)
        if state.status == "absent":
            containers.create(container_of(job), engine=job.engine)
        containers.put(job.name, files_of(job), engine=job.engine)
        containers.start(job.name, engine=job.engine)

    def look(self, job: Job) -> Look:
        """Asks the engine."""
        return look_of(containers.inspect(job.name, engine=job.engine))

    def stop(self, job: Job, *, now: bool = False) -> None:
        """SIGTERM reaches the agent through the container's init; SIGKILL ends all of the container."""
        containers.signal(job.name, "SIGKILL" if now else "SIGTERM", engine=job.engine)

    def clean(self, job: Job) -> None:
        """Removes the containers, then what they were attached to."""
        for purpose in (job, job.delivery()):
            containers.remove(purpose.name, engine=job.engine)
        networks.remove(job.folder_name, engine=job.engine)
        volumes.remove(job.folder_name, engine=job.engine)

    def output(self, job: Job) -> bytes:
        """What the container wrote: the agent repeats the script's log there."""
        return containers.logs(job.name, tail=OUTPUT_LINES, engine=job.engine)


def container_of(job: Job) -> ContainerSpec:
    """The container of a job."""
    return ContainerSpec(
        name=job.name,
        image=job.image,
        command=list(job.command) or command_of(job),
        user=f"{UID}:{GID}",
        environment=environment_of(job),
        labels=job.labels,
        # Not the script's folder: a module there must not stand in for one that the agent imports.
        working_dir=FOLDER,
        hostname=job.hostname,
        network=job.network or job.folder_name,
        aliases=list(job.aliases),
        extra_hosts={HOST: "host-gateway"} if HOST in server_url() else {},
        volumes={FOLDER: job.folder_name, **({"/mnt/node": job.volume} if job.volume else {})},
        cpus=job.cpus,
        memory_mb=DELIVERY_MEMORY_MB if job.purpose == "deliver" else job.memory_mb,
        shm_bytes=job.shm_bytes,
        gpus=job.gpus if job.purpose == "run" else (),
    )


def command_of(job: Job) -> list[str]:
    """The agent, under the image's own Python."""
    return [job.python or "python", "-m", "atelier_jobs.agent", *([] if job.purpose == "run" else [job.purpose])]


def environment_of(job: Job, ca_file: str = CA_FILE) -> dict[str, str]:
    """What the agent needs to know; nothing secret, as anyone who sees the container can read it."""
    own = {
        **job.environment,
        "HOME": f"{FOLDER}/home",
        "USER": "atelier",  # the number has no name in the image; programs that ask for one look here first
        "ATELIER_URL": server_url(),
        "AZUREML_SERVICE_ENDPOINT": server_url(),
        "ATELIER_RUN_TOKEN_FILE": TOKEN_FILE,
        "ATELIER_JOB_FOLDER": FOLDER,
        "ATELIER_JOB_TASK": str(job.task),
        "ATELIER_JOB_NODE": job.node or job.hostname or "local",
        "ATELIER_JOB_ECHO": "1",
    }
    if job.python:
        own["ATELIER_JOB_PYTHON"] = job.python
    if settings.CA_BUNDLE:
        names = ("ATELIER_CA_BUNDLE", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT")
        own |= dict.fromkeys(names, ca_file)
    return own


def files_of(job: Job) -> list[File]:
    """The job's folder with its owner, the token, and the site's certificates."""
    files = [
        File(FOLDER, None, 0o755, UID, GID),
        File(f"{FOLDER}/home", None, 0o700, UID, GID),
        File(SECRETS, None, 0o755),
        File(TOKEN_FILE, job.token.encode(), 0o400, UID, GID),
    ]
    if job.volume:
        files.append(File("/mnt/node", None, 0o1777))
    return files + certificates(CA_FILE)


def certificates(path: str) -> list[File]:
    """The site's certificate bundle at that path; nothing where the site has none."""
    if not settings.CA_BUNDLE:
        return []
    try:
        return [File(path, Path(settings.CA_BUNDLE).read_bytes(), 0o444)]
    except OSError as error:
        raise Unavailable(
            f"ATELIER_CA_BUNDLE names {settings.CA_BUNDLE}, which cannot be read ({error.strerror})."
        ) from error


def server_url() -> str:
    """The server's address as a container sees it: a loopback address means the host, which has a name there."""
    if settings.SERVER_URL_FOR_CONTAINERS:
        return str(settings.SERVER_URL_FOR_CONTAINERS)
    parts = urlsplit(settings.SERVER_URL)
    if parts.hostname not in ("127.0.0.1", "localhost", "::1", "0.0.0.0"):
        return str(settings.SERVER_URL)
    port = f":{parts.port}" if parts.port else ""
    return urlunsplit((parts.scheme, HOST + port, parts.path, "", ""))


def look_of(state: ContainerState) -> Look:
    """A container's state in a backend's words. 128 + n is how an init passes on a signal."""
    code = state.exit_code
    return Look(
        state=state.status,
        exit_code=code,
        oom_killed=state.oom_killed,
        signal="SIGKILL" if code == 137 else "SIGTERM" if code == 143 else "",
        started_at=state.started_at,
        finished_at=state.finished_at,
        error=state.error,
    )
