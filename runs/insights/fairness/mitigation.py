"""Mitigation: a child run for each algorithm, one dashboard that gathers what they bring."""

from __future__ import annotations

import contextlib
import re
from typing import Any

import orjson
from django.db import transaction

from runs.actions import state
from runs.actions.models import NewModel, register_from_run
from runs.insights import jobs
from runs.insights.fairness import request, store
from runs.insights.fairness.builder import build
from runs.insights.fairness.measures import BINARY
from runs.insights.fairness.request import CONSTRAINTS
from runs.models import FairnessDashboard, Mitigation, Run, raw
from studio.errors import Conflict, Invalid, NotFound
from studio.workspace.models import ModelVersion

KIND = "azureml.mitigation"
MODULE = "atelier_jobs.mitigate"
SECONDS = 3600
#: Properties of a registered model: the dashboard it was chosen from, and its name there.
FROM_DASHBOARD, AS_MODEL = "fairness.dashboard", "fairness.model"


def begin(run: Run, by: str, body: Any) -> Mitigation:
    """Start the child runs of a mitigation of `run`."""
    spec = request.check(body)
    data = jobs.artifact(run, spec["data"])
    request.check_rows(spec, data)
    files, version = jobs.model_files(run, spec["model"]) if spec["model"] else ([], None)
    with transaction.atomic():
        made = Mitigation.objects.create(run=run, spec=spec)
        for algorithm in spec["algorithms"]:
            jobs.start(
                run,
                by,
                module=MODULE,
                name=f"{algorithm} · {spec['constraint']}",
                kind=KIND,
                seconds=SECONDS,
                compute=spec["compute"],
                properties={"mitigation": made.pk, "mitigation.algorithm": algorithm},
                inputs=[("data.csv", data), *files],
                documents={"spec.json": orjson.dumps({**spec, "algorithm": algorithm})},
                model=version,
                environment=spec["environment"],
            )
    return made


def children_of(found: Mitigation) -> list[Run]:
    """The child runs of a mitigation, the oldest first."""
    return list(
        Run.objects.filter(
            parent_id=found.run_id, property_rows__key="mitigation", property_rows__value=found.pk
        ).order_by("created_at", "id")
    )


def cancel(found: Mitigation, by: str) -> int:
    """Ask every child run that is not final to end; how many were asked. Conflict when there is none."""
    open_ones = [child for child in children_of(found) if not child.is_final]
    if not open_ones:
        raise Conflict("Every run of this mitigation has ended; there is nothing to cancel.")
    asked = 0
    for child in open_ones:
        with contextlib.suppress(Conflict):  # it has ended meanwhile
            state.cancel(raw.run_key(child.id), by)
            asked += 1
    return asked


def find(run_id: str, mitigation_id: str) -> Mitigation:
    """One mitigation of the run."""
    found = Mitigation.objects.filter(run_id=run_id, pk=mitigation_id[:40]).select_related("run", "dashboard").first()
    if found is None:
        raise NotFound(f"This run has no mitigation {mitigation_id[:80]!r}.")
    return found


def report(child: Run, body: Any) -> FairnessDashboard:
    """Take the models of a child run and put them into the mitigation's dashboard.

    body: {"y_true": [...], "original": [...] or null, "sensitive": {name: [...]}, "predictions": {label: [...]},
    "models": {label: {"path": artifact, "explanation_id": id}}}. All children of one mitigation test the same rows.
    """
    mitigation_id = child.property_rows.filter(key="mitigation").values_list("value", flat=True).first()
    if mitigation_id is None:
        raise Conflict("This run belongs to no mitigation.")
    _check_report(body)
    with transaction.atomic():
        found = (
            Mitigation.objects.select_for_update(of=("self",)).select_related("run", "dashboard").get(pk=mitigation_id)
        )
        results = {**found.results, child.id: {"models": body["models"]}}
        dictionary = _joined(found, body)
        if found.dashboard is None:
            title = found.spec["name"] or f"Mitigation: {CONSTRAINTS[found.spec['constraint']].split(':')[0].lower()}"
            found.dashboard = store.save(
                found.run,
                dictionary,
                title,
                dataset_name=found.spec["data"].rsplit("/", 1)[-1],
                validate_model_ids=False,
            )
        else:
            store.replace(found.dashboard, dictionary)
        found.results = results
        found.save(update_fields=["results", "dashboard"])
    return found.dashboard


def _check_report(body: dict[str, Any]) -> None:
    """The job runs its owner's code, so nothing of its report is taken on trust."""
    for key, kind in (("y_true", list), ("sensitive", dict), ("predictions", dict), ("models", dict)):
        if not isinstance(body.get(key), kind):
            raise Invalid(f"The report lacks '{key}'.", field=key)
    columns = {"y_true": body["y_true"], **body["predictions"]}
    if body.get("original") is not None:
        columns["original"] = body["original"]
    for name, values in columns.items():
        if not isinstance(values, list) or not all(type(v) is int and v in (0, 1) for v in values):
            raise Invalid(f"'{name[:80]}' of the report must be a list of 0 and 1.", field=name[:80])
    groups = body["sensitive"]
    if not groups or not all(isinstance(v, list) for v in groups.values()):
        raise Invalid("'sensitive' of the report must hold a list of groups for each feature.", field="sensitive")
    if len({len(v) for v in [*columns.values(), *groups.values()]}) != 1:
        raise Invalid("The report's lists differ in length.", field="predictions")
    for label, fact in body["models"].items():
        texts = [fact.get(k) for k in ("path", "explanation_id")] if isinstance(fact, dict) else [0]
        if label not in body["predictions"] or not all(t is None or isinstance(t, str) for t in texts):
            raise Invalid(f"'models' of the report is wrong at {label[:80]!r}.", field="models")


def _joined(found: Mitigation, body: dict[str, Any]) -> dict[str, Any]:
    """The dictionary of what was there and what came; Conflict when the rows are not the same."""
    there = orjson.loads(store.content(found.dashboard)) if found.dashboard else None
    predictions = dict(zip(there["modelNames"], there["predictedY"], strict=True)) if there else {}
    if there and there["trueY"] != body["y_true"]:
        raise Conflict("This child run tested other rows than the ones before it.")
    if body.get("original") is not None:
        original = found.spec["model"] or f"plain {found.spec['estimator']}"
        predictions.setdefault(original, body["original"])
    predictions |= body["predictions"]
    sensitive = {str(k)[:256]: [str(v)[:256] for v in values] for k, values in body["sensitive"].items()}
    return build(BINARY, body["y_true"], predictions, sensitive)


def model_facts(found: FairnessDashboard) -> dict[str, dict[str, Any]]:
    """{model of a mitigation's dashboard: {"run_id", "path", "explanation_id"}}; {} for any other dashboard."""
    mitigation = Mitigation.objects.filter(dashboard=found).first()
    if mitigation is None:
        return {}
    facts = {}
    for child, result in mitigation.results.items():
        for label, more in result.get("models", {}).items():
            if isinstance(more, dict):
                facts[label] = {"run_id": child, **{k: more.get(k) for k in ("path", "explanation_id")}}
    return facts


def registered(found: FairnessDashboard, facts: dict[str, dict[str, Any]]) -> dict[str, ModelVersion]:
    """{model of a mitigation's dashboard: its newest registered version}."""
    if not facts:
        return {}
    rows = ModelVersion.objects.filter(
        model__workspace_id=found.run.workspace_id, run_id__in={fact["run_id"] for fact in facts.values()}
    )
    return {
        row.properties[AS_MODEL]: row
        for row in rows.select_related("model").order_by("pk")
        if row.properties.get(FROM_DASHBOARD) == found.pk and AS_MODEL in row.properties
    }


def as_json(found: Mitigation) -> dict[str, Any]:
    """The record that the API gives."""
    return {
        "id": found.pk,
        "run_id": found.run_id,
        "spec": found.spec,
        "dashboard_id": found.dashboard_id,
        "children": [
            {
                "run_id": c.id,
                "name": c.display_name,
                "status": c.status,
                "final": c.is_final,
                "error": (c.error or {}).get("message"),
            }
            for c in children_of(found)
        ],
        "created_at": found.created_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    }


def register(found: FairnessDashboard, model: str, by: str) -> str:
    """Register a model of a mitigation's dashboard from the child run that trained it; its new id."""
    fact = model_facts(found).get(model)
    if fact is None or not isinstance(fact.get("path"), str):
        raise NotFound(f"{model[:80]!r} was not trained by a mitigation of this run, so there is no file to register.")
    summary = found.models.filter(model_id=model).values_list("summary", flat=True).first() or {}
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", f"{found.run.experiment.name}-{model}").strip("-")[:200]
    properties = {f"fairness.{k}": f"{v:.6g}" for k, v in list(summary.get("overall", {}).items())[:20]}
    # So that the model's page finds the dashboard it was chosen from, where it bears another name.
    properties |= {FROM_DASHBOARD: found.pk, AS_MODEL: model}
    made = register_from_run(
        by,
        raw.run_key(str(fact["run_id"])),
        fact["path"],
        NewModel(name, description=f"{model} of the mitigation “{found.name}”", properties=properties),
    )
    return f"{made.model.name}:{made.version}"
