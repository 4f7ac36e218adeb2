"""The tree, the chosen file highlighted, or its difference from another run's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest

from runs.models import Run, Snapshot
from runs.pages.filetree import tree_of
from runs.pages.previews import diff_html, preview
from runs.pages.tab import Context
from runs.queries import snapshot_files

SHOWN = 512 * 1024
OFFERED = 25
OPENS_FIRST = ("train.py", "main.py", "run.py", "README.md")


def _first(run: Run, paths: list[str]) -> str:
    script = str((run.definition or {}).get("script") or "").removeprefix("./").replace("\\", "/")
    for wanted in (script, *OPENS_FIRST):
        if wanted in paths:
            return wanted
    return next((path for path in paths if path.endswith(".py")), paths[0] if paths else "")


def _first_change(changes: Sequence[snapshot_files.Change]) -> str:
    """A file that both have says more than one that only one has."""
    found = sorted(changes, key=lambda change: change.kind != "changed")
    return found[0].path if found else ""


def _other(request: HttpRequest, run: Run) -> Run | None:
    wanted = request.GET.get("with", "")
    if not wanted:
        return None
    found = Run.objects.filter(workspace=run.workspace, pk=wanted, snapshot__isnull=False)
    return found.select_related("snapshot").defer("definition").first()


def _offered(run: Run) -> list[Run]:
    """Recent runs of the experiment that have a snapshot, for the picker."""
    rows = Run.objects.filter(experiment=run.experiment, snapshot__isnull=False, parent__isnull=True).exclude(pk=run.pk)
    return list(rows.only("id", "number", "display_name", "created_at").order_by("-created_at", "-id")[:OFFERED])


def _file(snapshot: Snapshot, path: str) -> dict[str, Any]:
    data = snapshot_files.read(snapshot, path, SHOWN + 1)
    whole = len(data) <= SHOWN
    return preview(path.rpartition("/")[2], data[:SHOWN], whole) | ({} if whole else {"capped": SHOWN})


def context(request: HttpRequest, run: Run) -> Context:
    """?file= the chosen one; ?with= the run to compare with."""
    if run.snapshot is None:
        return {"snapshot": None}
    rows = snapshot_files.listing(run.snapshot)
    paths = [row.path for row in rows]
    other = _other(request, run)
    changed = snapshot_files.changes(run.snapshot, other.snapshot) if other and other.snapshot else []
    wanted = request.GET.get("file") or (_first_change(changed) if other else _first(run, paths))
    row = next((row for row in rows if row.path == wanted), None)
    found: Context = {
        "snapshot": run.snapshot,
        "count": len(rows),
        "tree": tree_of([(row.path, row.size) for row in rows], wanted),
        "chosen": row,
        "wanted": wanted,
        "file_query": urlencode({"file": wanted}),
        "other": other,
        "other_missing": bool(request.GET.get("with")) and other is None,
        "offered": _offered(run),
        "changes": changed,
        "shown": None,
    }
    if other and other.snapshot:
        difference = snapshot_files.unified_diff(run.snapshot, other.snapshot, wanted) if wanted else ""
        found["difference"] = diff_html(difference) if difference else ""
        found["incomparable"] = difference is None
    elif row is not None:
        found["shown"] = _file(run.snapshot, wanted)
    return found
