"""Measures of a model by group, for binary, probability and regression predictions.

Names are the keys of the dashboard dictionary; definitions are those of scikit-learn and fairlearn 0.15 (the
tests compare each one). A rate whose denominator is zero is 0.0, as fairlearn has it; `undefined` says which
values were set that way, so that a page can mark them.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.integer[Any]]

BINARY = "binaryClassification"
PROBABILITY = "probability"
REGRESSION = "regression"
PREDICTION_TYPES = (BINARY, PROBABILITY, REGRESSION)


@dataclass(frozen=True)
class Measure:
    """One measure: its key in the dictionary, its name on a page, its formula, and which way is good.

    `better` is "high", "low" or "" (neither: a selection rate is not good or bad in itself). `rate` measures lie
    in 0–1 and are shown as percentages.
    """

    key: str
    label: str
    formula: str
    better: str
    rate: bool = True


_BINARY = (
    Measure("accuracy_score", "Accuracy", "(TP + TN) / n", "high"),
    Measure("balanced_accuracy_score", "Balanced accuracy", "(TPR + TNR) / 2", "high"),
    Measure("precision_score", "Precision", "TP / (TP + FP)", "high"),
    Measure("recall_score", "Recall (true positive rate)", "TP / (TP + FN)", "high"),
    Measure("specificity_score", "Specificity (true negative rate)", "TN / (TN + FP)", "high"),
    Measure("f1_score", "F1 score", "2 TP / (2 TP + FP + FN)", "high"),
    Measure("fallout_rate", "Fall-out (false positive rate)", "FP / (FP + TN)", "low"),
    Measure("miss_rate", "Miss rate (false negative rate)", "FN / (FN + TP)", "low"),
    Measure("zero_one_loss", "Error rate", "(FP + FN) / n", "low"),
    Measure("overprediction", "Overprediction", "mean of max(prediction − truth, 0)", "low"),
    Measure("underprediction", "Underprediction", "mean of max(truth − prediction, 0)", "low"),
    Measure("selection_rate", "Selection rate", "(TP + FP) / n", ""),
)
_PROBABILITY = (
    Measure("balanced_accuracy_score", "ROC AUC", "area under the ROC curve", "high"),
    Measure("log_loss", "Log loss", "−mean of log p(truth)", "low", rate=False),
    Measure("mean_squared_error", "Mean squared error (Brier score)", "mean of (p − truth)²", "low", rate=False),
    Measure("root_mean_squared_error", "Root mean squared error", "√ MSE", "low", rate=False),
    Measure(
        "balanced_root_mean_squared_error", "Balanced RMSE", "mean of the RMSE of each true class", "low", rate=False
    ),
    Measure("mean_absolute_error", "Mean absolute error", "mean of |p − truth|", "low", rate=False),
    Measure("overprediction", "Overprediction", "mean of max(p − truth, 0)", "low", rate=False),
    Measure("underprediction", "Underprediction", "mean of max(truth − p, 0)", "low", rate=False),
    Measure("average", "Average prediction", "mean of p", "", rate=False),
)
_REGRESSION = (
    Measure("mean_squared_error", "Mean squared error", "mean of (prediction − truth)²", "low", rate=False),
    Measure("root_mean_squared_error", "Root mean squared error", "√ MSE", "low", rate=False),
    Measure("mean_absolute_error", "Mean absolute error", "mean of |prediction − truth|", "low", rate=False),
    Measure("median_absolute_error", "Median absolute error", "median of |prediction − truth|", "low", rate=False),
    Measure("max_error", "Largest error", "maximum of |prediction − truth|", "low", rate=False),
    Measure(
        "mean_squared_log_error",
        "Mean squared log error",
        "mean of (log(1 + prediction) − log(1 + truth))²",
        "low",
        rate=False,
    ),
    Measure("r2_score", "R²", "1 − Σ(prediction − truth)² / Σ(truth − mean)²", "high", rate=False),
    Measure("overprediction", "Overprediction", "mean of max(prediction − truth, 0)", "low", rate=False),
    Measure("underprediction", "Underprediction", "mean of max(truth − prediction, 0)", "low", rate=False),
    Measure("average", "Average prediction", "mean of the predictions", "", rate=False),
)
MEASURES: dict[str, tuple[Measure, ...]] = {BINARY: _BINARY, PROBABILITY: _PROBABILITY, REGRESSION: _REGRESSION}

# The metrics a dictionary of fairlearn's own builder carries; zero_one_loss is ours, derived from accuracy.
DICTIONARY_KEYS: dict[str, tuple[str, ...]] = {
    BINARY: (
        "accuracy_score",
        "balanced_accuracy_score",
        "count",
        "f1_score",
        "fallout_rate",
        "miss_rate",
        "overprediction",
        "precision_score",
        "recall_score",
        "selection_rate",
        "specificity_score",
        "underprediction",
    ),
    PROBABILITY: (
        "average",
        "balanced_accuracy_score",
        "balanced_root_mean_squared_error",
        "count",
        "log_loss",
        "mean_absolute_error",
        "mean_squared_error",
        "overprediction",
        "root_mean_squared_error",
        "underprediction",
    ),
    REGRESSION: (
        "average",
        "count",
        "mean_absolute_error",
        "mean_squared_error",
        "r2_score",
        "root_mean_squared_error",
    ),
}


@dataclass(frozen=True)
class Grouped:
    """Measures of one model: `overall[key]` a number, `by_group[key]` an array over the groups.

    `undefined[key]` marks the groups whose value had nothing to be computed from.
    """

    counts: Ints
    overall: dict[str, float]
    by_group: dict[str, Floats]
    undefined: dict[str, NDArray[np.bool_]]


def measure(prediction_type: str, key: str) -> Measure:
    """The measure of that key; KeyError when the prediction type has no such measure."""
    for each in MEASURES[prediction_type]:
        if each.key == key:
            return each
    raise KeyError(key)


def grouped(prediction_type: str, y_true: Floats, y_pred: Floats, groups: Ints, n_groups: int) -> Grouped:
    """All measures of one model over all rows and by group.

    y_true, y_pred: (n,). groups: (n,) with values 0 … n_groups-1. Groups without rows get 0 and are marked undefined.
    """
    by_group, undefined = _measures(prediction_type, y_true, y_pred, groups, n_groups)
    overall, _ = _measures(prediction_type, y_true, y_pred, np.zeros(len(y_true), dtype=np.int64), 1)
    return Grouped(
        counts=np.bincount(groups, minlength=n_groups).astype(np.int64),
        overall={key: float(values[0]) for key, values in overall.items()},
        by_group=by_group,
        undefined=undefined,
    )


Values = tuple[dict[str, Floats], dict[str, NDArray[np.bool_]]]
"""Each measure by group, and where it had nothing to be computed from."""


def _measures(prediction_type: str, y_true: Floats, y_pred: Floats, groups: Ints, n_groups: int) -> Values:
    if prediction_type == BINARY:
        return binary_measures(*confusion(y_true, y_pred, groups, n_groups))
    by_type = probability_measures if prediction_type == PROBABILITY else regression_measures
    return by_type(y_true, y_pred, groups, n_groups)


def confusion(y_true: Floats, y_pred: Floats, groups: Ints, n_groups: int) -> tuple[Floats, float]:
    """(n_groups, 4) counts of TP, FP, FN, TN, and the distance between the two labels (1 for 0/1, 2 for −1/1)."""
    truth, chosen = y_true == 1, y_pred == 1
    cell = np.where(truth, np.where(chosen, 0, 2), np.where(chosen, 1, 3))
    counts = np.bincount(groups * 4 + cell, minlength=n_groups * 4).reshape(n_groups, 4).astype(np.float64)
    low = min(y_true.min(initial=0.0), y_pred.min(initial=0.0))
    return counts, 1.0 - float(low)


def _ratio(top: Floats, bottom: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """top / bottom with 0 where the bottom is 0, and a mask of those."""
    nothing = bottom == 0
    return np.divide(top, bottom, out=np.zeros_like(top, dtype=np.float64), where=~nothing), nothing


def binary_measures(counts: Floats, span: float = 1.0) -> Values:
    """Measures from confusion counts of shape (…, 4): TP, FP, FN, TN. Any leading shape, so that a bootstrap is one call.

    balanced_accuracy_score is the ROC AUC of the hard predictions, (TPR + TNR) / 2, and 0 when a class is absent.
    """
    tp, fp, fn, tn = (counts[..., i] for i in range(4))
    n = tp + fp + fn + tn
    parts = {
        "accuracy_score": (tp + tn, n),
        "precision_score": (tp, tp + fp),
        "recall_score": (tp, tp + fn),
        "specificity_score": (tn, tn + fp),
        "f1_score": (2 * tp, 2 * tp + fp + fn),
        "fallout_rate": (fp, fp + tn),
        "miss_rate": (fn, fn + tp),
        "zero_one_loss": (fp + fn, n),
        "overprediction": (span * fp, n),
        "underprediction": (span * fn, n),
        "selection_rate": (tp + fp, n),
    }
    values: dict[str, Floats] = {}
    undefined: dict[str, NDArray[np.bool_]] = {}
    for key, (top, bottom) in parts.items():
        values[key], undefined[key] = _ratio(top, bottom)
    one_class = undefined["recall_score"] | undefined["specificity_score"]
    balanced = (values["recall_score"] + values["specificity_score"]) / 2
    values["balanced_accuracy_score"] = np.where(one_class, 0.0, balanced)
    undefined["balanced_accuracy_score"] = one_class
    return values, undefined


def _sums(groups: Ints, n_groups: int, values: Floats) -> Floats:
    return np.bincount(groups, weights=values, minlength=n_groups).astype(np.float64, copy=False)


def regression_measures(y_true: Floats, y_pred: Floats, groups: Ints, n_groups: int) -> Values:
    """Measures of numeric predictions by group.

    R² of a constant truth is 1 when predicted exactly and else 0, as scikit-learn has it. The logarithmic error is not
    defined for a group with a value of −1 or less.
    """
    n = np.bincount(groups, minlength=n_groups).astype(np.float64)
    error = y_pred - y_true
    mean_true, nothing = _ratio(_sums(groups, n_groups, y_true), n)
    squares = _sums(groups, n_groups, error**2)
    spread = _sums(groups, n_groups, (y_true - mean_true[groups]) ** 2)
    mse = _ratio(squares, n)[0]
    flat = spread == 0
    r2 = np.where(flat, np.where(squares == 0, 1.0, 0.0), 1.0 - _ratio(squares, spread)[0])
    logs, outside = squared_log_error(y_true, y_pred)
    no_log = _sums(groups, n_groups, outside) > 0
    median, largest = _order_statistics(np.abs(error), groups, n_groups)
    values = {
        "mean_squared_error": mse,
        "root_mean_squared_error": np.sqrt(mse),
        "mean_absolute_error": _ratio(_sums(groups, n_groups, np.abs(error)), n)[0],
        "median_absolute_error": median,
        "max_error": largest,
        "mean_squared_log_error": np.where(no_log, 0.0, _ratio(_sums(groups, n_groups, logs), n)[0]),
        "r2_score": np.where(n < 2, 0.0, r2),
        "overprediction": _ratio(_sums(groups, n_groups, np.maximum(error, 0)), n)[0],
        "underprediction": _ratio(_sums(groups, n_groups, np.maximum(-error, 0)), n)[0],
        "average": _ratio(_sums(groups, n_groups, y_pred), n)[0],
    }
    undefined = dict.fromkeys(values, nothing)
    undefined["r2_score"] = nothing | flat | (n < 2)
    undefined["mean_squared_log_error"] = nothing | no_log
    return values, undefined


def squared_log_error(y_true: Floats, y_pred: Floats) -> tuple[Floats, Floats]:
    """(n,) squared differences of log(1 + value), and 1 where a value has no such logarithm (its difference is 0)."""
    outside = (y_true <= -1) | (y_pred <= -1)
    known, predicted = np.where(outside, 0.0, y_true), np.where(outside, 0.0, y_pred)
    return (np.log1p(predicted) - np.log1p(known)) ** 2, outside.astype(np.float64)


def _order_statistics(values: Floats, groups: Ints, n_groups: int) -> tuple[Floats, Floats]:
    """Median and maximum of values in each group; 0 in a group without rows."""
    median, largest = np.zeros(n_groups), np.zeros(n_groups)
    order = np.argsort(groups, kind="stable")
    present, starts = np.unique(groups[order], return_index=True)
    for group, inside in zip(present, np.split(values[order], starts[1:]), strict=True):
        median[group], largest[group] = np.median(inside), inside.max()
    return median, largest


def probability_measures(y_true: Floats, y_pred: Floats, groups: Ints, n_groups: int) -> Values:
    """Measures of predicted probabilities of class 1 by group.

    Log loss clips p at the machine epsilon as scikit-learn does. Balanced RMSE and ROC AUC need both classes.
    """
    n = np.bincount(groups, minlength=n_groups).astype(np.float64)
    nothing = n == 0
    error = y_pred - y_true
    eps = np.finfo(np.float64).eps
    p = np.clip(y_pred, eps, 1 - eps)
    loss = -np.where(y_true == 1, np.log(p), np.log1p(-p))
    mse = _ratio(_sums(groups, n_groups, error**2), n)[0]
    positive = (y_true == 1).astype(np.float64)
    negative = 1.0 - positive
    n_pos, n_neg = _sums(groups, n_groups, positive), _sums(groups, n_groups, negative)
    one_class = (n_pos == 0) | (n_neg == 0)
    rmse_pos = np.sqrt(_ratio(_sums(groups, n_groups, positive * error**2), n_pos)[0])
    rmse_neg = np.sqrt(_ratio(_sums(groups, n_groups, negative * error**2), n_neg)[0])
    values = {
        "balanced_accuracy_score": auc_by_group(y_true, y_pred, groups, n_groups),
        "log_loss": _ratio(_sums(groups, n_groups, loss), n)[0],
        "mean_squared_error": mse,
        "root_mean_squared_error": np.sqrt(mse),
        "balanced_root_mean_squared_error": np.where(one_class, 0.0, (rmse_pos + rmse_neg) / 2),
        "mean_absolute_error": _ratio(_sums(groups, n_groups, np.abs(error)), n)[0],
        "overprediction": _ratio(_sums(groups, n_groups, np.maximum(error, 0)), n)[0],
        "underprediction": _ratio(_sums(groups, n_groups, np.maximum(-error, 0)), n)[0],
        "average": _ratio(_sums(groups, n_groups, y_pred), n)[0],
    }
    undefined = dict.fromkeys(values, nothing)
    undefined["balanced_accuracy_score"] = undefined["balanced_root_mean_squared_error"] = one_class
    return values, undefined


def auc_by_group(y_true: Floats, y_pred: Floats, groups: Ints, n_groups: int) -> Floats:
    """Area under the ROC curve by group from rank sums (Mann–Whitney U); ties count half. 0 when a class is absent."""
    result = np.zeros(n_groups)
    order = np.lexsort((y_pred, groups))
    present, starts = np.unique(groups[order], return_index=True)
    for group, rows in zip(present, np.split(order, starts[1:]), strict=True):
        scores = y_pred[rows]
        pos = (y_true[rows] == 1).astype(np.float64)
        first = np.flatnonzero(np.concatenate(([True], scores[1:] != scores[:-1])))
        pos_at, neg_at = np.add.reduceat(pos, first), np.add.reduceat(1.0 - pos, first)
        below = np.cumsum(neg_at) - neg_at
        pairs = pos_at.sum() * neg_at.sum()
        result[group] = float(np.sum(pos_at * (below + neg_at / 2)) / pairs) if pairs else 0.0
    return result
