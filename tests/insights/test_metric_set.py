"""The SDK's group metric set and the server's builder give one dictionary."""

import numpy as np
import pytest

from atelier.fairness import create_group_metric_set
from runs.insights.fairness.builder import build
from runs.insights.fairness.validation import check

TYPES = {"binary_classification": "binaryClassification", "probability": "probability", "regression": "regression"}
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize("kind", TYPES)
def test_both_builders_agree_value_by_value(kind):
    rng = np.random.default_rng(1)
    y = rng.integers(0, 2, 80) if kind != "regression" else rng.normal(50, 9, 80)
    p = {
        "binary_classification": rng.integers(0, 2, 80),
        "probability": rng.random(80),
        "regression": y + rng.normal(0, 3, 80),
    }[kind]
    features = {"sex": rng.choice(["f", "m"], 80), "age": rng.integers(1, 4, 80)}
    theirs = create_group_metric_set(y, {"m:2": p, "m:1": p[::-1]}, features, kind)
    ours = build(TYPES[kind], y, {"m:2": p, "m:1": p[::-1]}, features)
    check(theirs)
    metrics = ours.pop("precomputedMetrics"), theirs.pop("precomputedMetrics")
    assert ours == theirs
    for mine, reference in zip(*metrics, strict=True):
        for cell, expected in zip(mine, reference, strict=True):
            assert set(cell) == set(expected)
            for key in cell:
                assert cell[key]["global"] == pytest.approx(expected[key]["global"], rel=1e-9, abs=1e-12), key
                assert cell[key]["bins"] == pytest.approx(expected[key]["bins"], rel=1e-9, abs=1e-12), key


def test_columns_of_a_frame_are_the_sensitive_features_and_numbers_become_labels():
    import pandas as pd

    frame = pd.DataFrame({"Age": [60, 30, 60], "Sex": ["f", "m", "f"]})
    made = create_group_metric_set(pd.Series([1, 0, 1]), {"m:1": [1, 0, 0]}, frame, "binary_classification")
    assert [b["binLabels"] for b in made["precomputedFeatureBins"]] == [["30", "60"], ["f", "m"]]


def test_an_unknown_prediction_type_is_refused():
    with pytest.raises(ValueError, match="binaryClassification"):
        create_group_metric_set([0, 1], {"m": [0, 1]}, {"s": [0, 1]}, "binaryClassification")
