"""Explanations of a run in the database and its artifacts: register, find, load, remove."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import numpy as np
from django.db import IntegrityError

from runs.insights import files
from runs.insights.explanations.bundle import METADATA, Bundle, File, check_values, shape_of, text
from runs.insights.explanations.importance import ranking
from runs.insights.explanations.view import View, load
from runs.limits import clean_text
from runs.models import Artifact, Explanation, Run
from studio.errors import Conflict, Invalid, NotFound
from studio.workspace import storage

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
TOP = 20


def register(run_id: str, body: dict[str, Any]) -> Explanation:
    """Make the row of an explanation whose files were uploaded. The same id again gives the row that is there.

    body: {"id", "prefix", "comment", "model_id"}. Everything is read and checked first; Invalid names what is wrong.
    """
    identity = body.get("id")
    if not isinstance(identity, str) or not _ID.fullmatch(identity):
        raise Invalid("An explanation's id is a UUID in lower case.", field="id")
    prefix = f"explanations/{identity}"
    if body.get("prefix", prefix) != prefix:
        raise Invalid(f"The files of this explanation belong under {prefix}/.", field="prefix")
    comment = clean_text(body.get("comment") or "", "comment", "tag_value")
    model_id = clean_text(body.get("model_id") or "", "model_id", "tag_value", lines=False)[:300]
    there = Explanation.objects.filter(pk=identity).first()
    if there is not None:
        if there.run_id != run_id:
            raise Conflict("Another run has an explanation with this id.")
        return there
    bundle = _bundle(run_id, prefix)
    shape = shape_of(bundle)
    check_values(bundle)
    meta = bundle.meta
    made = Explanation(
        id=identity,
        run_id=run_id,
        comment=comment,
        source=meta["source"],
        method=text(meta.get("method") or "")[:200],
        model_id=model_id,
        task=text(meta.get("model_task") or "")[:40],
        is_raw=bool(meta.get("is_raw")),
        is_engineered=bool(meta.get("is_engineered")),
        is_global=shape.is_global,
        is_local=shape.is_local,
        features=shape.features,
        rows=shape.rows,
        classes=bundle.names("classes", None, "Class")[:100] if bundle.has("classes") else [],
        top=_top(bundle),
        meta={
            k: text(meta[k]) if isinstance(meta[k], str) else meta[k]
            for k in ("init_dataset_id", "eval_dataset_id", "ys_pred_dataset_id", "ys_pred_proba_dataset_id", "top_k")
            if isinstance(meta.get(k), (str, int)) and len(str(meta[k])) <= 500
        },
        prefix=prefix,
    )
    try:
        made.save(force_insert=True)
    except IntegrityError:
        return Explanation.objects.get(pk=identity, run_id=run_id)
    return made


def _top(bundle: Bundle) -> list[dict[str, Any]]:
    """The first features by global importance, for lists: of a local explanation by the mean over its rows."""
    view = load(bundle)
    from runs.insights.explanations.importance import aggregate

    values = aggregate(view)
    if not len(values) or (view.local is None and view.overall is None):
        return []
    finite = np.where(np.isfinite(values), values, 0.0)
    return [{"feature": view.features[i], "importance": float(finite[i])} for i in ranking(finite)[:TOP]]


def _bundle(run_id: str, prefix: str) -> Bundle:
    rows = Artifact.objects.filter(run_id=run_id, path__startswith=f"{prefix}/").values_list("path", "size", "sha256")
    found = {path.removeprefix(f"{prefix}/"): (size, sha256) for path, size, sha256 in rows}
    if METADATA not in found:
        raise Invalid(f"Upload the files of the explanation first: {prefix}/{METADATA} is missing.", field="prefix")
    return Bundle({name: _file(size, sha256) for name, (size, sha256) in found.items()})


def _file(size: int, sha256: str) -> File:
    return File(size, lambda: storage.open_content(sha256))


def of_run(run_id: str) -> list[Explanation]:
    """The run's explanations, the oldest first."""
    return list(Explanation.objects.filter(run_id=run_id).order_by("created_at", "id"))


def find(run_id: str, explanation_id: str) -> Explanation:
    """One explanation of the run; NotFound when it has no such."""
    found = Explanation.objects.filter(run_id=run_id, pk=explanation_id[:40]).first()
    if found is None:
        raise NotFound(f"This run has no explanation {explanation_id[:80]!r}.")
    return found


def view_of(explanation: Explanation) -> View:
    """What a page shows of it. Kept for the next request of the same page: an uploaded explanation never changes."""
    return _view(explanation.run_id, explanation.prefix)


@lru_cache(maxsize=4)
def _view(run_id: str, prefix: str) -> View:
    return load(_bundle(run_id, prefix))


def importances(explanation: Explanation) -> dict[str, float]:
    """{feature: importance over all rows}, for a comparison."""
    from runs.insights.explanations.importance import aggregate

    view = view_of(explanation)
    return dict(zip(view.features, aggregate(view).tolist(), strict=True))


def remove(run: Run, explanation_id: str) -> None:
    """Delete an explanation, its row first, then its files."""
    found = find(run.id, explanation_id)
    found.delete()
    _view.cache_clear()
    files.remove(run.id, f"{found.prefix}/")


def as_json(found: Explanation) -> dict[str, Any]:
    """The record that lists give: v1's id, comment and kind, and what there is to know without opening it."""
    kind = "raw" if found.is_raw else "engineered" if found.is_engineered else "unknown"
    return {
        "id": found.pk,
        "run_id": found.run_id,
        "comment": found.comment,
        "kind": kind,
        "source": found.source,
        "method": found.method,
        "model_id": found.model_id or None,
        "model_task": found.task,
        "is_raw": found.is_raw,
        "is_engineered": found.is_engineered,
        "is_global": found.is_global,
        "is_local": found.is_local,
        "features": found.features,
        "rows": found.rows,
        "classes": found.classes,
        # PostgreSQL gives a whole number back for a float beyond 2^64, which no JSON of ours may hold.
        "top": [{**one, "importance": float(one["importance"])} for one in found.top],
        "prefix": found.prefix,
        "created_at": found.created_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        **found.meta,
    }
