"""A dictionary that is wrong is refused with a sentence that names the key."""

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runs.insights.fairness.builder import build
from runs.insights.fairness.validation import check
from studio.errors import Invalid


@pytest.fixture
def dashboard():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 20)
    return build(
        "binaryClassification",
        y,
        {"m:1": 1 - y, "m:2": y},
        {"sex": rng.integers(0, 2, 20), "age": rng.integers(0, 3, 20)},
    )


def put(dashboard, path, value):
    changed = copy.deepcopy(dashboard)
    target = changed
    for step in path[:-1]:
        target = target[step]
    if value is KeyError:
        del target[path[-1]]
    else:
        target[path[-1]] = value
    return changed


def test_a_dictionary_of_the_builder_is_accepted(dashboard):
    check(dashboard)
    check(dashboard, is_registered={"m:1", "m:2"}.__contains__)


WRONG = [
    (["schemaType"], KeyError, "schemaType"),
    (["schemaVersion"], 1, "schemaVersion"),
    (["schemaVersion"], False, "schemaVersion"),
    (["predictionType"], "binary_classification", "predictionType"),
    (["predictionType"], ["binaryClassification"], "predictionType"),
    (["trueY"], "0101", "trueY"),
    (["trueY"], [], "trueY"),
    (["trueY", 3], None, "trueY"),
    (["trueY", 3], float("nan"), "trueY"),
    (["trueY", 3], 10**400, "trueY"),
    (["trueY", 3], 2, "trueY"),
    (["predictedY"], [[0, 1]], "predictedY"),
    (["predictedY", 1], [0, 1], "predictedY[1]"),
    (["predictedY", 0, 0], 0.5, "predictedY[0]"),
    (["predictedY", 0, 0], True, "predictedY[0]"),
    (["modelNames"], ["m:1", "m:1"], "modelNames"),
    (["modelNames"], ["m:1", 2], "modelNames[1]"),
    (["modelNames", 0], "x" * 300, "modelNames[0]"),
    (["modelNames", 0], "m\x00:1", "modelNames[0]"),
    (["precomputedFeatureBins"], [], "precomputedFeatureBins"),
    (["precomputedFeatureBins", 0, "binVector"], KeyError, "precomputedFeatureBins[0].binVector"),
    (["precomputedFeatureBins", 0, "binVector", 2], 3, "precomputedFeatureBins[0].binVector"),
    (["precomputedFeatureBins", 0, "binVector", 2], 0.5, "precomputedFeatureBins[0].binVector"),
    (["precomputedFeatureBins", 1, "binLabels", 0], 0, "precomputedFeatureBins[1].binLabels[0]"),
    (["precomputedFeatureBins", 1, "featureBinName"], "age", "precomputedFeatureBins[1].featureBinName"),
    (["precomputedMetrics"], {}, "precomputedMetrics"),
    (["precomputedMetrics", 0], [{}], "precomputedMetrics[0]"),
    (["precomputedMetrics", 0, 1, "luck"], {"global": 1, "bins": [1, 1, 1]}, "precomputedMetrics[0][1].luck"),
    (["precomputedMetrics", 0, 1, "miss_rate", "bins"], [1], "precomputedMetrics[0][1].miss_rate.bins"),
    (["precomputedMetrics", 0, 1, "miss_rate", "global"], "high", "precomputedMetrics[0][1].miss_rate.global"),
    (["precomputedMetrics", 0, 1, "miss_rate", "global"], 10**400, "precomputedMetrics[0][1].miss_rate.global"),
]


@pytest.mark.parametrize(("path", "value", "named"), WRONG, ids=lambda v: str(v)[:40])
def test_each_fault_is_named(dashboard, path, value, named):
    with pytest.raises(Invalid) as refused:
        check(put(dashboard, path, value))
    assert f"'{named}" in refused.value.message


def test_a_model_that_is_not_registered_is_named(dashboard):
    with pytest.raises(Invalid, match="'m:2'"):
        check(dashboard, is_registered={"m:1"}.__contains__)


def test_something_that_is_no_object_is_refused():
    with pytest.raises(Invalid):
        check([1, 2])


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(value=json_values, where=st.integers(0, 7), deep=st.booleans())
def test_any_json_in_any_place_is_accepted_or_refused_with_a_sentence(value, where, deep):
    y = [0, 1, 1, 0]
    dashboard = build("binaryClassification", y, {"m:1": y}, {"sex": [0, 1, 0, 1]})
    key = list(dashboard)[where]
    dashboard[key] = [value] if deep else value
    try:
        check(dashboard)
    except Invalid as refused:
        assert refused.message.endswith(".")
