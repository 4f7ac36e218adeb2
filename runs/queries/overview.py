"""What the home page and the list of experiments show. Each is a fixed number of index look-ups."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from runs.models import Experiment, Run, raw
from studio.workspace.models import Workspace

PAGE = 50
# A workspace that no index may answer (the plus): only then does SQLite take the index of the few runs under way.
_LIVE = f"SELECT id, experiment_id FROM runs_run WHERE {raw.UNDER_WAY} AND +workspace_id = %s"


def _under_way(workspace: Workspace) -> list[tuple[str, int]]:
    """(run id, experiment id) of the workspace's runs that are not final, children too; one look at the partial index."""
    return [(key, experiment) for key, experiment in raw.rows(_LIVE, [workspace.pk])]


def running(workspace: Workspace, most: int = 10) -> list[Run]:
    """Top runs that are not final, newest first."""
    ids = [key for key, _ in _under_way(workspace)][:5000]
    live = Run.objects.filter(pk__in=ids, parent__isnull=True).select_related("experiment")
    return list(live.defer("definition", "error_details").order_by("-created_at", "-id")[:most]) if ids else []


def recent(workspace: Workspace, most: int = 10) -> list[Run]:
    """Top runs in any state, newest first."""
    runs = Run.objects.filter(workspace=workspace, parent__isnull=True, archived_at__isnull=True)
    return list(
        runs.select_related("experiment").defer("definition", "error_details").order_by("-created_at", "-id")[:most]
    )


@dataclass(frozen=True)
class Page:
    """Experiments and where the next page begins."""

    items: list[Experiment]
    next: str | None


def experiments(
    workspace: Workspace, *, search: str = "", archived: bool = False, after: str = "", most: int = PAGE
) -> Page:
    """Experiments by their newest run, each with ``newest_at``, ``newest_state`` and ``live`` (its runs under way).

    ``after`` is a page's ``next``: the newest-run time and the id of the last row shown.
    """
    newest = Run.objects.filter(experiment=OuterRef("pk")).order_by("-created_at", "-id")
    rows: QuerySet[Any] = (
        Experiment.objects.filter(workspace=workspace, archived_at__isnull=not archived)
        .annotate(newest_at=Coalesce(Subquery(newest.values("created_at")[:1]), F("created_at")))
        .annotate(newest_state=Subquery(newest.values("state")[:1]))
        .order_by("-newest_at", "-id")
    )
    if search:
        rows = rows.filter(name__icontains=search)
    rows = _after(rows, after)
    found = list(rows[: most + 1])
    more = found[most:]
    found = found[:most]
    live = Counter(experiment for _, experiment in _under_way(workspace))
    for row in found:
        row.live = live[row.pk]  # type: ignore[attr-defined]
    return Page(found, f"{found[-1].newest_at.isoformat()}~{found[-1].pk}" if more else None)  # type: ignore[attr-defined]


def _after(rows: QuerySet[Experiment], after: str) -> QuerySet[Experiment]:
    moment, _, key = after.partition("~")
    try:
        at, pk = datetime.fromisoformat(moment), int(key)
    except ValueError:
        return rows  # no cursor, or one that someone typed: the first page
    if at.tzinfo is None:
        return rows
    return rows.filter(Q(newest_at__lt=at) | Q(newest_at=at, pk__lt=pk))
