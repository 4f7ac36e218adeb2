"""What lists, comparisons and model pages show of fairness and explanations: rows of the database, no file opened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Q

from runs.insights.fairness.disparity import DISPARITIES
from runs.insights.fairness.measures import BINARY, MEASURES
from runs.insights.fairness.mitigation import AS_MODEL, FROM_DASHBOARD
from runs.models import DashboardModel, Explanation
from studio.workspace.models import ModelVersion

MEASURE, DISPARITY = "accuracy_score", "demographic_parity_difference"
TOP = 3


@dataclass(frozen=True)
class Fairness:
    """A model of a dashboard as a list shows it: performance and disparity as text."""

    run_id: str
    dashboard_id: str
    dashboard: str
    model: str
    feature: str
    performance: str
    disparity: str


def _text(value: Any, rate: bool) -> str:
    if not isinstance(value, (int, float)):
        return "–"
    return f"{value:.1%}" if rate else f"{value:.4g}"


def _read(row: DashboardModel, measure: str, disparity: str) -> Fairness:
    board, summary = row.dashboard, row.summary
    overall = summary.get("overall", {})
    by_feature = summary.get("disparity", {})
    # The feature with the largest disparity speaks for the dashboard: the list must not hide it behind the first.
    known = {f: v[disparity] for f, v in by_feature.items() if isinstance(v.get(disparity), (int, float))}
    fairer = next((d.better for d in DISPARITIES.get(board.prediction_type, ()) if d.key == disparity), "low")
    worst = (max if fairer == "low" else min)(known, key=lambda f: known[f]) if known else ""
    rate = board.prediction_type == BINARY
    return Fairness(
        board.run_id,
        board.pk,
        board.name,
        row.model_id,
        worst,
        _text(overall.get(measure), rate),
        _text(known.get(worst), rate),
    )


def fairness_of_runs(run_ids: Sequence[str], measure: str = MEASURE, disparity: str = DISPARITY) -> dict[str, Fairness]:
    """The first model of each run's newest dashboard. One query for all runs; runs without a dashboard are left out."""
    rows = (
        DashboardModel.objects.filter(dashboard__run_id__in=list(run_ids), position=0)
        .select_related("dashboard")
        .order_by("dashboard__created_at")
    )
    return {row.dashboard.run_id: _read(row, measure, disparity) for row in rows}


def columns(run_ids: Sequence[str], measure: str | None, disparity: str | None) -> dict[str, Any] | None:
    """Two columns of a list of runs: the chosen measure and disparity; None when no run has a dashboard."""
    measures = {m.key: m.label for kind in MEASURES.values() for m in kind}
    disparities = {d.key: d.label for kind in DISPARITIES.values() for d in kind}
    chosen = measure if measure in measures else MEASURE
    metric = disparity if disparity in disparities else DISPARITY
    found = fairness_of_runs(run_ids, chosen, metric)
    if not found:
        return None
    return {
        "rows": found,
        "measure": chosen,
        "disparity": metric,
        "measure_label": measures[chosen],
        "disparity_label": disparities[metric],
        "measures": measures,
        "disparities": disparities,
    }


def compared(run_ids: Sequence[str]) -> dict[str, list[tuple[str, list[str]]]]:
    """{section: [(line, a text for each run)]} for a comparison; sections nobody has are left out."""
    sections: dict[str, list[tuple[str, list[str]]]] = {}
    fair = fairness_of_runs(run_ids)
    if fair:
        given = [fair.get(r) for r in run_ids]
        lines = [
            ("Dashboard", [f.dashboard if f else "" for f in given]),
            ("Model", [f.model if f else "" for f in given]),
            ("Accuracy", [f.performance if f else "" for f in given]),
            (
                "Demographic parity difference",
                [f"{f.disparity} ({f.feature})" if f and f.feature else "" for f in given],
            ),
        ]
        for key, label in (
            ("equalized_odds_difference", "Equalized odds difference"),
            ("zero_one_loss_difference", "Error rate difference"),
        ):
            more = fairness_of_runs(run_ids, MEASURE, key)
            lines.append((label, [more[r].disparity if r in more else "" for r in run_ids]))
        sections["Fairness"] = lines
    top: dict[str, Explanation] = {}
    for one in Explanation.objects.filter(run_id__in=list(run_ids)).order_by("is_global", "created_at"):
        if one.top:
            top[one.run_id] = one
    if top:
        lines = [("Explanation", [top[r].comment or top[r].method if r in top else "" for r in run_ids])]
        for place in range(5):
            texts = [_place(top.get(r), place) for r in run_ids]
            if any(texts):
                lines.append((f"Feature {place + 1}", texts))
        sections["Explanations"] = lines
    return sections


def _place(found: Explanation | None, place: int) -> str:
    if found is None or place >= len(found.top):
        return ""
    total = sum(abs(t["importance"]) for t in found.top) or 1.0
    return f"{found.top[place]['feature']} ({abs(found.top[place]['importance']) / total:.0%})"


def of_model(version: ModelVersion) -> dict[str, Any]:
    """What a model's page shows: dashboards that hold the model, and explanations uploaded for it."""
    identity = str(version)
    workspace = version.model.workspace_id
    shown = Q(model_id=identity)
    if version.properties.get(
        FROM_DASHBOARD
    ):  # it was chosen from a mitigation, whose dashboard has another name for it
        shown |= Q(dashboard_id=version.properties[FROM_DASHBOARD], model_id=version.properties.get(AS_MODEL, ""))
    rows = (
        DashboardModel.objects.filter(shown, dashboard__run__workspace_id=workspace)
        .select_related("dashboard__run")
        .order_by("-dashboard__created_at")[:20]
    )
    explained = (
        Explanation.objects.filter(model_id=identity, run__workspace_id=workspace)
        .select_related("run")
        .order_by("-created_at")[:20]
    )
    return {
        "fairness": [_read(row, MEASURE, DISPARITY) for row in rows],
        "explanations": [{"row": e, "top": [t["feature"] for t in e.top[:TOP]]} for e in explained],
    }
