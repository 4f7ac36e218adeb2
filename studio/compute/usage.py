"""What the jobs on nodes use: sampled from the engine or the process tree, kept, and read as series for charts."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from django.conf import settings
from django.utils import timezone

from studio.compute import gpus
from studio.compute.models import Node, Placement, UsageSample
from studio.errors import StudioError

log = logging.getLogger(__name__)
POINTS = 400  # a chart's width in pixels is of this order


@dataclass(frozen=True)
class JobUse:
    """One look at one job. Bytes; counters count up from the job's start; `cpu_percent` 100 is one core."""

    node: str
    cpu_percent: float
    memory_bytes: int
    memory_limit: int = 0
    disk_read: int = 0
    disk_written: int = 0
    network_received: int = 0
    network_sent: int = 0


# A look to take: asks an engine or the process table, and no database, as it runs in a thread of its own.
Look = Callable[[], JobUse | None]
# Backend -> the looks to take for a run's jobs. Filled by the execution layer, which knows jobs.
SAMPLERS: dict[str, Callable[[str], Iterable[Look]]] = {}


def sample_all() -> int:
    """Samples every placed run once; returns how many samples were kept. A job that ended meanwhile gives none."""
    placed = Placement.objects.filter(placed_at__isnull=False, target__backend__in=SAMPLERS).select_related("target")
    newest = timezone.now() - timedelta(seconds=settings.USAGE_SECONDS * 0.8)
    recent = set(UsageSample.objects.filter(at__gte=newest).values_list("run_id", flat=True))
    due = [
        (row, look) for row in placed if row.run_id not in recent for look in SAMPLERS[row.target.backend](row.run_id)
    ]
    if not due:
        return 0
    held = dict(Node.objects.exclude(run_id="").values_list("run_id", "gpus"))
    # An engine reads a container's CPU twice, a second apart: several at once take no longer than one.
    with ThreadPoolExecutor(min(len(due), 8)) as pool:
        found = list(pool.map(_taken, [look for _, look in due]))
    now = timezone.now()
    rows = [
        UsageSample(
            run_id=row.run_id,
            target_id=row.target_id,
            workspace_id=row.target.workspace_id,
            at=now,
            **vars(use),
            **_gpu(held.get(row.run_id)),
        )
        for (row, _), use in zip(due, found, strict=True)
        if use is not None
    ]
    UsageSample.objects.bulk_create(rows)
    return len(rows)


def _taken(look: Look) -> JobUse | None:
    try:
        return look()
    except StudioError as error:
        log.info("no sample: %s", error.message)
        return None


def _gpu(indexes: list[int] | None) -> dict[str, Any]:
    """The mean utilisation and the memory of the GPUs that a node holds; nothing where it holds none."""
    uses = gpus.use(indexes) if indexes else []
    if not uses:
        return {}
    return {
        "gpu_percent": sum(use.percent for use in uses) / len(uses),
        "gpu_memory_bytes": sum(use.memory_bytes for use in uses),
    }


@dataclass
class Line:
    """A series of a chart: `x` are times, `y` numbers in `unit`."""

    name: str
    x: list[datetime] = field(default_factory=list)
    y: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Chart:
    """What one chart shows: a line for each node (or direction), in one unit."""

    key: str
    title: str
    unit: str
    lines: list[Line]

    @property
    def latest(self) -> float:
        """The sum of the lines' last values."""
        return sum(line.y[-1] for line in self.lines if line.y)

    @property
    def highest(self) -> float:
        """The largest value of any line."""
        return max((max(line.y) for line in self.lines if line.y), default=0.0)


def of_run(workspace_id: int, run_id: str) -> list[Chart]:
    """The charts of a run's jobs, from its first sample to its last; none for a run of another workspace."""
    return _charts(UsageSample.objects.filter(workspace_id=workspace_id, run_id=run_id).order_by("at", "id"))


def of_target(target_id: int, hours: float = 1.0) -> list[Chart]:
    """The charts of a target's jobs over the last hours."""
    since = timezone.now() - timedelta(hours=hours)
    return _charts(UsageSample.objects.filter(target_id=target_id, at__gte=since).order_by("at", "id"))


def _charts(rows: Any) -> list[Chart]:
    by_node: dict[str, list[UsageSample]] = defaultdict(list)
    for row in rows.iterator():
        by_node[row.node].append(row)
    if not by_node:
        return []
    thin = {node: _thinned(found) for node, found in by_node.items()}
    charts = [
        Chart("cpu", "CPU", "% of one core", [_line(n, r, lambda s: s.cpu_percent) for n, r in thin.items()]),
        Chart("memory", "Memory", "MiB", [_line(n, r, lambda s: s.memory_bytes / 2**20) for n, r in thin.items()]),
        Chart("disk", "Disk", "MiB/s", _rates(thin, ("disk_read", "read"), ("disk_written", "written"))),
        Chart("network", "Network", "MiB/s", _rates(thin, ("network_received", "received"), ("network_sent", "sent"))),
    ]
    if any(sample.gpu_percent is not None for found in thin.values() for sample in found):
        charts.append(Chart("gpu", "GPU", "%", [_line(n, r, lambda s: s.gpu_percent or 0.0) for n, r in thin.items()]))
        charts.append(
            Chart(
                "gpu-memory",
                "GPU memory",
                "MiB",
                [_line(n, r, lambda s: (s.gpu_memory_bytes or 0) / 2**20) for n, r in thin.items()],
            )
        )
    return charts


def _thinned(rows: list[UsageSample]) -> list[UsageSample]:
    """At most POINTS of the rows: the busiest of each stretch, so that peaks are kept; counters stay monotonic."""
    if len(rows) <= POINTS:
        return rows
    step = -(-len(rows) // POINTS)
    return [max(rows[i : i + step], key=lambda s: (s.cpu_percent, s.memory_bytes)) for i in range(0, len(rows), step)]


def _line(name: str, rows: list[UsageSample], value: Callable[[UsageSample], float]) -> Line:
    return Line(name, [row.at for row in rows], [round(value(row), 2) for row in rows])


def _rates(thin: dict[str, list[UsageSample]], *counters: tuple[str, str]) -> list[Line]:
    """Counters as MiB per second between two samples; a counter that falls (a new job) starts anew."""
    lines = []
    for node, rows in thin.items():
        for column, word in counters:
            line = Line(f"{node} {word}".strip())
            for before, after in pairwise(rows):
                seconds = (after.at - before.at).total_seconds()
                grown = getattr(after, column) - getattr(before, column)
                if seconds > 0 and grown >= 0:
                    line.x.append(after.at)
                    line.y.append(round(grown / 2**20 / seconds, 3))
            lines.append(line)
    return lines
