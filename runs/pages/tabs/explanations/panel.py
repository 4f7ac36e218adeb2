"""The numbers of the Explanations tab as the template shows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from runs.insights.explanations import cohorts
from runs.insights.explanations.importance import SMALL_COHORT, Shift, aggregate, boxes, ranking, waterfall
from runs.insights.fairness.measures import BINARY, measure
from runs.models import Explanation, Run
from runs.pages.tabs.explanations.choice import Choice

ROWS_LISTED = 50
#: Points drawn of the data, and of each cohort in a swarm; the numbers are computed with all rows.
POINTS, SWARM_POINTS = 2000, 300
FEATURES_OFFERED = 300
RATES = {m.label.split(" (")[0] for m in (measure(BINARY, k) for k, _ in cohorts.CLASSIFICATION)} | {
    label for _, label in cohorts.CLASSIFICATION
}


@dataclass(frozen=True)
class Cell:
    """A number as it is read, and with all its digits (the title of its cell, the field of the CSV file)."""

    text: str
    exact: str


def cell(value: Any, text: str = "") -> Cell:
    """A value of a table; `text` is how it reads, where five digits are not it."""
    if value is None:
        return Cell("–", "")
    plain = value.item() if hasattr(value, "item") else value
    exact = repr(plain) if isinstance(plain, float) else str(plain)
    return Cell(text or number(plain), exact)


def ordered(choice: Choice) -> np.ndarray:
    """The features shown: the `top` most important over all rows, in the chosen order."""
    chosen = ranking(aggregate(choice.view, None, choice.output))[: choice.top]
    if choice.sort == "name":
        return np.array(sorted(chosen, key=lambda i: choice.view.features[i].lower()))
    return np.sort(chosen) if choice.sort == "order" else chosen


def importance_table(choice: Choice) -> dict[str, Any]:
    """Importance of the shown features in each cohort."""
    features = ordered(choice)
    columns = [(name, aggregate(choice.view, mask, choice.output)) for name, mask in choice.masks()]
    rows = [
        {
            "feature": choice.view.features[i],
            "index": int(i),
            "values": [cell(float(values[i])) for _, values in columns],
        }
        for i in features
    ]
    small = [c.name for c, mask in choice.cohorts if mask.sum() < SMALL_COHORT]
    table: dict[str, Any] = {"columns": [name for name, _ in columns], "rows": rows, "small": small}
    if choice.chart == "box" and choice.view.local is not None:
        table["boxes"] = [
            {"feature": choice.view.features[b.feature], "cohort": name if choice.cohorts else "", "values": [cell(v) for v in (b.low, b.q1, b.median, b.q3, b.high, b.mean)]}
            for name, mask in choice.masks()
            for b in boxes(choice.view, features, mask, choice.output)
        ]  # fmt: skip
    return table


def drawn_of(choice: Choice) -> dict[str, str]:
    """What a chart leaves out, said under it: a swarm and the explorer draw some rows, and count with all."""
    rows = len(choice.view.rows)
    most = max((rows, *(int(mask.sum()) for _, mask in choice.cohorts)))
    said = {}
    if choice.chart == "swarm" and most > SWARM_POINTS:
        said["importance"] = f"At most {SWARM_POINTS:,} rows of each cohort are drawn, chosen at random."
    if choice.plot == "scatter" and rows > POINTS:
        said["explorer"] = f"{POINTS:,} of {rows:,} rows are drawn, chosen at random, and the picked ones."
    return said


def number(value: Any) -> str:
    """Five significant digits; text as it is."""
    if isinstance(value, (float, np.floating)):
        return f"{float(value):.5g}" if np.isfinite(value) else "–"
    return str(value.item() if hasattr(value, "item") else value) if value is not None else "–"


def performance(choice: Choice) -> dict[str, Any] | None:
    """How the model does in each cohort, as text."""
    found = cohorts.performance(choice.view, choice.masks())
    if found is None:
        return None
    for row in found["rows"]:
        row["cells"] = [
            cell(v, f"{v:.1%}" if v is not None and label in RATES else "")
            for v, label in zip(row["values"], found["columns"], strict=True)
        ]
    return found


def rows_table(choice: Choice) -> dict[str, Any]:
    """Rows to pick from: those whose prediction is furthest off first, so that the interesting ones are at hand."""
    view = choice.view
    order = view.worst_first
    picked = [choice.position(p) for p in choice.points]
    listed = [*picked, *(i for i in order[: ROWS_LISTED + len(picked)].tolist() if i not in picked)][:ROWS_LISTED]
    top = ranking(aggregate(view, None, choice.output))[:3].tolist() if view.features else []
    said = [k for k, _ in view.columns() if not k.startswith("f") and k != "row"]
    shown = [view.shown(k) for k in [*said, *(f"f{i}" for i in top if i < len(view.data))]]
    values = [column for _, column in shown]
    return {
        "columns": [label for label, _ in shown],
        "rows": [
            {
                "row": int(view.rows[i]),
                "picked": int(view.rows[i]) in choice.points,
                "cells": [cell(v[i]) for v in values],
            }
            for i in listed
        ],
    }


def points(choice: Choice) -> list[dict[str, Any]]:
    """The picked rows: a waterfall each."""
    found = []
    for row in choice.points:
        position = choice.position(row)
        fall = waterfall(choice.view, position, choice.output)
        found.append(
            {
                "row": row,
                "start": cell(fall.start),
                "end": cell(fall.end),
                "steps": [{"label": s.label, "value": cell(s.value) if s.value is not None else None, "amount": cell(s.amount, f"{s.amount:+.4g}"), "up": s.amount > 0} for s in fall.steps],
                "truth": _said(choice, "truth", position),
                "prediction": _said(choice, "prediction", position),
            }
        )  # fmt: skip
    return found


def _said(choice: Choice, key: str, position: int) -> str:
    """A row's truth or prediction as people read it; empty when the upload has none."""
    there = {"truth": choice.view.truth, "prediction": choice.view.predicted}[key]
    return "" if there is None else number(choice.view.shown(key)[1][position])


def column_choices(choice: Choice) -> list[dict[str, Any]]:
    """What an axis can show, in groups: what the model says, features, importance."""
    view = choice.view
    top = ranking(aggregate(view, None, choice.output))[:FEATURES_OFFERED].tolist() if view.features else []
    model = [(k, view.shown(k)[0]) for k, _ in view.columns() if not (k[0] == "f" and k[1:].isdigit())]
    groups = [
        {"label": "Model", "options": model},
        {"label": "Features", "options": [(f"f{i}", view.features[i]) for i in top if i < len(view.data)]},
    ]
    if view.local is not None:
        groups.append({"label": "Importance", "options": [(f"i{i}", view.features[i]) for i in top]})
    return groups


def terms(choice: Choice) -> list[tuple[int, str]]:
    """The shapes of a glass box, the most important first."""
    found, values = choice.view.terms, choice.view.overall
    order = ranking(values).tolist() if values is not None and len(values) == len(found) else range(len(found))
    return [(i, found[i].name) for i in order if found[i].scores is not None][:FEATURES_OFFERED]


def compared_with(choice: Choice, asked: str) -> Explanation | None:
    """The explanation `asked` of any run of the workspace, unless it is the chosen one."""
    if not asked or asked == choice.row.pk:
        return None
    mine = Run.objects.filter(pk=choice.row.run_id).values("workspace_id")
    return Explanation.objects.filter(pk=asked[:40], run__workspace_id__in=mine).select_related("run").first()


def shift(found: Shift) -> dict[str, Any]:
    """A feature's place in two explanations, as text."""
    moved = found.moved
    return {
        "feature": found.feature,
        "a": str(found.rank_a or "–"),
        "b": str(found.rank_b or "–"),
        "shift": "–" if moved is None else "=" if moved == 0 else f"{'▲' if moved > 0 else '▼'} {abs(moved)}",
        "tone": "" if not moved else "rise" if moved > 0 else "fall",
        "share_a": cell(found.share_a, f"{found.share_a or 0:.1%}"),
        "share_b": cell(found.share_b, f"{found.share_b or 0:.1%}"),
    }
