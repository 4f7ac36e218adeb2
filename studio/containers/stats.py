"""What a container uses now: one sample, two readings a second apart are made by the engine itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from studio.containers.client import api, sentences
from studio.errors import Conflict, NotFound


@dataclass(frozen=True)
class Usage:
    """A sample: `cpu_percent` 100 means one whole core; memory in bytes without the page cache; the rest counts up."""

    cpu_percent: float
    memory: int
    memory_limit: int
    network_received: int
    network_sent: int
    disk_read: int
    disk_written: int
    pids: int


def sample(name: str, *, engine: str | None = None) -> Usage | None:
    """Takes about a second, as the engine reads the CPU twice. None when the container is gone or does not run."""
    try:
        with sentences(engine):
            said = api(engine).stats(name, stream=False)
    except (NotFound, Conflict):
        return None
    if not (said.get("pids_stats") or {}).get("current"):
        return None
    memory = said.get("memory_stats") or {}
    details = memory.get("stats") or {}
    # The cache that can be given back is no use of the job's: total_inactive_file on cgroup v1, inactive_file on v2.
    cache = details.get("total_inactive_file", details.get("inactive_file", 0))
    networks = (said.get("networks") or {}).values()
    return Usage(
        cpu_percent=_cpu_percent(said),
        memory=max(0, int(memory.get("usage") or 0) - int(cache)),
        memory_limit=int(memory.get("limit") or 0),
        network_received=sum(int(n.get("rx_bytes") or 0) for n in networks),
        network_sent=sum(int(n.get("tx_bytes") or 0) for n in networks),
        disk_read=_disk(said, "read"),
        disk_written=_disk(said, "write"),
        pids=int(said["pids_stats"]["current"]),
    )


def _cpu_percent(said: Mapping[str, Any]) -> float:
    """Share of the host's CPU time between the two readings, times its cores (the formula of `docker stats`)."""
    now, before = said.get("cpu_stats") or {}, said.get("precpu_stats") or {}
    used = (now.get("cpu_usage") or {}).get("total_usage", 0) - (before.get("cpu_usage") or {}).get("total_usage", 0)
    whole = now.get("system_cpu_usage", 0) - before.get("system_cpu_usage", 0)
    cores = now.get("online_cpus") or len((now.get("cpu_usage") or {}).get("percpu_usage") or [0])
    return 100.0 * used / whole * cores if whole > 0 and used > 0 else 0.0


def _disk(said: Mapping[str, Any], direction: str) -> int:
    rows = (said.get("blkio_stats") or {}).get("io_service_bytes_recursive") or []
    return sum(int(row.get("value") or 0) for row in rows if str(row.get("op")).lower() == direction)
