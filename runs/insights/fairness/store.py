"""Fairness dashboards of a run: checked and kept whole, with the measures of each model beside them for lists."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

import numpy as np
import orjson
from django.db import transaction

from runs.insights import files
from runs.insights.fairness import disparity as disparities
from runs.insights.fairness.assessment import Dashboard, differences, with_rows
from runs.insights.fairness.validation import check
from runs.limits import clean_text
from runs.models import DashboardModel, FairnessDashboard, Run
from runs.models.insight import new_id
from studio.errors import Invalid, NotFound, TooLarge
from studio.workspace.models import ModelVersion

MAX_BYTES = 24 << 20
#: Features whose disparities lists and comparisons can show.
SUMMARISED_FEATURES = 20


def too_large(size: int) -> TooLarge:
    """The refusal of a dashboard of so many bytes."""
    return TooLarge(
        f"The dashboard takes {size / 2**20:.0f} MB; at most {MAX_BYTES >> 20} MB are taken. Upload a sample of the rows."
    )


def read_json(data: bytes) -> Any:
    """Uploaded JSON as Python; TooLarge and Invalid are sentences for the person who uploads.

    NaN and the infinities are let through, so that the check can name where they stand; a key that an object has twice
    is refused, because one of the two would be lost.
    """
    if len(data) > MAX_BYTES:
        raise too_large(len(data))
    try:
        return json.loads(data.decode("utf-8-sig"), object_pairs_hook=_without_repeats)
    except RecursionError:
        raise Invalid("The dashboard is nested too deeply.", field="dashboard") from None
    except ValueError as error:
        raise Invalid(f"The dashboard is not JSON: {str(error)[:200]}.", field="dashboard") from None


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise Invalid(f"'{twice[:80]}' stands twice in one object of the dashboard.", field=twice[:80])
    return made


def save(
    run: Run, dashboard: Any, name: Any, *, dataset_name: Any = "", validate_model_ids: bool = True
) -> FairnessDashboard:
    """Check a dictionary and keep it. Invalid names the key at fault; nothing is written then."""
    title = clean_text(name or "", "name", "display_name", lines=False).strip()[:255]
    if not title:
        raise Invalid("Give the dashboard a name.", field="name")
    dataset = clean_text(dataset_name or "", "dataset_name", "display_name", lines=False)[:255]
    check(dashboard, _registered(run, dashboard) if validate_model_ids else None)
    data = orjson.dumps(dashboard)
    opened = Dashboard(dashboard)
    rows = _models(dashboard, opened)
    identity = new_id()
    path = f"fairness/{identity}/dashboard.json"
    files.write(run.id, path, data)
    with transaction.atomic():
        made = FairnessDashboard.objects.create(
            id=identity,
            run=run,
            name=title,
            dataset_name=dataset,
            prediction_type=dashboard["predictionType"],
            feature_names=opened.feature_names,
            rows=len(dashboard["trueY"]),
            path=path,
        )
        _write(made, rows)
    return made


def replace(made: FairnessDashboard, dashboard: dict[str, Any]) -> None:
    """Put another dictionary in the place of a dashboard that grows (a mitigation's)."""
    check(dashboard)
    rows = _models(dashboard, Dashboard(dashboard))
    files.write(made.run_id, made.path, orjson.dumps(dashboard))
    with transaction.atomic():
        made.models.all().delete()
        _write(made, rows)


def _models(dashboard: dict[str, Any], opened: Dashboard) -> list[DashboardModel]:
    wrong = differences(dashboard, opened)
    return [
        DashboardModel(position=i, model_id=name[:300], summary={**summary, "differs": wrong.get(i, [])})
        for i, (name, summary) in enumerate(zip(opened.model_names, summaries(opened), strict=True))
    ]


def _write(made: FairnessDashboard, rows: list[DashboardModel]) -> None:
    for row in rows:
        row.dashboard = made
    DashboardModel.objects.bulk_create(rows, batch_size=100)


def summaries(opened: Dashboard) -> list[dict[str, Any]]:
    """{"overall": {measure: value}, "disparity": {feature: {metric: value}}} of each model, computed from the upload."""
    made: list[dict[str, Any]] = [{"overall": {}, "disparity": {}} for _ in opened.model_names]
    for i, feature in enumerate(opened.feature_names[:SUMMARISED_FEATURES]):
        found = [opened.computed(m, (i,)) for m in range(len(made))]
        by_group = [with_rows(one) for one in found]
        stacked = {key: np.stack([one[key] for one in by_group]) for key in by_group[0]}
        overall = {key: np.array([one.overall[key] for one in found]) for key in found[0].overall}
        for summary, one in zip(made, found, strict=True):
            summary["overall"] = one.overall
            summary["disparity"][feature] = {}
        for metric in disparities.DISPARITIES[opened.prediction_type]:
            for summary, value in zip(made, disparities.value(metric, stacked, overall).tolist(), strict=True):
                if np.isfinite(value):
                    summary["disparity"][feature][metric.key] = value
    return made


def _registered(run: Run, dashboard: Any) -> Any:
    """A function that knows which ids of the dictionary are registered: one query for all of them."""
    asked = dashboard.get("modelNames") if isinstance(dashboard, dict) else None
    wanted: dict[str, set[int]] = {}
    for one in asked if isinstance(asked, list) else []:
        name, _, version = one.rpartition(":") if isinstance(one, str) else ("", "", "")
        if name and version.isdecimal() and len(version) < 10:
            wanted.setdefault(name, set()).add(int(version))
    rows = ModelVersion.objects.filter(model__workspace_id=run.workspace_id, model__name__in=list(wanted))
    known = {f"{name}:{version}" for name, version in rows.values_list("model__name", "version")}
    return known.__contains__


def of_run(run_id: str) -> list[FairnessDashboard]:
    """The run's dashboards with their models, the oldest first."""
    return list(FairnessDashboard.objects.filter(run_id=run_id).prefetch_related("models").order_by("created_at", "id"))


def find(run_id: str, upload_id: str) -> FairnessDashboard:
    """One dashboard of the run; NotFound when it has no such."""
    found = FairnessDashboard.objects.filter(run_id=run_id, pk=upload_id[:40]).first()
    if found is None:
        raise NotFound(f"This run has no fairness dashboard {upload_id[:80]!r}.")
    return found


def content(found: FairnessDashboard) -> bytes:
    """The JSON as it was uploaded."""
    return files.read(found.run_id, found.path)


def opened(found: FairnessDashboard) -> Dashboard:
    """The dashboard ready to compute with. The last ones are kept: a page asks for the same one several times."""
    sha256 = found.run.artifacts.filter(path=found.path).values_list("sha256", flat=True).first() or ""
    return _opened(found.run_id, found.path, sha256)


@lru_cache(maxsize=4)
def _opened(run_id: str, path: str, sha256: str) -> Dashboard:
    return Dashboard(orjson.loads(files.read(run_id, path)))


def remove(run_id: str, upload_id: str) -> None:
    """Delete a dashboard and its file."""
    found = find(run_id, upload_id)
    found.delete()
    files.remove(run_id, f"fairness/{upload_id}/")


def as_json(found: FairnessDashboard) -> dict[str, Any]:
    """The record that lists give."""
    return {
        "id": found.pk,
        "run_id": found.run_id,
        "name": found.name,
        "dataset_name": found.dataset_name or None,
        "prediction_type": found.prediction_type,
        "model_names": [m.model_id for m in found.models.all()],
        "feature_names": found.feature_names,
        "rows": found.rows,
        "created_at": found.created_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    }
