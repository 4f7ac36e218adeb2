"""Explanations, fairness dashboards, mitigations, and the questions a scoring job answers."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse

from runs.api.routing import JSON, Call, read_body, route
from runs.insights.explanations import scoring
from runs.insights.explanations import store as explanations
from runs.insights.fairness import mitigation
from runs.insights.fairness import store as fairness
from runs.models import Run
from studio.errors import Forbidden, Invalid
from studio.workspace.models import Role

TAG = "Insights"
EXPLANATION = {
    "id": "UUID",
    "prefix": "explanations/<id>, where its files were uploaded",
    "comment": "text?",
    "model_id": "text?",
}
DASHBOARD = {
    "name": "text",
    "dashboard": "a dashboardDictionary",
    "validate_model_ids": "true | false",
    "dataset_name": "text?",
}


def _run(call: Call) -> Run:
    return Run.objects.select_related("experiment").get(pk=call.run.id)


@route("GET", "/runs/{id}/explanations", tag=TAG, summary="The run's explanations, the oldest first.")
def list_explanations(call: Call) -> dict[str, Any]:
    """Records with id, comment and kind."""
    return {"items": [explanations.as_json(e) for e in explanations.of_run(call.run.id)], "next": None}


@route(
    "POST",
    "/runs/{id}/explanations",
    tag=TAG,
    summary="Register an explanation whose files were uploaded as artifacts.",
    need=Role.CONTRIBUTOR,
    body=EXPLANATION,
    status=201,
)
def add_explanation(call: Call) -> dict[str, Any]:
    """Checks the files first; the same id again gives the record that is there."""
    return explanations.as_json(explanations.register(call.run.id, call.json()))


@route("GET", "/runs/{id}/explanations/{eid}", tag=TAG, summary="One explanation's record.")
def get_explanation(call: Call, eid: str) -> dict[str, Any]:
    """Its files are artifacts under its prefix."""
    return explanations.as_json(explanations.find(call.run.id, eid))


@route(
    "DELETE",
    "/runs/{id}/explanations/{eid}",
    tag=TAG,
    summary="Delete an explanation and its files.",
    need=Role.CONTRIBUTOR,
    status=204,
)
def delete_explanation(call: Call, eid: str) -> HttpResponse:
    """Nothing of it is kept."""
    explanations.remove(_run(call), eid)
    return HttpResponse(status=204)


@route("GET", "/runs/{id}/fairness", tag=TAG, summary="The run's fairness dashboards, the oldest first.")
def list_dashboards(call: Call) -> dict[str, Any]:
    """Records; the dictionary itself is at its own address."""
    return {"items": [fairness.as_json(d) for d in fairness.of_run(call.run.id)], "next": None}


@route(
    "POST",
    "/runs/{id}/fairness",
    tag=TAG,
    summary="Upload a fairness dashboard.",
    need=Role.CONTRIBUTOR,
    body=DASHBOARD,
    gives="{id}",
    status=201,
)
def add_dashboard(call: Call) -> dict[str, Any]:
    """The dictionary is checked whole; a refusal names the key at fault."""
    body = fairness.read_json(read_body(call.request))
    if not isinstance(body, dict):
        raise Invalid("The body is a JSON object.")
    validate = body.get("validate_model_ids", True)
    if not isinstance(validate, bool):
        raise Invalid("validate_model_ids is true or false.", field="validate_model_ids")
    made = fairness.save(
        _run(call),
        body.get("dashboard"),
        body.get("name"),
        dataset_name=body.get("dataset_name"),
        validate_model_ids=validate,
    )
    return fairness.as_json(made)


@route("GET", "/runs/{id}/fairness/{upload_id}", tag=TAG, summary="The dashboard dictionary as it was uploaded.")
def get_dashboard(call: Call, upload_id: str) -> HttpResponse:
    """Equal, key by key, to what was uploaded."""
    return HttpResponse(fairness.content(fairness.find(call.run.id, upload_id)), content_type=JSON)


@route(
    "DELETE",
    "/runs/{id}/fairness/{upload_id}",
    tag=TAG,
    summary="Delete a fairness dashboard.",
    need=Role.CONTRIBUTOR,
    status=204,
)
def delete_dashboard(call: Call, upload_id: str) -> HttpResponse:
    """Nothing of it is kept."""
    fairness.remove(call.run.id, upload_id)
    return HttpResponse(status=204)


@route("GET", "/runs/{id}/mitigations", tag=TAG, summary="The run's mitigations, the oldest first.")
def list_mitigations(call: Call) -> dict[str, Any]:
    """With their child runs."""
    found = _run(call).mitigations.order_by("created_at", "id")
    return {"items": [mitigation.as_json(m) for m in found], "next": None}


@route(
    "POST",
    "/runs/{id}/mitigations",
    tag=TAG,
    summary="Train models under a fairness constraint in child runs.",
    need=Role.CONTRIBUTOR,
    body={
        "data": "path of a CSV file among the run's artifacts",
        "label": "column with 0 and 1",
        "sensitive": "[column]",
        "features": "[column]?; all others without it",
        "algorithms": "[GridSearch | ExponentiatedGradient | ThresholdOptimizer | CorrelationRemover]",
        "constraint": "DemographicParity | EqualizedOdds | TruePositiveRateParity | FalsePositiveRateParity | ErrorRateParity",
        "grid_size": "2–200?",
        "estimator": "LogisticRegression | DecisionTreeClassifier | LGBMClassifier",
        "model": "name:version or a path of the run?; the original to compare with",
        "test_size": "0.05–0.9?",
        "seed": "number?",
        "compute": "text?",
        "name": "text?",
    },
    status=201,
)
def add_mitigation(call: Call) -> dict[str, Any]:
    """Returns at once; the child runs report into one dashboard."""
    return mitigation.as_json(mitigation.begin(_run(call), call.by, call.json()))


@route("GET", "/runs/{id}/mitigations/{mid}", tag=TAG, summary="One mitigation with its child runs and dashboard.")
def get_mitigation(call: Call, mid: str) -> dict[str, Any]:
    """dashboard_id is null until a child run has reported."""
    return mitigation.as_json(mitigation.find(call.run.id, mid))


@route(
    "POST",
    "/runs/{id}/mitigation",
    tag=TAG,
    summary="What a mitigation's child run has trained (its own job calls this).",
    need=Role.CONTRIBUTOR,
    status=201,
)
def report_mitigation(call: Call) -> dict[str, Any]:
    """Only the job itself may: its token is the run's."""
    _own_job(call)
    return {"dashboard_id": mitigation.report(_run(call), call.json()).pk}


@route("GET", "/runs/{id}/scoring/next", tag=TAG, summary="The next rows for a scoring job (its own job calls this).")
def next_scoring(call: Call) -> dict[str, Any]:
    """{} when there is nothing to score."""
    _own_job(call)
    found = scoring.take(_run(call))
    return {"id": found.pk, "rows": found.rows} if found else {}


@route(
    "POST",
    "/runs/{id}/scoring/{request_id}",
    tag=TAG,
    summary="A scoring job's answer (its own job calls this).",
    need=Role.CONTRIBUTOR,
)
def answer_scoring(call: Call, request_id: str) -> dict[str, Any]:
    """Predictions for each row, or an error."""
    _own_job(call)
    scoring.answer(_run(call), request_id, call.json())
    return {"ok": True}


def _own_job(call: Call) -> None:
    if call.principal.run is None or call.principal.run.id != call.run.id:
        raise Forbidden("Only the job of this run may say this.")
