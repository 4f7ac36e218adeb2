"""Makes a dashboard dictionary (schema "dashboardDictionary", version 0) from truth, predictions and groups."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from runs.insights.fairness.measures import DICTIONARY_KEYS, grouped

SCHEMA_TYPE = "dashboardDictionary"
SCHEMA_VERSION = 0


def build(
    prediction_type: str,
    y_true: Sequence[float],
    predictions: Mapping[str, Sequence[float]],
    sensitive_features: Mapping[str, Sequence[Any]],
) -> dict[str, Any]:
    """The dictionary fairlearn's builder would give: models and features in the order of their names."""
    truth = np.asarray(y_true, dtype=np.float64)
    models = sorted(predictions)
    bins = [feature_bins(name, sensitive_features[name]) for name in sorted(sensitive_features)]
    return {
        "schemaType": SCHEMA_TYPE,
        "schemaVersion": SCHEMA_VERSION,
        "predictionType": prediction_type,
        "trueY": _plain(truth),
        "modelNames": models,
        "predictedY": [_plain(np.asarray(predictions[m], dtype=np.float64)) for m in models],
        "precomputedFeatureBins": bins,
        "precomputedMetrics": [
            [precomputed(prediction_type, truth, np.asarray(predictions[m], dtype=np.float64), b) for m in models]
            for b in bins
        ],
    }


def feature_bins(name: str, values: Sequence[Any]) -> dict[str, Any]:
    """One entry of precomputedFeatureBins: labels are the distinct values as text, in order of the values."""
    labels, codes = np.unique(np.asarray(values), return_inverse=True)
    return {"featureBinName": name, "binVector": codes.tolist(), "binLabels": [str(label) for label in labels]}


def precomputed(
    prediction_type: str, y_true: np.ndarray, y_pred: np.ndarray, bins: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """One cell of precomputedMetrics: {metric: {global, bins}} over the groups of a feature."""
    result = grouped(prediction_type, y_true, y_pred, np.asarray(bins["binVector"]), len(bins["binLabels"]))
    cell = {}
    for key in DICTIONARY_KEYS[prediction_type]:
        if key == "count":
            cell[key] = {"global": len(y_true), "bins": result.counts.tolist()}
        else:
            cell[key] = {"global": result.overall[key], "bins": result.by_group[key].tolist()}
    return cell


def _plain(values: np.ndarray) -> list[float] | list[int]:
    whole = values.astype(np.int64)
    return whole.tolist() if np.array_equal(whole, values) else values.tolist()
