"""Mitigation: the form checked, a child run for each algorithm, one dashboard that gathers what they bring."""

from __future__ import annotations

import math
import re
from typing import Any

import orjson
from django.db import transaction

from runs.actions.models import NewModel, register_from_run
from runs.insights import jobs
from runs.insights.fairness import store
from runs.insights.fairness.builder import build, feature_bins
from runs.insights.fairness.measures import BINARY
from runs.limits import clean_text
from runs.models import FairnessDashboard, Mitigation, Run, raw
from studio.errors import Conflict, Invalid, NotFound

ALGORITHMS = {
    "GridSearch": "a grid of models between accuracy and parity",
    "ExponentiatedGradient": "one randomised model within the constraint",
    "ThresholdOptimizer": "the plain model with a threshold for each group",
    "CorrelationRemover": "the plain model on features freed of correlation with the groups",
}
CONSTRAINTS = {
    "DemographicParity": "Demographic parity: selection rates alike",
    "EqualizedOdds": "Equalized odds: true and false positive rates alike",
    "TruePositiveRateParity": "Equal opportunity: true positive rates alike",
    "FalsePositiveRateParity": "False positive rates alike",
    "ErrorRateParity": "Error rates alike",
}
ESTIMATORS = {
    "LogisticRegression": "Logistic regression",
    "DecisionTreeClassifier": "Decision tree (at least 20 rows a leaf)",
    "LGBMClassifier": "Gradient boosted trees (LightGBM)",
}
KIND = "azureml.mitigation"
MODULE = "atelier_jobs.mitigate"
SECONDS = 3600
MAX_GRID = 200


def check(body: Any) -> dict[str, Any]:
    """The request with its defaults, or Invalid naming the field."""
    if not isinstance(body, dict):
        raise Invalid("A mitigation is an object.")
    text = {
        k: clean_text(body.get(k) or "", k, "tag_value", lines=False)
        for k in ("data", "label", "model", "compute", "name")
    }
    if not text["data"] or not text["label"]:
        missing = "data" if not text["data"] else "label"
        raise Invalid("Name the run's CSV file and the column with the labels.", field=missing)
    algorithms, constraint = body.get("algorithms") or ["GridSearch"], body.get("constraint") or "DemographicParity"
    if not isinstance(algorithms, list) or not all(isinstance(a, str) and a in ALGORITHMS for a in algorithms):
        raise Invalid(f"algorithms are of {', '.join(ALGORITHMS)}.", field="algorithms")
    if constraint not in CONSTRAINTS:
        raise Invalid(f"constraint is one of {', '.join(CONSTRAINTS)}.", field="constraint")
    if constraint == "ErrorRateParity" and "ThresholdOptimizer" in algorithms:
        raise Invalid("ThresholdOptimizer knows no error rate parity; choose another constraint.", field="constraint")
    estimator = body.get("estimator") or "LogisticRegression"
    if estimator not in ESTIMATORS:
        raise Invalid(f"estimator is one of {', '.join(ESTIMATORS)}.", field="estimator")
    sensitive = body.get("sensitive")
    if (
        not isinstance(sensitive, list)
        or not sensitive
        or not all(isinstance(s, str) and 0 < len(s) <= 256 for s in sensitive)
    ):
        raise Invalid("sensitive names one or more columns with the groups.", field="sensitive")
    features = body.get("features") or []
    if not isinstance(features, list) or not all(isinstance(f, str) and len(f) <= 256 for f in features):
        raise Invalid("features is a list of columns; without it all others are features.", field="features")
    environment = body.get("environment") or ""
    if not isinstance(environment, (str, dict)):
        raise Invalid("environment is the name of a registered environment, or a definition.", field="environment")
    return {
        **text,
        "environment": environment,
        "algorithms": sorted(set(algorithms), key=list(ALGORITHMS).index),
        "constraint": constraint,
        "estimator": estimator,
        "sensitive": sensitive[:20],
        "features": features[:5000],
        "grid_size": int(_number(body, "grid_size", 10, 2, MAX_GRID)),
        "test_size": _number(body, "test_size", 0.3, 0.05, 0.9),
        "seed": int(_number(body, "seed", 0, 0, 2**31 - 1)),
    }


def _number(body: dict[str, Any], key: str, default: float, low: float, high: float) -> float:
    value = body.get(key)
    if value in (None, ""):
        return default
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = math.nan
    if not low <= number <= high:
        raise Invalid(f"{key} is a number from {low:g} to {high:g}.", field=key)
    return number


def begin(run: Run, by: str, body: Any) -> Mitigation:
    """Start the child runs of a mitigation of `run`."""
    spec = check(body)
    data = jobs.artifact(run, spec["data"])
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
    for key, kind in (("y_true", list), ("sensitive", dict), ("predictions", dict), ("models", dict)):
        if not isinstance(body.get(key), kind):
            raise Invalid(f"The report lacks '{key}'.", field=key)
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


def _joined(found: Mitigation, body: dict[str, Any]) -> dict[str, Any]:
    """The dictionary of what was there and what came; Invalid when the rows are not the same."""
    there = orjson.loads(store.content(found.dashboard)) if found.dashboard else None
    predictions = dict(zip(there["modelNames"], there["predictedY"], strict=True)) if there else {}
    if there and there["trueY"] != body["y_true"]:
        raise Conflict("This child run tested other rows than the ones before it.")
    lengths = {
        len(v)
        for v in [body["y_true"], *body["predictions"].values(), *body["sensitive"].values()]
        if isinstance(v, list)
    }
    if len(lengths) != 1:
        raise Invalid("The report's lists differ in length.", field="predictions")
    original = found.spec["model"] or f"plain {found.spec['estimator']}"
    if isinstance(body.get("original"), list):
        predictions.setdefault(original, body["original"])
    predictions |= body["predictions"]
    for values in body["sensitive"].values():
        feature_bins("", [str(v)[:256] for v in values])
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
    made = register_from_run(
        by,
        raw.run_key(str(fact["run_id"])),
        fact["path"],
        NewModel(name, description=f"{model} of the mitigation “{found.name}”", properties=properties),
    )
    return f"{made.model.name}:{made.version}"
