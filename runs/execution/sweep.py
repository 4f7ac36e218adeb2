"""What is left on engines and disks though its run is over: an engine was away at the end, or a machine was restarted.
And what is left of uploads whose server was killed.

The rows say which jobs there were; only what carries this site's mark is touched.
"""

from __future__ import annotations

import datetime as dt
import logging
from typing import Any

from django.utils import timezone

from runs.execution.backends.process import ProcessExecutor, jobs_folder
from runs.execution.executor import Job
from runs.models import Run, RunTask
from runs.states import NOT_FINAL
from studio.compute import engines
from studio.containers import containers, networks, secrets, services, volumes
from studio.errors import StudioError
from studio.workspace import storage

log = logging.getLogger(__name__)
# A run that has just ended is still being cleaned by its own worker.
SETTLED = dt.timedelta(minutes=2)
# Engines that jobs were on so long ago are not asked any more.
RECENT = dt.timedelta(days=30)


def sweep() -> list[str]:
    """Removes what is left of runs that are over or gone; returns the names of what it found."""
    found = sweep_folders()
    storage.drop_cut_off()
    for engine in _engines():
        try:
            # A host of a swarm must not start again what it finds gone: its services go first.
            found += _sweep((services,), "") if engine == "" and _swarm_in_use() else []
            found += sweep_engine(engine)
            found += _sweep((secrets,), "") if engine == "" and _swarm_in_use() else []
        except StudioError as error:
            log.info("not swept: %s", error.message)
    return found


def _engines() -> list[str]:
    """Engines that carried jobs lately; "" is the default one."""
    since = timezone.now() - RECENT
    rows = RunTask.objects.exclude(backend="process").filter(launched_at__gt=since)
    found = set(rows.values_list("engine", flat=True).distinct())
    # The manager first: it holds the services, secrets and networks of all hosts.
    return sorted(found | ({""} if _swarm_in_use() else set()))


def _swarm_in_use() -> bool:
    return RunTask.objects.filter(backend="swarm", launched_at__gt=timezone.now() - RECENT).exists()


def _over(marks: list[dict[str, str]]) -> set[tuple[str, str]]:
    """(run, attempt) of those whose run ended a while ago or was deleted, or goes on with a later attempt."""
    pairs = {(labels["atelier.run"], labels.get("atelier.attempt", "0")) for labels in marks}
    rows = {
        run_id: (ended_at, retries)
        for run_id, ended_at, retries in Run.objects.filter(pk__in={pair[0] for pair in pairs}).values_list(
            "pk", "ended_at", "retries"
        )
    }
    settled = timezone.now() - SETTLED

    def is_over(run_id: str, attempt: str) -> bool:
        ended_at, retries = rows.get(run_id, (settled - SETTLED, 0))
        return (ended_at is not None and ended_at < settled) or int(attempt) < retries

    return {pair for pair in pairs if is_over(*pair)}


def sweep_engine(engine: str) -> list[str]:
    """Containers first: what they are attached to can't go before them."""
    return _sweep((containers, networks, volumes), engine)


def _sweep(modules: tuple[Any, ...], engine: str) -> list[str]:
    swept = []
    for module in modules:
        marked = module.marked({"atelier.site": engines.site(), "atelier.run": None}, engine=engine or None)
        over = _over(list(marked.values()))
        for name, labels in marked.items():
            if (labels["atelier.run"], labels.get("atelier.attempt", "0")) in over:
                log.warning("removing %s, left by the run %s", name, labels["atelier.run"])
                module.remove(name, engine=engine or None)
                swept.append(name)
    return swept


def sweep_folders() -> list[str]:
    """Folders of processes on this host, with what still runs in them."""
    if not jobs_folder().is_dir():
        return []
    settled = timezone.now() - SETTLED
    old = [folder for folder in jobs_folder().iterdir() if folder.stat().st_mtime <= settled.timestamp()]
    if not old:
        return []
    wanted = set()
    for alive in ({"run__state__in": NOT_FINAL}, {"run__ended_at__gte": settled}):
        rows = RunTask.objects.filter(backend="process", **alive).values_list("run_id", "attempt", "index")
        wanted |= {Job(run_id=run_id, attempt=attempt, task=index).folder_name for run_id, attempt, index in rows}
    swept = []
    for folder in old:
        if folder.name in wanted:
            continue
        log.warning("removing %s, left by a run that is over", folder)
        ProcessExecutor().clean_folder(folder)
        swept.append(folder.name)
    return swept
