"""The group metric set: measures of models by group as the dictionary a fairness dashboard is made of.

fairlearn 0.4.6–0.8 had this as the private `fairlearn.metrics._group_metric_set`; later versions have not. It is
computed here with fairlearn's MetricFrame, and imported under the old name where fairlearn lacks it
(see `atelier.fairness.old_name`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

BINARY_CLASSIFICATION = "binary_classification"
REGRESSION = "regression"
PROBABILITY = "probability"
_TYPE_NAMES = {BINARY_CLASSIFICATION: "binaryClassification", REGRESSION: "regression", PROBABILITY: "probability"}


def create_group_metric_set(
    y_true: Any, predictions: dict[str, Any], sensitive_features: dict[str, Any], prediction_type: str
) -> dict[str, Any]:
    """The dashboard dictionary (schema "dashboardDictionary", version 0).

    y_true: (n,) true values. predictions: {model name or id: (n,) predictions}. sensitive_features: {name: (n,)
    groups}; a DataFrame is taken by column. prediction_type: binary_classification, regression or probability.
    A value that is not defined for a group (a ROC AUC of one class) is 0.0.
    """
    import numpy as np

    if prediction_type not in _TYPE_NAMES:
        raise ValueError(f"prediction_type {prediction_type!r} not in {sorted(_TYPE_NAMES)}")
    truth = _flat(y_true, "y_true")
    features = _columns(sensitive_features)
    bins = []
    for name in sorted(features):
        values = _flat(features[name], f"sensitive_features[{name!r}]", len(truth))
        labels, codes = np.unique(values, return_inverse=True)
        bins.append(
            {"featureBinName": name, "binVector": codes.tolist(), "binLabels": [str(label) for label in labels]}
        )
    models = sorted(predictions)
    predicted = [_flat(predictions[m], f"predictions[{m!r}]", len(truth)) for m in models]
    functions = _functions(prediction_type)
    return {
        "schemaType": "dashboardDictionary",
        "schemaVersion": 0,
        "predictionType": _TYPE_NAMES[prediction_type],
        "trueY": truth.tolist(),
        "modelNames": models,
        "predictedY": [p.tolist() for p in predicted],
        "precomputedFeatureBins": bins,
        "precomputedMetrics": [
            [_cell(functions, truth, p, np.asarray(b["binVector"])) for p in predicted] for b in bins
        ],
    }


def _columns(sensitive_features: Any) -> dict[str, Any]:
    if hasattr(sensitive_features, "columns"):
        return {str(c): sensitive_features[c] for c in sensitive_features.columns}
    if not isinstance(sensitive_features, dict):
        raise ValueError("sensitive_features must be a dictionary of name and groups, or a DataFrame")
    return {str(k): v for k, v in sensitive_features.items()}


def _flat(values: Any, name: str, length: int | None = None) -> Any:
    import numpy as np

    array = np.squeeze(values.to_numpy() if hasattr(values, "to_numpy") else np.asarray(values))
    array = np.atleast_1d(array)
    if array.ndim != 1:
        raise ValueError(f"{name} must have one dimension, not the shape {array.shape}")
    if length is not None and len(array) != length:
        raise ValueError(f"{name} has {len(array)} values for {length} in y_true")
    return array


def _cell(functions: dict[str, Callable[..., Any]], truth: Any, predicted: Any, groups: Any) -> dict[str, Any]:
    from fairlearn.metrics import MetricFrame

    frame = MetricFrame(metrics=functions, y_true=truth, y_pred=predicted, sensitive_features=groups)
    by_group = frame.by_group.sort_index()
    return {
        key: {"global": _number(frame.overall[key]), "bins": [_number(v) for v in by_group[key].tolist()]}
        for key in functions
    }


def _number(value: Any) -> float | int:
    number = value.item() if hasattr(value, "item") else value
    return 0.0 if isinstance(number, float) and number != number else number


def _over(y_true: Any, y_pred: Any) -> float:
    import numpy as np

    return float(np.mean(np.maximum(np.asarray(y_pred, float) - np.asarray(y_true, float), 0)))


def _under(y_true: Any, y_pred: Any) -> float:
    return _over(y_pred, y_true)


def _count(y_true: Any, y_pred: Any) -> int:
    return len(y_true)


def _roc_auc(y_true: Any, y_pred: Any) -> float:
    import numpy as np
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(y_true, y_pred)) if len(np.unique(y_true)) == 2 else 0.0


def _balanced_rmse(y_true: Any, y_pred: Any) -> float:
    """Mean of the root mean squared errors of the two true classes; 0 when one is absent."""
    import numpy as np

    truth, predicted = np.asarray(y_true), np.asarray(y_pred, float)
    classes = np.unique(truth)
    if len(classes) != 2:
        return 0.0
    return float(np.mean([np.sqrt(np.mean((predicted[truth == c] - truth[truth == c]) ** 2)) for c in classes]))


def _r2(y_true: Any, y_pred: Any) -> float:
    from sklearn.metrics import r2_score

    return float(r2_score(y_true, y_pred)) if len(y_true) > 1 else 0.0


def _functions(prediction_type: str) -> dict[str, Callable[..., Any]]:
    """The metric functions of the type, under the keys of the dictionary."""
    import fairlearn.metrics as fm
    import sklearn.metrics as sk

    def zero(function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda y_true, y_pred: function(y_true, y_pred, zero_division=0)

    if prediction_type == BINARY_CLASSIFICATION:
        return {
            "accuracy_score": sk.accuracy_score,
            "balanced_accuracy_score": _roc_auc,
            "count": _count,
            "f1_score": zero(sk.f1_score),
            "fallout_rate": fm.false_positive_rate,
            "miss_rate": fm.false_negative_rate,
            "overprediction": _over,
            "precision_score": zero(sk.precision_score),
            "recall_score": zero(sk.recall_score),
            "selection_rate": fm.selection_rate,
            "specificity_score": fm.true_negative_rate,
            "underprediction": _under,
        }
    errors = {
        "average": fm.mean_prediction,
        "count": _count,
        "mean_absolute_error": sk.mean_absolute_error,
        "mean_squared_error": sk.mean_squared_error,
        "root_mean_squared_error": lambda y_true, y_pred: sk.mean_squared_error(y_true, y_pred) ** 0.5,
    }
    if prediction_type == REGRESSION:
        return {**errors, "r2_score": _r2}
    return {
        **errors,
        "balanced_accuracy_score": _roc_auc,
        "balanced_root_mean_squared_error": _balanced_rmse,
        "log_loss": lambda y_true, y_pred: sk.log_loss(y_true, y_pred, labels=[0, 1]),
        "overprediction": _over,
        "underprediction": _under,
    }
