"""Registered models as lists show them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery

from studio.workspace.models import ModelVersion


def listed(
    workspace_id: int,
    *,
    name: str | None = None,
    run_id: str | None = None,
    latest: bool = False,
    tags: Sequence[str] = (),
    properties: Sequence[str] = (),
    before: int | None = None,
    limit: int = 100,
) -> list[ModelVersion]:
    """Versions, newest first, at most `limit`; `tags` and `properties` are key or key=value, and all must fit.

    `before` is the key of the last one on the page before. `latest` keeps the greatest version of each name.
    """
    rows = ModelVersion.objects.select_related("model").filter(model__workspace_id=workspace_id).order_by("-pk")
    if name:
        rows = rows.filter(model__name=name)
    if run_id:
        rows = rows.filter(run_id=run_id)
    if latest:
        rows = rows.filter(version=Subquery(_newest()))
    if before is not None:
        rows = rows.filter(pk__lt=before)
    if not tags and not properties:
        return list(rows[:limit])
    found: list[ModelVersion] = []
    for row in rows.iterator(chunk_size=200):
        if all(_has(row.tags, text) for text in tags) and all(_has(row.properties, text) for text in properties):
            found.append(row)
            if len(found) == limit:
                break
    return found


def _newest() -> QuerySet[ModelVersion, Any]:
    same = ModelVersion.objects.filter(model=OuterRef("model")).order_by("-version")
    return same.values("version")[:1]


def _has(pairs: dict[str, Any], text: str) -> bool:
    key, equals, value = text.partition("=")
    return key in pairs and (not equals or pairs[key] == value)
