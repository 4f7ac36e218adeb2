"""Figures: plotly accepts each, and the numbers in them are right."""

from __future__ import annotations

import numpy as np
import orjson
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from runs import charts
from runs.charts.typed import VIEWS
from studio.errors import Invalid


def table_of(truth: np.ndarray, scores: np.ndarray, points: int = 400) -> dict:
    """An accuracy table of a two-class problem, as log_accuracy_table takes it: [tp, fp, tn, fn] at each threshold."""

    def counts(positive: np.ndarray, score: np.ndarray, cuts: np.ndarray) -> list[list[int]]:
        rows = []
        for cut in cuts:
            said = score >= cut
            rows.append(
                [
                    int((said & positive).sum()),
                    int((said & ~positive).sum()),
                    int((~said & ~positive).sum()),
                    int((~said & positive).sum()),
                ]
            )
        return rows

    cuts = np.concatenate([np.unique(scores), [1.01]]) if points == 400 else np.linspace(0, 1, points)
    share = np.quantile(scores, np.linspace(0, 1, 50))
    one, zero = truth == 1, truth == 0
    return {
        "schema_type": "accuracy_table",
        "schema_version": "v1",
        "data": {
            "probability_tables": [counts(zero, 1 - scores, cuts), counts(one, scores, cuts)],
            "percentile_tables": [counts(zero, 1 - scores, 1 - share), counts(one, scores, share)],
            "probability_thresholds": cuts.tolist(),
            "percentile_thresholds": np.linspace(0, 1, 50).tolist(),
            "class_labels": ["no", "yes"],
        },
    }


@pytest.fixture
def scored() -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(7)
    truth = draw.integers(0, 2, 300)
    return truth, np.clip(truth * 0.3 + draw.random(300) * 0.7, 0, 1)


DOCUMENTS = {
    "confusion_matrix": {"data": {"class_labels": ["a", "b"], "matrix": [[8, 2], [1, 9]]}},
    "residuals": {"data": {"bin_edges": [-2, -1, 0, 1], "bin_counts": [3, 9, 4]}},
    "predictions": {
        "data": {"bin_edges": [0, 10, 20], "bin_averages": [6, 14], "bin_errors": [1, 2], "bin_counts": [5, 7]}
    },
}


@pytest.mark.parametrize(("kind", "view"), [(kind, view) for kind, views in VIEWS.items() for view in views])
def test_plotly_accepts_every_typed_chart(kind, view, scored):
    document = table_of(*scored) if kind == "accuracy_table" else DOCUMENTS[kind]
    checked = charts.checked(charts.typed_figure(kind, view, document))
    assert checked["data"] and checked["layout"]["xaxis"]["title"]["text"]


def test_the_area_under_roc_is_that_of_scikit_learn(scored):
    names = [trace.get("name", "") for trace in charts.roc(table_of(*scored))["data"]]
    assert f"(area {roc_auc_score(*scored):.3f})" in names[0]


def test_the_average_precision_is_that_of_scikit_learn(scored):
    names = [trace["name"] for trace in charts.precision_recall(table_of(*scored))["data"]]
    assert f"(average precision {average_precision_score(*scored):.3f})" in names[0]


def test_gains_end_where_all_positives_are_found(scored):
    curve = charts.cumulative_gains(table_of(*scored))["data"][0]
    assert curve["x"][-1] == pytest.approx(1) and curve["y"][-1] == pytest.approx(1)


def test_a_well_calibrated_model_lies_on_the_diagonal():
    draw = np.random.default_rng(3)
    scores = draw.random(20_000)
    truth = (draw.random(20_000) < scores).astype(int)
    curve = charts.calibration(table_of(truth, scores, points=11))["data"][0]
    assert np.abs(np.asarray(curve["y"]) - np.asarray(curve["x"])).max() < 0.05


def test_shares_of_a_confusion_matrix_sum_to_one_in_each_row():
    z = charts.confusion_matrix(DOCUMENTS["confusion_matrix"], normalised=True)["data"][0]["z"]
    assert np.allclose(z.sum(axis=1), 1) and z[0, 0] == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("kind", "document", "words"),
    [
        ("confusion_matrix", {"data": {"class_labels": ["a"], "matrix": [[1, 2], [3, 4]]}}, "2 × 2"),
        ("confusion_matrix", {"data": {"matrix": [[1]]}}, "class_labels"),
        ("confusion_matrix", [], "data"),
        (
            "accuracy_table",
            {"data": {"class_labels": ["a"], "probability_tables": [[[1, 2, 3]]], "probability_thresholds": [0.5]}},
            "1 × 1 × 4",
        ),
        ("residuals", {"data": {"bin_edges": [1], "bin_counts": [1, 2, 3]}}, r"n \+ 1 edges"),
        ("predictions", {"data": {"bin_edges": [1, 2], "bin_averages": [1, 2, 3], "bin_errors": [1]}}, "don't match"),
    ],
)
def test_a_malformed_document_is_refused_with_what_is_wrong(kind, document, words):
    view = next(iter(VIEWS[kind]))
    with pytest.raises(Invalid, match=words):
        charts.typed_figure(kind, view, document)


def test_smoothing_takes_out_the_bias_of_the_start_and_keeps_gaps():
    values = np.array([4.0, 4.0, np.nan, 4.0])
    smoothed = charts.smooth(values, 0.9)
    assert np.allclose(smoothed[[0, 1, 3]], 4.0) and np.isnan(smoothed[2])


@pytest.mark.parametrize("weight", [0.01, 0.6, 0.9, 0.99])
@pytest.mark.parametrize("count", [2, 37, 5000])
def test_smoothing_is_the_recurrence_written_out(weight, count):
    values, state, expected = np.random.default_rng(5).normal(100, 30, count), 0.0, []
    for t, value in enumerate(values, 1):
        state = weight * state + (1 - weight) * value
        expected.append(state / (1 - weight**t))
    assert np.allclose(charts.smooth(values, weight), expected)


def test_lines_with_gaps_and_infinities_are_json():
    figure = charts.lines([charts.Curve("loss", [0, 1, 2], [1.0, float("nan"), float("inf")])])
    assert orjson.loads(charts.dumps(figure))["data"][0]["y"] == [1.0, None, None]
    assert charts.checked(figure)


def test_smoothed_and_raw_values_share_a_colour():
    figure = charts.lines(
        [
            charts.Curve("a", [0, 1], [1, 2], raw=([0, 1], [1, 3])),
            charts.Curve("b", [0, 1], [1, 2], raw=([0, 1], [1, 3])),
        ]
    )
    assert [trace["meta"]["color"] for trace in figure["data"]] == [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("columns", "kind"),
    [
        ({"x": [1, 2], "y": [3.0, 4.0]}, "scatter"),
        ({"fold": ["a", "b"], "score": [1, 2]}, "bar"),
        ({"fold": ["a", "b"], "train": [1, 2], "test": [1, None]}, "bar"),
        ({"a": [1, 2], "b": [1, 2], "c": [1, 2]}, "scatter"),
        ({"a": [1, 2, 3]}, "scatter"),
    ],
)
def test_the_chart_of_a_table_fits_its_columns(columns, kind):
    figure = charts.table_chart(columns)
    assert {trace["type"] for trace in figure["data"]} == {kind} and charts.checked(figure)


def test_a_table_without_numbers_has_no_chart():
    assert charts.table_chart({"a": ["x", "y"]}) is None


def test_parallel_coordinates_place_each_value_between_its_columns_ends():
    figure = charts.parallel_coordinates(
        ["r1", "r2", "r3"], {"rate": [0.1, 0.2, 0.3], "model": ["a", "b", None]}, color_by=[1, 2, 3]
    )
    assert [trace["y"][0] for trace in figure["data"]] == pytest.approx([0, 0.5, 1])
    assert figure["data"][2]["y"][1] is None and charts.checked(figure)
