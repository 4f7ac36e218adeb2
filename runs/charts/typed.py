"""The typed charts of v1: confusion matrix, accuracy table, residuals, predictions.

Each is logged as JSON {"schema_type", "schema_version": "v1", "data": {…}}. Malformed data raises Invalid with what is
missing; a page shows the sentence where the chart would be.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from runs.charts.figure import Figure, axis, figure
from studio.errors import Invalid

MATRIX_TEXT_UP_TO = 20
"""Cells of a larger confusion matrix show their number on hover only."""


def _data(document: Mapping[str, Any], *keys: str) -> list[Any]:
    """The lists under ``keys`` of the document's data."""
    data = document.get("data") if isinstance(document, Mapping) else None
    if not isinstance(data, Mapping):
        raise Invalid('The logged JSON has no "data" object.')
    missing = [key for key in keys if not isinstance(data.get(key), Sequence) or isinstance(data.get(key), str)]
    if missing:
        raise Invalid(f"The logged data lacks the list {' and '.join(missing)}.")
    return [data[key] for key in keys]


def _array(values: Any, dimensions: int, what: str) -> np.ndarray:
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise Invalid(f"{what} is not a regular list of numbers.") from None
    if array.ndim != dimensions:
        raise Invalid(f"{what} should have {dimensions} levels of lists; it has {array.ndim}.")
    return array


# -- confusion matrix -----------------------------------------------------------------------------------------------


def confusion_matrix(document: Mapping[str, Any], *, normalised: bool = False) -> Figure:
    """matrix[true][predicted] as a heat map; ``normalised`` divides each row by its sum (so the diagonal is recall)."""
    labels, rows = _data(document, "class_labels", "matrix")
    matrix = _array(rows, 2, "matrix")
    if matrix.shape != (len(labels), len(labels)):
        raise Invalid(f"matrix is {matrix.shape[0]} × {matrix.shape[1]} and there are {len(labels)} class labels.")
    if normalised:
        sums = matrix.sum(axis=1, keepdims=True)
        matrix = np.divide(matrix, sums, out=np.zeros_like(matrix), where=sums > 0)
    names = [str(label) for label in labels]
    trace: dict[str, Any] = {
        "type": "heatmap",
        "z": matrix,
        "x": names,
        "y": names,
        "xgap": 2,
        "ygap": 2,
        "zmin": 0,
        "hovertemplate": "true %{y}<br>predicted %{x}<br>%{z:.6~g}<extra></extra>",
        "colorbar": {"thickness": 10, "outlinewidth": 0},
    }
    if len(names) <= MATRIX_TEXT_UP_TO:
        trace["texttemplate"] = "%{z:.0%}" if normalised else "%{z:.6~g}"
    return figure(
        [trace],
        xaxis=axis("Predicted", type="category", side="bottom", showgrid=False, constrain="domain"),
        yaxis=axis("True", type="category", autorange="reversed", showgrid=False, scaleanchor="x"),
    )


# -- accuracy table -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class AccuracyTable:
    """Counts at thresholds. tp, fp, tn, fn: float[classes, thresholds]."""

    labels: list[str]
    thresholds: np.ndarray
    tp: np.ndarray
    fp: np.ndarray
    tn: np.ndarray
    fn: np.ndarray

    def curves(self) -> list[tuple[str, np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
        """(name, tp, fp, tn, fn) of each class; for two classes the second (the positive one) speaks for both.

        With three and more classes "all classes" (micro average: counts summed) comes first, macro curves are left
        to the per-class ones beside it.
        """
        if len(self.labels) == 2:
            return [(self.labels[1], self.tp[1], self.fp[1], self.tn[1], self.fn[1])]
        one = [(label, self.tp[i], self.fp[i], self.tn[i], self.fn[i]) for i, label in enumerate(self.labels)]
        if len(one) < 2:
            return one
        return [("all classes", self.tp.sum(0), self.fp.sum(0), self.tn.sum(0), self.fn.sum(0)), *one]


def accuracy_table(document: Mapping[str, Any], table: str = "probability") -> AccuracyTable:
    """The table read and checked; ``table`` is "probability" or "percentile"."""
    labels, tables, thresholds = _data(document, "class_labels", f"{table}_tables", f"{table}_thresholds")
    counts = _array(tables, 3, f"{table}_tables")
    cuts = _array(thresholds, 1, f"{table}_thresholds")
    if counts.shape != (len(labels), len(cuts), 4):
        raise Invalid(
            f"{table}_tables is {' × '.join(map(str, counts.shape))}; with {len(labels)} classes and {len(cuts)} "
            f"thresholds it should be {len(labels)} × {len(cuts)} × 4."
        )
    tp, fp, tn, fn = (counts[:, :, i] for i in range(4))
    return AccuracyTable([str(label) for label in labels], cuts, tp, fp, tn, fn)


def _ratio(top: np.ndarray, bottom: np.ndarray, empty: float = math.nan) -> np.ndarray:
    return np.divide(top, bottom, out=np.full(np.shape(top), empty, dtype=np.float64), where=np.asarray(bottom) > 0)


def _area(x: np.ndarray, y: np.ndarray) -> float:
    order = np.lexsort((y, x))
    known = np.isfinite(x[order]) & np.isfinite(y[order])
    return float(np.trapezoid(y[order][known], x[order][known]))


def _curve(name: str, x: np.ndarray, y: np.ndarray, place: int, cuts: np.ndarray) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": x,
        "y": y,
        "customdata": cuts,
        "line": {"width": 2},
        "meta": {"color": place},
        "hovertemplate": "%{x:.3f}, %{y:.3f}<br>threshold %{customdata:.3~g}<extra>%{fullData.name}</extra>",
    }


def _guide(x: Sequence[float], y: Sequence[float], name: str) -> dict[str, Any]:
    line = {"width": 1, "dash": "dash", "color": "rgba(128,128,128,.8)"}
    return {
        "type": "scatter",
        "mode": "lines",
        "x": list(x),
        "y": list(y),
        "name": name,
        "line": line,
        "hoverinfo": "skip",
    }


def _unit(title: str) -> dict[str, Any]:
    return axis(title, range=[-0.02, 1.02])


def roc(document: Mapping[str, Any]) -> Figure:
    """True-positive over false-positive rate, with the area under each curve in its name."""
    table = accuracy_table(document)
    traces = []
    for place, (name, tp, fp, tn, fn) in enumerate(table.curves()):
        x = np.concatenate([[0.0], _ratio(fp, fp + tn, 0.0), [1.0]])
        y = np.concatenate([[0.0], _ratio(tp, tp + fn, 0.0), [1.0]])
        cuts = np.concatenate([[math.inf], table.thresholds, [-math.inf]])
        order = np.lexsort((y, x))
        traces.append(_curve(f"{name} (area {_area(x, y):.3f})", x[order], y[order], place, cuts[order]))
    traces.append(_guide([0, 1], [0, 1], "chance"))
    return figure(traces, showlegend=True, xaxis=_unit("False positive rate"), yaxis=_unit("True positive rate"))


def precision_recall(document: Mapping[str, Any]) -> Figure:
    """Precision over recall, with the average precision Σ (R_n - R_{n-1}) P_n in the curve's name.

    Thresholds at which nothing is predicted positive have no precision and are left out.
    """
    table = accuracy_table(document)
    traces = []
    for place, (name, tp, fp, _tn, fn) in enumerate(table.curves()):
        precision, recall = _ratio(tp, tp + fp), _ratio(tp, tp + fn, 0.0)
        known = np.isfinite(precision)
        order = np.lexsort((-precision[known], recall[known]))
        r, p, cuts = recall[known][order], precision[known][order], table.thresholds[known][order]
        average = float(np.sum(np.diff(r, prepend=0.0) * p)) if r.size else math.nan
        traces.append(_curve(f"{name} (average precision {average:.3f})", r, p, place, cuts))
    return figure(traces, showlegend=True, xaxis=_unit("Recall"), yaxis=_unit("Precision"))


def _percentile_curves(document: Mapping[str, Any], y: Callable[..., np.ndarray]) -> list[dict[str, Any]]:
    """Curves over the share of samples that are predicted positive, from the percentile tables when they are there."""
    kind = "percentile" if document.get("data", {}).get("percentile_tables") else "probability"
    table = accuracy_table(document, kind)
    traces = []
    for place, (name, tp, fp, tn, fn) in enumerate(table.curves()):
        share = _ratio(tp + fp, tp + fp + tn + fn, 0.0)
        order = np.argsort(share, kind="stable")
        traces.append(_curve(name, share[order], y(tp, fp, tn, fn)[order], place, table.thresholds[order]))
    return traces


def cumulative_gains(document: Mapping[str, Any]) -> Figure:
    """The share of all positives found among the samples ranked highest."""
    traces = _percentile_curves(document, lambda tp, fp, tn, fn: _ratio(tp, tp + fn, 0.0))
    return figure(
        [*traces, _guide([0, 1], [0, 1], "chance")],
        showlegend=True,
        xaxis=_unit("Share of samples"),
        yaxis=_unit("Gain"),
    )


def lift(document: Mapping[str, Any]) -> Figure:
    """How many times more positives are found than by chance, among the samples ranked highest."""

    def times(tp: np.ndarray, fp: np.ndarray, tn: np.ndarray, fn: np.ndarray) -> np.ndarray:
        return _ratio(_ratio(tp, tp + fp), _ratio(tp + fn, tp + fp + tn + fn))

    traces = _percentile_curves(document, times)
    return figure(
        [*traces, _guide([0, 1], [1, 1], "chance")],
        showlegend=True,
        xaxis=_unit("Share of samples"),
        yaxis=axis("Lift"),
    )


def calibration(document: Mapping[str, Any]) -> Figure:
    """The observed share of positives in each interval of the predicted probability, at the interval's middle.

    Between two neighbouring thresholds a < b lie tp(a) - tp(b) positives and fp(a) - fp(b) negatives.
    """
    table = accuracy_table(document)
    order = np.argsort(table.thresholds)
    cuts = table.thresholds[order]
    traces = []
    for place, (name, tp, fp, _tn, _fn) in enumerate(table.curves()):
        positives, negatives = -np.diff(tp[order]), -np.diff(fp[order])
        share = _ratio(positives, positives + negatives)
        known = np.isfinite(share)
        middle = (cuts[:-1] + cuts[1:]) / 2
        curve = _curve(name, middle[known], share[known], place, (positives + negatives)[known])
        curve |= {
            "mode": "lines+markers",
            "hovertemplate": "predicted %{x:.3f}<br>observed %{y:.3f}<br>%{customdata} samples<extra>%{fullData.name}</extra>",
        }
        traces.append(curve)
    traces.append(_guide([0, 1], [0, 1], "perfect"))
    return figure(traces, showlegend=True, xaxis=_unit("Predicted probability"), yaxis=_unit("Observed share"))


# -- regression -----------------------------------------------------------------------------------------------------


def residuals(document: Mapping[str, Any]) -> Figure:
    """How often the error (predicted minus true) fell between bin_edges[i] and bin_edges[i+1]."""
    edge_list, count_list = _data(document, "bin_edges", "bin_counts")
    edges, counts = _array(edge_list, 1, "bin_edges"), _array(count_list, 1, "bin_counts")
    if len(edges) == len(counts) + 1:
        left, right = edges[:-1], edges[1:]
    elif len(edges) == len(counts) and len(edges) > 1:  # some v1 samples list as many edges as counts
        left, right = edges, np.append(edges[1:], 2 * edges[-1] - edges[-2])
    else:
        raise Invalid(f"There are {len(edges)} bin edges and {len(counts)} counts; n counts need n + 1 edges.")
    trace = {
        "type": "bar",
        "x": (left + right) / 2,
        "y": counts,
        "width": right - left,
        "customdata": np.stack([left, right], axis=1),
        "hovertemplate": "%{customdata[0]:.4~g} to %{customdata[1]:.4~g}<br>%{y:.6~g}<extra></extra>",
        "meta": {"color": 0},
        "marker": {"line": {"width": 1, "color": "rgba(128,128,128,.3)"}},
    }
    return figure([trace], bargap=0, showlegend=False, xaxis=axis("Residual"), yaxis=axis("Count"))


def predictions(document: Mapping[str, Any]) -> Figure:
    """The mean prediction in each bin of the true value, with its error, beside the line where both are equal."""
    edge_list, average_list, error_list = _data(document, "bin_edges", "bin_averages", "bin_errors")
    edges, averages, errors = (
        _array(edge_list, 1, "bin_edges"),
        _array(average_list, 1, "bin_averages"),
        _array(error_list, 1, "bin_errors"),
    )
    if not len(averages) == len(errors) or len(edges) not in (len(averages), len(averages) + 1):
        raise Invalid(
            f"There are {len(edges)} bin edges, {len(averages)} averages and {len(errors)} errors; they don't match."
        )
    true = (edges[:-1] + edges[1:]) / 2 if len(edges) == len(averages) + 1 else edges
    counts = document["data"].get("bin_counts") or []
    ends = (
        [float(min(np.nanmin(true), np.nanmin(averages))), float(max(np.nanmax(true), np.nanmax(averages)))]
        if len(true)
        else [0.0, 1.0]
    )
    trace = {
        "type": "scatter",
        "mode": "lines+markers",
        "name": "mean prediction",
        "x": true,
        "y": averages,
        "error_y": {"type": "data", "array": errors, "thickness": 1, "width": 3},
        "customdata": counts if len(counts) == len(averages) else [None] * len(averages),
        "hovertemplate": "true %{x:.4~g}<br>predicted %{y:.4~g}<br>%{customdata} samples<extra></extra>",
        "meta": {"color": 0},
    }
    return figure(
        [trace, _guide(ends, ends, "ideal")], showlegend=True, xaxis=axis("True value"), yaxis=axis("Predicted value")
    )


VIEWS: dict[str, dict[str, Callable[[Mapping[str, Any]], Figure]]] = {
    "confusion_matrix": {
        "Counts": confusion_matrix,
        "Shares": lambda document: confusion_matrix(document, normalised=True),
    },
    "accuracy_table": {
        "ROC": roc,
        "Precision and recall": precision_recall,
        "Lift": lift,
        "Cumulative gains": cumulative_gains,
        "Calibration": calibration,
    },
    "residuals": {"Residuals": residuals},
    "predictions": {"Predictions": predictions},
}
"""The charts of each kind of typed metric, by the words on their tabs."""


def typed_figure(kind: str, view: str, document: Mapping[str, Any]) -> Figure:
    """The chart ``view`` of a typed metric; Invalid when there is no such chart or the document does not hold it."""
    try:
        make = VIEWS[kind][view]
    except KeyError:
        raise Invalid(f"There is no chart {view!r} for {kind!r}.") from None
    return make(document)
