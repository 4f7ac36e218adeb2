"""Disparities: one number that says how far the groups of a sensitive feature lie apart.

Difference is max − min over the groups and ratio min / max (fairlearn's "between_groups"), or the largest distance
to the value of all rows ("to_overall"). Worst and best group are the minimum and maximum. Equalized odds takes the
worse of the true and the false positive rate. Sources: fairlearn.metrics of 0.15, Hardt et al. 2016.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runs.insights.fairness.measures import BINARY, PROBABILITY, REGRESSION

METHODS = ("between_groups", "to_overall")


@dataclass(frozen=True)
class Disparity:
    """A fairness metric: which measures it reads, how it joins the groups, and its ideal value."""

    key: str
    label: str
    measures: tuple[str, ...]
    aggregate: str  # difference | ratio | min | max
    note: str = ""

    @property
    def better(self) -> str:
        """Which way is fairer: "low" for differences and largest errors, "high" for ratios and worst-group scores."""
        return "low" if self.aggregate in ("difference", "max") else "high"


def _pair(key: str, label: str, measures: tuple[str, ...], note: str = "") -> tuple[Disparity, Disparity]:
    return (
        Disparity(f"{key}_difference", f"{label} difference", measures, "difference", note),
        Disparity(f"{key}_ratio", f"{label} ratio", measures, "ratio", note),
    )


DISPARITIES: dict[str, tuple[Disparity, ...]] = {
    BINARY: (
        *_pair("demographic_parity", "Demographic parity", ("selection_rate",), "selection rates alike"),
        *_pair(
            "equalized_odds",
            "Equalized odds",
            ("recall_score", "fallout_rate"),
            "true and false positive rates alike; the worse of both counts",
        ),
        *_pair("equal_opportunity", "Equal opportunity", ("recall_score",), "true positive rates alike"),
        *_pair("accuracy_score", "Accuracy", ("accuracy_score",)),
        *_pair("zero_one_loss", "Error rate", ("zero_one_loss",)),
        *_pair("true_positive_rate", "True positive rate", ("recall_score",)),
        *_pair("true_negative_rate", "True negative rate", ("specificity_score",)),
        *_pair("false_positive_rate", "False positive rate", ("fallout_rate",)),
        *_pair("false_negative_rate", "False negative rate", ("miss_rate",)),
        Disparity("accuracy_score_group_min", "Lowest accuracy", ("accuracy_score",), "min"),
        Disparity("balanced_accuracy_score_group_min", "Lowest balanced accuracy", ("balanced_accuracy_score",), "min"),
        Disparity("precision_score_group_min", "Lowest precision", ("precision_score",), "min"),
        Disparity("recall_score_group_min", "Lowest recall", ("recall_score",), "min"),
        Disparity("f1_score_group_min", "Lowest F1 score", ("f1_score",), "min"),
        Disparity("zero_one_loss_group_max", "Highest error rate", ("zero_one_loss",), "max"),
    ),
    PROBABILITY: (
        *_pair("average", "Average prediction", ("average",)),
        Disparity("roc_auc_score_group_min", "Lowest ROC AUC", ("balanced_accuracy_score",), "min"),
        Disparity("log_loss_group_max", "Highest log loss", ("log_loss",), "max"),
        Disparity("mean_squared_error_group_max", "Highest mean squared error", ("mean_squared_error",), "max"),
        Disparity("mean_absolute_error_group_max", "Highest mean absolute error", ("mean_absolute_error",), "max"),
        *_pair("overprediction", "Overprediction", ("overprediction",)),
        *_pair("underprediction", "Underprediction", ("underprediction",)),
    ),
    REGRESSION: (
        *_pair("average", "Average prediction", ("average",)),
        Disparity("mean_absolute_error_group_max", "Highest mean absolute error", ("mean_absolute_error",), "max"),
        Disparity("mean_squared_error_group_max", "Highest mean squared error", ("mean_squared_error",), "max"),
        Disparity("r2_score_group_min", "Lowest R²", ("r2_score",), "min"),
        *_pair("mean_absolute_error", "Mean absolute error", ("mean_absolute_error",)),
        *_pair("overprediction", "Overprediction", ("overprediction",)),
        *_pair("underprediction", "Underprediction", ("underprediction",)),
    ),
}


def disparity(prediction_type: str, key: str) -> Disparity:
    """The fairness metric of that key; KeyError when the prediction type has no such metric."""
    for each in DISPARITIES[prediction_type]:
        if each.key == key:
            return each
    raise KeyError(key)


def value(
    metric: Disparity,
    by_group: Mapping[str, NDArray[np.float64]],
    overall: Mapping[str, NDArray[np.float64] | float],
    method: str = "between_groups",
) -> NDArray[np.float64]:
    """The disparity from measures by group of shape (…, groups) and over all rows of shape (…). NaN when 0/0.

    Groups whose value is NaN (they have no rows) take no part.
    """
    each = [
        _aggregate(np.asarray(by_group[name]), np.asarray(overall[name]), metric.aggregate, method)
        for name in metric.measures
    ]
    worst = np.maximum if metric.better == "low" else np.minimum
    result = each[0]
    for other in each[1:]:
        # No false positives in any group make a ratio of 0/0, which fairlearn leaves out.
        result = np.where(np.isnan(other), result, worst(result, other))
    return result


def _aggregate(
    groups: NDArray[np.float64], overall: NDArray[np.float64], aggregate: str, method: str
) -> NDArray[np.float64]:
    least, most = np.fmin.reduce(groups, axis=-1), np.fmax.reduce(groups, axis=-1)
    if aggregate == "min":
        return least
    if aggregate == "max":
        return most
    if aggregate == "difference":
        if method == "to_overall":
            return np.fmax.reduce(np.abs(groups - overall[..., None]), axis=-1)
        return most - least
    with np.errstate(divide="ignore", invalid="ignore"):
        if method == "to_overall":
            ratios = groups / overall[..., None]
            return np.fmin.reduce(np.where(ratios > 1, 1 / ratios, ratios), axis=-1)
        return least / most
