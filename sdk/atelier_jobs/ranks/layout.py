"""Who is which rank, and the environment variables that say so. Pure.

The names are those of v1's documentation: OMPI_* and AZ_BATCH_MASTER_NODE for MPI; MASTER_ADDR, MASTER_PORT, RANK,
LOCAL_RANK, NODE_RANK, WORLD_SIZE for PyTorch; TF_CONFIG for TensorFlow.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MASTER_PORT = 6105  # v1's
TENSORFLOW_PORT = 2222
LAUNCHER_PORT = 6104
MPI, PYTORCH, TENSORFLOW = "mpi", "pytorch", "tensorflow"
WORKER, SERVER = "worker", "ps"


@dataclass(frozen=True)
class Layout:
    """The shape of a distributed job. `hosts`: where each task (container or process tree) is reached.

    On one machine without containers a single task carries all nodes: `hosts` has one name then and `nodes` counts on.
    """

    kind: str
    nodes: int
    processes_per_node: int
    hosts: tuple[str, ...]
    workers: int = 0
    parameter_servers: int = 0
    master_port: int = MASTER_PORT
    ports: tuple[int, ...] = ()

    @property
    def world(self) -> int:
        """How many processes there are in all."""
        return self.nodes * self.processes_per_node

    def host_of(self, node: int) -> str:
        """The name under which the others reach a node."""
        return self.hosts[node % len(self.hosts)]

    def port_of(self, rank: int) -> int:
        """The port that a TensorFlow task listens on: its own where several share a host."""
        return self.ports[rank] if self.ports else TENSORFLOW_PORT


@dataclass(frozen=True)
class Rank:
    """One process. `role` is worker or ps; `index` counts inside the role."""

    rank: int
    local_rank: int
    node: int
    role: str = WORKER
    index: int = 0


def of_json(told: Mapping[str, Any], hosts: Sequence[str]) -> Layout:
    """The layout from what the server tells, and the hosts of the run's tasks."""
    return Layout(
        kind=str(told["kind"]),
        nodes=int(told.get("nodes") or 1),
        processes_per_node=int(told.get("processes_per_node") or 1),
        hosts=tuple(hosts) or ("127.0.0.1",),
        workers=int(told.get("workers") or 0),
        parameter_servers=int(told.get("parameter_servers") or 0),
    )


def ranks_of(layout: Layout, task: int) -> list[Rank]:
    """The processes of one task, in order of their ranks. Ranks fill a node before the next begins."""
    ranks = []
    for node in range(layout.nodes):
        if node % len(layout.hosts) != task:
            continue
        for local in range(layout.processes_per_node):
            number = node * layout.processes_per_node + local
            server = layout.kind == TENSORFLOW and number >= layout.workers
            index = number - layout.workers if server else number
            ranks.append(Rank(number, local, node, SERVER if server else WORKER, index))
    return ranks


def shared_variables(layout: Layout) -> dict[str, str]:
    """What every process of the job is told alike."""
    hosts = [layout.host_of(node) for node in range(layout.nodes)]
    return {
        "AZ_BATCH_MASTER_NODE": f"{layout.hosts[0]}:{layout.master_port}",
        "AZ_BATCHAI_MPI_MASTER_NODE": layout.hosts[0],
        "AZ_BATCH_NODE_LIST": ";".join(dict.fromkeys(hosts)),
        "AZ_BATCH_HOST_LIST": ",".join(dict.fromkeys(hosts)),
        "AZUREML_NODE_COUNT": str(layout.nodes),
        "AZUREML_PROCESS_COUNT": str(layout.world),
    }


def variables_of(layout: Layout, rank: Rank) -> dict[str, str]:
    """What one process is told. For MPI these are Open MPI's own names; under mpirun it sets them itself."""
    if layout.kind == MPI:
        return mpi_variables(layout, rank)
    if layout.kind == TENSORFLOW:
        return {"TF_CONFIG": json.dumps(tf_config(layout, rank))}
    return {
        "MASTER_ADDR": layout.hosts[0],
        "MASTER_PORT": str(layout.master_port),
        "WORLD_SIZE": str(layout.world),
        "NODE_RANK": str(rank.node),
        "RANK": str(rank.rank),
        "LOCAL_RANK": str(rank.local_rank),
        "LOCAL_WORLD_SIZE": str(layout.processes_per_node),
    }


def mpi_variables(layout: Layout, rank: Rank) -> dict[str, str]:
    """The variables by which a script that does not use MPI itself finds its rank."""
    return {
        "OMPI_COMM_WORLD_RANK": str(rank.rank),
        "OMPI_COMM_WORLD_SIZE": str(layout.world),
        "OMPI_COMM_WORLD_LOCAL_RANK": str(rank.local_rank),
        "OMPI_COMM_WORLD_LOCAL_SIZE": str(layout.processes_per_node),
    }


def tf_config(layout: Layout, rank: Rank) -> dict[str, Any]:
    """TensorFlow's cluster description: every task's address, and which one this is."""
    cluster: dict[str, list[str]] = {}
    for task in range(len(layout.hosts)):
        for one in ranks_of(layout, task):
            cluster.setdefault(one.role, []).append("")
    for task in range(len(layout.hosts)):
        for one in ranks_of(layout, task):
            cluster[one.role][one.index] = f"{layout.host_of(one.node)}:{layout.port_of(one.rank)}"
    return {"cluster": cluster, "task": {"type": rank.role, "index": rank.index}, "environment": "cloud"}
