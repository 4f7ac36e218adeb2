"""Bootstrap intervals: each draw measures what fairlearn measures on the drawn rows, intervals are the draws' quantiles."""

import fairlearn.metrics as fm
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from runs.insights.fairness import bootstrap, disparity
from runs.insights.fairness.measures import BINARY, PROBABILITY, REGRESSION
from tests.insights.test_fairness_measures import DERIVED, FAIRLEARN, ORACLE, sample

pytestmark = pytest.mark.filterwarnings("ignore")


def lonely(kind):
    """150 rows in three groups, of which the last has one row: about a third of all draws leave it out."""
    y, p, groups = sample(kind, seed=4, n=150, k=2)
    groups[-1] = 2
    return y, p, groups


def drawn_rows(kind, y, p, groups, draws, seed):
    """The rows of each draw, by the same random numbers as ours."""
    rng = np.random.default_rng(seed)
    if kind != BINARY:
        order = np.lexsort((p, groups))
        return [np.repeat(order, w) for w in rng.multinomial(len(y), np.full(len(y), 1 / len(y)), size=draws)]
    cell = groups * 4 + np.where(y == 1, np.where(p == 1, 0, 2), np.where(p == 1, 1, 3))
    first = [np.flatnonzero(cell == c)[0] if (cell == c).any() else -1 for c in range(12)]
    counts = np.bincount(cell, minlength=12)
    return [np.repeat(first, w) for w in rng.multinomial(len(y), counts / len(y), size=draws)]


def draws_of(kind, y, p, groups, seed):
    rng = np.random.default_rng(seed)
    if kind == BINARY:
        return bootstrap._draw_counts(y, p, groups, 3, rng)
    return bootstrap._draw_rows(kind, y, p, groups, 3, rng)


@pytest.mark.parametrize("kind", [BINARY, PROBABILITY, REGRESSION])
def test_a_draw_measures_what_fairlearn_measures_on_the_drawn_rows(kind):
    y, p, groups = lonely(kind)
    by_group, overall, draws = draws_of(kind, y, p, groups, seed=9)
    chosen = drawn_rows(kind, y, p, groups, draws, seed=9)
    without = next(i for i, rows in enumerate(chosen) if not (groups[rows] == 2).any())
    for draw in (0, without, draws - 1):
        rows = chosen[draw]
        truth, predicted, of = y[rows], p[rows], groups[rows]
        for key, function in ORACLE[kind].items():
            assert overall[key][draw] == pytest.approx(function(truth, predicted), rel=1e-9, abs=1e-12), key
            for group in range(3):
                inside = of == group
                if not inside.any():
                    assert np.isnan(by_group[key][draw, group])
                    continue
                reference = function(truth[inside], predicted[inside])
                assert by_group[key][draw, group] == pytest.approx(reference, rel=1e-9, abs=1e-12), key
        for metric in disparity.DISPARITIES[kind]:
            if metric.measures[0] in ("balanced_accuracy_score", "log_loss", "r2_score"):
                continue  # fairlearn raises for a group of one class or one row, where ours is 0
            mine = disparity.value(metric, by_group, overall)[draw]
            reference = {**FAIRLEARN, **DERIVED}[metric.key](truth, predicted, sensitive_features=of)
            assert mine == pytest.approx(reference, rel=1e-9, abs=1e-12, nan_ok=True), metric.key


@pytest.mark.parametrize("method", disparity.METHODS)
@pytest.mark.parametrize("kind", [BINARY, PROBABILITY, REGRESSION])
def test_intervals_are_the_quantiles_of_the_draws(kind, method):
    y, p, groups = lonely(kind)
    found = bootstrap.intervals(kind, y, p, groups, 3, method, seed=9)
    by_group, overall, draws = draws_of(kind, y, p, groups, seed=9)
    assert found.draws == draws
    for key, values in by_group.items():
        assert np.allclose(found.by_group[key], np.nanpercentile(values, (2.5, 97.5), axis=0), rtol=0, atol=1e-12), key
        assert np.allclose(found.overall[key], np.percentile(overall[key], (2.5, 97.5)), rtol=0, atol=1e-12), key
    for metric in disparity.DISPARITIES[kind]:
        values = disparity.value(metric, by_group, overall, method)
        assert np.allclose(found.disparity[metric.key], np.nanpercentile(values, (2.5, 97.5)), rtol=1e-12), metric.key


def test_a_group_of_one_row_has_no_value_in_draws_without_it():
    y = np.array([0, 1] * 50 + [1.0])
    groups = np.array([0] * 100 + [1])
    found = bootstrap.intervals(BINARY, y, np.ones(101), groups, 2)
    assert [float(end[1]) for end in found.by_group["selection_rate"]] == [1.0, 1.0]
    assert found.disparity["demographic_parity_difference"] == (0.0, 0.0)


def test_a_group_without_rows_has_no_interval_and_widens_none():
    y, p, groups = sample(BINARY, n=300, k=2)
    there, more = (bootstrap.intervals(BINARY, y, p, groups, k) for k in (2, 3))
    assert np.isnan(more.by_group["accuracy_score"][0][2])
    low, high = more.disparity["demographic_parity_difference"]
    assert (low, high) == pytest.approx(there.disparity["demographic_parity_difference"], abs=0.03)


@settings(max_examples=60, deadline=None)
@given(
    arrays(np.float64, st.tuples(st.integers(1, 9), st.integers(1, 3)), elements=st.floats(-9, 9) | st.just(np.nan)),
    st.floats(0, 1),
)
def test_quantiles_leave_nan_out_as_numpy_does(values, q):
    ours, theirs = bootstrap.quantiles(values, [q])[0], np.nanpercentile(values, q * 100, axis=0)
    assert np.allclose(ours, theirs, atol=1e-12, equal_nan=True)


def test_intervals_cover_the_true_rate_about_as_often_as_they_say():
    """Selection rates of many samples whose true rate is known: 95 % intervals hold it 90 to 99 times of 100."""
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(100):
        chosen = (rng.random(200) < 0.3).astype(float)
        low, high = bootstrap.intervals(BINARY, chosen, chosen, np.zeros(200, dtype=int), 1).overall["selection_rate"]
        held += low <= 0.3 <= high
    assert 90 <= held <= 99


def test_fairlearn_function_names_are_all_known_to_the_tab():
    known = {m.key for kind in disparity.DISPARITIES.values() for m in kind}
    derived = {n for n in fm.__all__ if n.endswith(("_difference", "_ratio", "_group_min", "_group_max"))}
    # The selection rate's parity stands there under its name in the literature.
    assert derived - known == {"selection_rate_difference", "selection_rate_ratio"}
    assert {"demographic_parity_difference", "demographic_parity_ratio"} <= known
