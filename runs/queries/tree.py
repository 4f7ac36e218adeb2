"""Where a run stands among its parents and children."""

from __future__ import annotations

from runs.models import Run


def ancestors(run: Run) -> list[Run]:
    """From the root down to the run's parent; empty for a run without one. One query for each level above it."""
    found: list[Run] = []
    parent_id = run.parent_id
    while parent_id is not None and len(found) < 100:
        parent = Run.objects.only("id", "display_name", "parent_id", "number").get(pk=parent_id)
        found.append(parent)
        parent_id = parent.parent_id
    return found[::-1]
