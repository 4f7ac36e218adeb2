"""The jobs of a run, made anew from its rows at each step. One node is a gang of one."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.conf import settings

from runs.execution import run_token
from runs.execution.backends import docker
from runs.execution.executor import Job
from runs.execution.lease import HOST
from runs.kinds.script.spec import ScriptSpec
from runs.models import Run, RunTask
from studio.compute import engines
from studio.compute.sizes import MEMORY_FOR_NODES
from studio.errors import Invalid

if TYPE_CHECKING:
    from studio.compute.placing import PlacedNode
    from studio.environments.prepare import Prepared

# The shared memory of v1's containers; PyTorch's data loaders need more than Docker's 64 MB.
SHM_BYTES = 2 << 30
UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


@dataclass(frozen=True)
class Gang:
    """What all jobs of a run share when they are started."""

    run: Run
    spec: ScriptSpec
    nodes: tuple[PlacedNode, ...]
    backend: str
    prepared: Prepared


def backend_of(spec: ScriptSpec, placed_backend: str) -> str:
    """Where the jobs run. On `local` a definition may ask for Docker, or the site does; a cluster decides for itself."""
    if placed_backend == "process" and (spec.use_docker or not engines.takes_processes()):
        return "docker"
    return placed_backend


def launch_rows(gang: Gang) -> list[RunTask]:
    """The rows of this attempt's jobs, one per node, each with all that starts it; made when they are not there."""
    rows = []
    for index, node in enumerate(carriers(gang)):
        job = job_on(gang, index, node)
        row, _ = RunTask.objects.get_or_create(
            run=gang.run,
            attempt=gang.run.retries,
            index=index,
            defaults={"backend": gang.backend, "node": job.node, "engine": node.engine, "job": kept(job)},
        )
        rows.append(row)
    return rows


def carriers(gang: Gang) -> tuple[PlacedNode, ...]:
    """The nodes that get a job each. Processes of this machine have no network between them: one carries all ranks."""
    return gang.nodes[:1] if gang.backend == "process" else gang.nodes


def together(gang: Gang) -> dict[str, str]:
    """What the agents of a distributed run are told so that they find each other; nothing for a single node."""
    if gang.spec.distribution is None:
        return {}
    hosts = [f"node-{index}" for index in range(len(carriers(gang)))]
    return {"ATELIER_JOB_HOSTS": ",".join(hosts) if len(hosts) > 1 else ""}


def network_of(gang: Gang, index: int, node: PlacedNode) -> str | None:
    """The network of a job: its node's own; several jobs meet in that of the first, which serves this run alone."""
    if len(carriers(gang)) == 1:
        return node.network or None
    first = gang.nodes[0].network
    if first or index == 0:
        return first or None
    # Nodes without a network of their own: the first job makes one under its own name.
    return Job(run_id=gang.run.pk, attempt=gang.run.retries, task=0).folder_name


def job_on(gang: Gang, index: int, node: PlacedNode) -> Job:
    """The job of one node."""
    variables = {**gang.prepared.variables, **together(gang)}
    if gang.spec.distribution is not None:
        # 70_driver_log.txt is all ranks' logs merged; what the launcher itself says stands apart.
        variables["ATELIER_JOB_LOG_PATH"] = f"azureml-logs/60_launcher_log_{index}.txt"
    return Job(
        run_id=gang.run.pk,
        attempt=gang.run.retries,
        task=index,
        site=engines.site() if gang.backend != "process" else "",
        python_path=variables.pop("PYTHONPATH", ""),
        environment={**variables, **identity(gang.run)},
        python=gang.prepared.python or "",
        image=gang.prepared.image or "",
        engine=node.engine or None,
        host=node.host,
        network=network_of(gang, index, node),
        volume=node.volume or None,
        hostname=f"node-{index}",
        aliases=(f"node-{index}",),
        cpus=node.cpus or None,
        memory_mb=(node.memory_bytes or _whole_machine(gang)) >> 20 or None,
        shm_bytes=size(gang.spec.shm_size) if gang.spec.shm_size else SHM_BYTES,
        gpus=tuple(node.gpus),
        # A process is on the host whose worker started it, and only workers there can look at it.
        node=HOST if gang.backend == "process" else node.name,
    )


def server_url(backend: str) -> str:
    """The address by which a job of the backend reaches this server."""
    return docker.server_url() if backend != "process" else str(settings.SERVER_URL)


def _whole_machine(gang: Gang) -> int:
    """Bytes for a container on `local`, whose slots hold nothing: all that nodes may have, so that the host lives on."""
    return 0 if gang.backend == "process" else int(engines.this_machine().memory_bytes * MEMORY_FOR_NODES)


def kept(job: Job) -> dict[str, Any]:
    """What a row keeps of a job: everything but its secret."""
    return {name: value for name, value in dataclasses.asdict(job).items() if name != "token"}


def job_of(run: Run, row: RunTask, *, with_token: bool = False) -> Job:
    """The job of a row. `with_token` gives the run its token, for a start."""
    # JSON has lists only.
    told = {**row.job, **{name: tuple(row.job.get(name) or ()) for name in ("aliases", "command", "gpus")}}
    return Job(**told, token=run_token.give(run) if with_token else "")


def identity(run: Run) -> dict[str, str]:
    """Who a job is, under the names that v1 scripts read. Nothing of it is secret."""
    workspace, experiment = run.workspace, run.experiment
    return {
        "ATELIER_URL": settings.SERVER_URL,
        "AZUREML_SERVICE_ENDPOINT": settings.SERVER_URL,
        "AZUREML_DISCOVERY_SERVICE_ENDPOINT": settings.SERVER_URL,
        "AZUREML_RUN_ID": run.pk,
        "AZUREML_ROOT_RUN_ID": run.root_id,
        "AZUREML_ARM_SUBSCRIPTION": workspace.subscription_id,
        "AZUREML_ARM_RESOURCEGROUP": workspace.resource_group,
        "AZUREML_ARM_WORKSPACE_NAME": workspace.name,
        "AZUREML_ARM_PROJECT_NAME": experiment.name,
        "AZUREML_WORKSPACE_ID": str(workspace.pk),
        "AZUREML_EXPERIMENT_ID": str(experiment.pk),
    }


def size(text: Any) -> int:
    """Bytes of "2g", "512m" or "1073741824". Raises Invalid."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([bkmg]?)b?", str(text).strip().lower())
    if match is None or not (number := int(float(match.group(1)) * UNITS[match.group(2)])):
        raise Invalid(f"docker.shmSize is {text!r}; write a size such as 512m or 2g.", "docker.shmSize")
    return number
