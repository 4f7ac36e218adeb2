"""What-if: a scoring session is a child run that holds the run's model and answers rows until its time is up.

The web process never loads the model. A page writes a request, the job takes it, scores it and writes the answer.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from typing import Any

import orjson
from django.db import transaction
from django.utils import timezone

from runs.insights import jobs
from runs.insights.explanations.view import View
from runs.models import Run, ScoringRequest, ScoringSession
from studio.errors import Conflict, Invalid, NotFound

KIND = "azureml.scoring"
MODULE = "atelier_jobs.score"
SECONDS = 900
#: How long a page waits for one answer before it says that the job does not give one.
ANSWER_SECONDS = 30
MAX_ROWS = 2000
GRID = 25


def begin(run: Run, by: str, model: str, environment: str = "", compute: str = "") -> ScoringSession:
    """Start a session for a model of the run (a path in its outputs, or a registered id). One at a time.

    It runs in the run's own environment and on its own compute, unless others are named.
    """
    there = current(run.id)
    if there is not None and there.model == model:
        return there
    files, version = jobs.model_files(run, model)
    with transaction.atomic():
        child = jobs.start(
            run,
            by,
            module=MODULE,
            name=f"What-if on {model}"[:250],
            kind=KIND,
            seconds=SECONDS,
            properties={"scoring.model": model},
            inputs=files,
            documents={"spec.json": orjson.dumps({"seconds": SECONDS})},
            model=version,
            environment=environment,
            compute=compute,
        )
        # Its environment may have to be built first; the job's own limit counts from when it runs.
        until = timezone.now() + dt.timedelta(seconds=SECONDS * 2)
        return ScoringSession.objects.create(run=run, child=child, model=model, expires_at=until)


def current(run_id: str) -> ScoringSession | None:
    """The session of the run that still answers, if any."""
    newest = ScoringSession.objects.filter(run_id=run_id).select_related("child").order_by("-created_at").first()
    if (
        newest is None
        or newest.child.is_final
        or newest.child.cancel_requested_at
        or newest.expires_at < timezone.now()
    ):
        return None
    return newest


def last(run_id: str) -> ScoringSession | None:
    """The newest session, ended or not: its error is what a page shows."""
    return ScoringSession.objects.filter(run_id=run_id).select_related("child").order_by("-created_at").first()


def ask(session: ScoringSession, rows: Any) -> ScoringRequest:
    """Put rows (lists of numbers or text, all of one width) before the job."""
    if not isinstance(rows, list) or not rows or len(rows) > MAX_ROWS:
        raise Invalid(f"Ask for 1 to {MAX_ROWS} rows.", field="rows")
    width = len(rows[0]) if isinstance(rows[0], list) else -1
    for row in rows:
        if not isinstance(row, list) or len(row) != width:
            raise Invalid("Each row is a list with a value for each feature.", field="rows")
        for value in row:
            missing = value is None
            if not missing and (
                not isinstance(value, (int, float, str)) or (isinstance(value, float) and not math.isfinite(value))
            ):
                raise Invalid("A row holds finite numbers, text, and None where a value is missing.", field="rows")
    same = session.requests.filter(rows=rows).order_by("-created_at").first()
    if same is not None and (same.answer is not None or not same.answered_at):
        return same
    return ScoringRequest.objects.create(session=session, rows=rows)


def take(child: Run) -> ScoringRequest | None:
    """The next request for the job of `child`; None when there is none."""
    with transaction.atomic():
        found = (
            ScoringRequest.objects.select_for_update(of=("self",))
            .filter(session__child=child, answered_at=None, taken_at=None)
            .order_by("created_at")
            .first()
        )
        if found is not None:
            found.taken_at = timezone.now()
            found.save(update_fields=["taken_at"])
    return found


def answer(child: Run, request_id: str, body: Any) -> None:
    """What the job says: {"predictions": [...], "probabilities": [[...]] or null} or {"error": sentence}."""
    found = ScoringRequest.objects.filter(session__child=child, pk=request_id[:40]).first()
    if found is None:
        raise NotFound("There is no such request.")
    if found.answered_at is not None:
        raise Conflict("This request was answered before.")
    error = body.get("error")
    if error:
        found.error = str(error)[:2000]
    else:
        found.answer = _checked(body, len(found.rows))
    found.answered_at = timezone.now()
    found.save(update_fields=["answer", "error", "answered_at"])


def _checked(body: dict[str, Any], rows: int) -> dict[str, Any]:
    predictions, probabilities = body.get("predictions"), body.get("probabilities")
    fine = isinstance(predictions, list) and len(predictions) == rows
    fine = fine and all(isinstance(p, (int, float, str)) for p in predictions or [])
    if probabilities is not None:
        fine = (
            fine
            and isinstance(probabilities, list)
            and len(probabilities) == rows
            and all(isinstance(p, list) and all(isinstance(v, (int, float)) for v in p) for p in probabilities)
        )
    if not fine:
        raise Invalid("The answer needs a prediction for each row.", field="predictions")
    classes = body.get("classes")
    return {
        "predictions": predictions,
        "probabilities": probabilities,
        "classes": [str(c)[:200] for c in classes] if isinstance(classes, list) else None,
    }


def row_of(view: View, position: int) -> list[Any]:
    """A row of the explanation as the model takes it."""
    if len(view.data) != len(view.features):
        raise Invalid("This explanation came without the values of its rows, so there is nothing to change.")
    return [_plain(column[position]) for column in view.data]


def _plain(value: Any) -> Any:
    """As JSON carries it: a missing value is None."""
    number = value.item() if hasattr(value, "item") else value
    return None if isinstance(number, float) and math.isnan(number) else number


def grid(view: View, positions: Sequence[int], feature: int, points: int = GRID) -> tuple[list[Any], list[list[Any]]]:
    """ICE: (values of the feature, the first row with each of them, then the second, …).

    Numbers run from the 1st to the 99th percentile; few distinct ones, and text, are taken as they are.
    """
    import numpy as np

    column = view.data[feature]
    if column.dtype.kind in "biuf":
        known = column[np.isfinite(column.astype(np.float64))]
        distinct = np.unique(known)
        if len(distinct) <= points:
            values = distinct.tolist()
        else:
            low, high = np.percentile(known, (1, 99))
            values = np.linspace(low, high, points).tolist()
            if column.dtype.kind in "iu":
                values = sorted({round(v) for v in values})
    else:
        names, counts = np.unique(column.astype(str), return_counts=True)
        values = names[np.argsort(-counts)][:points].tolist()
    bases = [row_of(view, position) for position in positions]
    return values, [[*base[:feature], v, *base[feature + 1 :]] for base in bases for v in values]
