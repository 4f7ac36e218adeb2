"""The fairness measures are scikit-learn's and fairlearn's, value by value."""

import warnings

import fairlearn.metrics as fm
import numpy as np
import pytest
import sklearn.metrics as sk
from fairlearn.metrics import MetricFrame
from hypothesis import given, settings
from hypothesis import strategies as st

from runs.insights.fairness import bootstrap, disparity
from runs.insights.fairness.builder import build
from runs.insights.fairness.measures import BINARY, DICTIONARY_KEYS, PROBABILITY, REGRESSION, grouped

pytestmark = pytest.mark.filterwarnings("ignore")


def both_classes(function, default=0.0):
    """The metric, or the default where a group has one class and the metric is not defined."""
    return lambda y, p: function(y, p) if len(np.unique(y)) == 2 else default


def balanced_rmse(y, p):
    return np.mean([np.sqrt(sk.mean_squared_error(y[y == c], p[y == c])) for c in (0, 1)])


def over(y, p):
    return np.mean(np.maximum(np.asarray(p) - np.asarray(y), 0))


def under(y, p):
    return np.mean(np.maximum(np.asarray(y) - np.asarray(p), 0))


ORACLE = {
    BINARY: {
        "accuracy_score": sk.accuracy_score,
        "balanced_accuracy_score": both_classes(sk.roc_auc_score),
        "precision_score": lambda y, p: sk.precision_score(y, p, zero_division=0),
        "recall_score": fm.true_positive_rate,
        "specificity_score": fm.true_negative_rate,
        "f1_score": lambda y, p: sk.f1_score(y, p, zero_division=0),
        "fallout_rate": fm.false_positive_rate,
        "miss_rate": fm.false_negative_rate,
        "zero_one_loss": sk.zero_one_loss,
        "overprediction": over,
        "underprediction": under,
        "selection_rate": fm.selection_rate,
    },
    PROBABILITY: {
        "balanced_accuracy_score": both_classes(sk.roc_auc_score),
        "log_loss": lambda y, p: sk.log_loss(y, p, labels=[0, 1]),
        "mean_squared_error": sk.mean_squared_error,
        "root_mean_squared_error": sk.root_mean_squared_error,
        "balanced_root_mean_squared_error": both_classes(lambda y, p: balanced_rmse(np.asarray(y), np.asarray(p))),
        "mean_absolute_error": sk.mean_absolute_error,
        "overprediction": over,
        "underprediction": under,
        "average": fm.mean_prediction,
    },
    REGRESSION: {
        "mean_squared_error": sk.mean_squared_error,
        "root_mean_squared_error": sk.root_mean_squared_error,
        "mean_absolute_error": sk.mean_absolute_error,
        "median_absolute_error": sk.median_absolute_error,
        "max_error": sk.max_error,
        "mean_squared_log_error": lambda y, p: sk.mean_squared_log_error(y, p) if min(*y, *p) > -1 else 0.0,
        "r2_score": lambda y, p: sk.r2_score(y, p) if len(y) > 1 else 0.0,
        "overprediction": over,
        "underprediction": under,
        "average": fm.mean_prediction,
    },
}
FAIRLEARN = {
    "demographic_parity_difference": fm.demographic_parity_difference,
    "demographic_parity_ratio": fm.demographic_parity_ratio,
    "equalized_odds_difference": fm.equalized_odds_difference,
    "equalized_odds_ratio": fm.equalized_odds_ratio,
    "equal_opportunity_difference": fm.equal_opportunity_difference,
    "equal_opportunity_ratio": fm.equal_opportunity_ratio,
    "accuracy_score_difference": fm.accuracy_score_difference,
    "accuracy_score_ratio": fm.accuracy_score_ratio,
    "zero_one_loss_difference": fm.zero_one_loss_difference,
    "zero_one_loss_ratio": fm.zero_one_loss_ratio,
    "true_positive_rate_difference": fm.true_positive_rate_difference,
    "true_positive_rate_ratio": fm.true_positive_rate_ratio,
    "true_negative_rate_difference": fm.true_negative_rate_difference,
    "true_negative_rate_ratio": fm.true_negative_rate_ratio,
    "false_positive_rate_difference": fm.false_positive_rate_difference,
    "false_positive_rate_ratio": fm.false_positive_rate_ratio,
    "false_negative_rate_difference": fm.false_negative_rate_difference,
    "false_negative_rate_ratio": fm.false_negative_rate_ratio,
    "accuracy_score_group_min": fm.accuracy_score_group_min,
    "precision_score_group_min": fm.precision_score_group_min,
    "recall_score_group_min": fm.recall_score_group_min,
    "f1_score_group_min": fm.f1_score_group_min,
    "zero_one_loss_group_max": fm.zero_one_loss_group_max,
    "roc_auc_score_group_min": fm.roc_auc_score_group_min,
    "log_loss_group_max": fm.log_loss_group_max,
    "mean_squared_error_group_max": fm.mean_squared_error_group_max,
    "mean_absolute_error_group_max": fm.mean_absolute_error_group_max,
    "r2_score_group_min": fm.r2_score_group_min,
}
# fairlearn's group minimum of balanced accuracy and of the average have no one function there.
DERIVED = {
    "balanced_accuracy_score_group_min": fm.balanced_accuracy_score_group_min,
    "average_difference": fm.make_derived_metric(metric=fm.mean_prediction, transform="difference"),
    "average_ratio": fm.make_derived_metric(metric=fm.mean_prediction, transform="ratio"),
    "overprediction_difference": fm.make_derived_metric(metric=over, transform="difference"),
    "overprediction_ratio": fm.make_derived_metric(metric=over, transform="ratio"),
    "underprediction_difference": fm.make_derived_metric(metric=under, transform="difference"),
    "underprediction_ratio": fm.make_derived_metric(metric=under, transform="ratio"),
    "mean_absolute_error_difference": fm.make_derived_metric(metric=sk.mean_absolute_error, transform="difference"),
    "mean_absolute_error_ratio": fm.make_derived_metric(metric=sk.mean_absolute_error, transform="ratio"),
}


def sample(kind, seed=0, n=400, k=4):
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, k, n)
    if kind == REGRESSION:
        y = rng.normal(1e4, 30, n)
        return y, y + rng.normal(groups, 5, n), groups
    y = (rng.random(n) < 0.2 + 0.1 * groups).astype(float)
    p = np.clip(rng.normal(0.3 + 0.3 * y + 0.05 * groups, 0.2, n), 0, 1).round(2)
    return y, (p if kind == PROBABILITY else (p > 0.5).astype(float)), groups


@pytest.mark.parametrize("kind", [BINARY, PROBABILITY, REGRESSION])
def test_each_measure_equals_the_reference_overall_and_by_group(kind):
    y, p, groups = sample(kind)
    ours = grouped(kind, y, p, groups, 4)
    assert set(ours.overall) == set(ORACLE[kind])
    frame = MetricFrame(metrics=ORACLE[kind], y_true=y, y_pred=p, sensitive_features=groups)
    for key in ORACLE[kind]:
        assert ours.overall[key] == pytest.approx(frame.overall[key], rel=1e-9, abs=1e-12), key
        assert np.allclose(ours.by_group[key], frame.by_group[key], rtol=1e-9, atol=1e-12), key


rows = st.lists(
    st.tuples(st.sampled_from([0.0, 1.0]), st.sampled_from([0.0, 1.0]), st.integers(0, 2)), min_size=1, max_size=40
)


@settings(max_examples=25, deadline=None)
@given(rows)
def test_binary_measures_agree_on_any_rows_with_zero_where_nothing_is_defined(data):
    y, p, g = (np.array(column) for column in zip(*data, strict=True))
    ours = grouped(BINARY, y, p, g.astype(int), 3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for group in set(g):
            inside = g == group
            for key, function in ORACLE[BINARY].items():
                assert ours.by_group[key][int(group)] == pytest.approx(function(y[inside], p[inside]), abs=1e-9), key


scores = st.lists(
    st.tuples(st.sampled_from([0.0, 1.0]), st.sampled_from([0, 0.25, 0.5, 0.75, 1]), st.integers(0, 1)),
    min_size=1,
    max_size=30,
)


@settings(max_examples=25, deadline=None)
@given(scores)
def test_probability_measures_agree_on_ties_and_on_groups_of_one_class(data):
    y, p, g = (np.array(column, dtype=float) for column in zip(*data, strict=True))
    ours = grouped(PROBABILITY, y, p, g.astype(int), 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for group in set(g):
            inside = g == group
            for key, function in ORACLE[PROBABILITY].items():
                assert ours.by_group[key][int(group)] == pytest.approx(function(y[inside], p[inside]), abs=1e-9), key


@pytest.mark.parametrize("kind", [BINARY, PROBABILITY, REGRESSION])
def test_each_disparity_equals_fairlearns_function(kind):
    y, p, groups = sample(kind, seed=3)
    ours = grouped(kind, y, p, groups, 4)
    for metric in disparity.DISPARITIES[kind]:
        reference = {**FAIRLEARN, **DERIVED}[metric.key]
        mine = float(disparity.value(metric, ours.by_group, ours.overall))
        assert mine == pytest.approx(reference(y, p, sensitive_features=groups), rel=1e-9, abs=1e-12), metric.key


def test_disparity_to_overall_equals_fairlearns_method():
    y, p, groups = sample(BINARY, seed=5)
    ours = grouped(BINARY, y, p, groups, 4)
    for key in ("demographic_parity_difference", "demographic_parity_ratio", "equalized_odds_difference"):
        mine = float(disparity.value(disparity.disparity(BINARY, key), ours.by_group, ours.overall, "to_overall"))
        assert mine == pytest.approx(FAIRLEARN[key](y, p, sensitive_features=groups, method="to_overall"), abs=1e-9)


def test_true_negative_rate_parity_is_not_recall_parity():
    y = np.array([1, 1, 1, 1, 0, 0, 0, 0.0])
    p = np.array([1, 0, 1, 0, 0, 0, 0, 1.0])
    groups = np.array([0, 0, 1, 1, 0, 0, 1, 1])
    ours = grouped(BINARY, y, p, groups, 2)
    recall = disparity.value(disparity.disparity(BINARY, "true_positive_rate_difference"), ours.by_group, ours.overall)
    specificity = disparity.value(
        disparity.disparity(BINARY, "true_negative_rate_difference"), ours.by_group, ours.overall
    )
    assert (float(recall), float(specificity)) == (0.0, 0.5)


def test_bootstrap_of_counts_has_the_spread_of_fairlearns_bootstrap():
    y, p, groups = sample(BINARY, n=1000, k=2)
    ours = bootstrap.intervals(BINARY, y, p, groups, 2)
    frame = MetricFrame(
        metrics={"s": fm.selection_rate},
        y_true=y,
        y_pred=p,
        sensitive_features=groups,
        n_boot=80,
        ci_quantiles=[0.025, 0.975],
        random_state=1,
    )
    low, high = (q["s"].to_numpy() for q in frame.by_group_ci)
    assert np.allclose(ours.by_group["selection_rate"][0], low, atol=0.03)
    assert np.allclose(ours.by_group["selection_rate"][1], high, atol=0.03)


def test_bootstrap_intervals_hold_the_value_and_are_the_same_each_time():
    for kind in (BINARY, PROBABILITY, REGRESSION):
        y, p, groups = sample(kind)
        value = grouped(kind, y, p, groups, 4)
        first, second = (bootstrap.intervals(kind, y, p, groups, 4, seed=7) for _ in range(2))
        for key, (low, high) in first.by_group.items():
            assert (low <= value.by_group[key] + 1e-9).all() and (value.by_group[key] <= high + 1e-9).all(), key
            assert np.array_equal(low, second.by_group[key][0])


@pytest.mark.parametrize("kind", [BINARY, PROBABILITY, REGRESSION])
def test_the_builder_gives_sorted_names_and_the_metrics_of_fairlearns_set(kind):
    y, p, groups = sample(kind, n=60, k=2)
    built = build(kind, y, {"b:1": p, "a:2": y}, {"sex": np.array(["f", "m"])[groups], "age": groups})
    assert built["modelNames"] == ["a:2", "b:1"]
    assert [b["featureBinName"] for b in built["precomputedFeatureBins"]] == ["age", "sex"]
    assert built["precomputedFeatureBins"][1]["binLabels"] == ["f", "m"]
    cell = built["precomputedMetrics"][1][1]
    assert set(cell) == set(DICTIONARY_KEYS[kind])
    assert cell["count"] == {"global": 60, "bins": np.bincount(groups).tolist()}


@pytest.mark.parametrize("kind", [PROBABILITY, REGRESSION])
def test_weighted_draws_of_rows_measure_what_the_drawn_rows_measure(kind):
    y, p, groups = sample(kind, n=120, k=3)
    by_group, overall, draws = bootstrap._draw_rows(kind, y, p, groups, 3, np.random.default_rng(5))
    weights = np.random.default_rng(5).multinomial(120, np.full(120, 1 / 120), size=draws)
    order = np.lexsort((p, groups))
    for draw in (0, draws - 1):
        rows = np.repeat(order, weights[draw])
        drawn = grouped(kind, y[rows], p[rows], groups[rows], 3)
        for key, value in drawn.overall.items():
            assert overall[key][draw] == pytest.approx(value, rel=1e-9), key
            assert np.allclose(by_group[key][draw], drawn.by_group[key], rtol=1e-9), key


def test_ten_thousand_rows_have_their_intervals_well_within_a_second():
    import time

    for kind in (BINARY, PROBABILITY, REGRESSION):
        y, p, groups = sample(kind, n=10_000, k=6)
        start = time.process_time()
        bootstrap.intervals(kind, y, p, groups, 6)
        assert time.process_time() - start < 1.0, kind
