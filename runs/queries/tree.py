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


def below(run: Run, most: int) -> list[tuple[str, int]]:
    """(id, depth) of the runs below, a child's own children right after it, oldest first; at most ``most``.

    One query for each level: a whole level is found by its parents.
    """
    children: dict[str, list[str]] = {}
    level, found, depth = [run.id], 0, 0
    while level and found < most and depth < 100:
        rows = (
            Run.objects.filter(parent__in=level)
            .order_by("created_at", "number")
            .values_list("pk", "parent_id")[: most - found]
        )
        level = []
        for key, parent_id in rows:
            children.setdefault(str(parent_id), []).append(key)
            level.append(key)
        found, depth = found + len(level), depth + 1
    order: list[tuple[str, int]] = []
    waiting = [(key, 1) for key in reversed(children.get(run.id, []))]
    while waiting:
        key, at = waiting.pop()
        order.append((key, at))
        waiting += [(child, at + 1) for child in reversed(children.get(key, []))]
    return order
