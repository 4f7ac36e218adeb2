"""Every number of the Fairness tab, read from the page and its CSV, is fairlearn's for the same rows to 1e-9."""

import csv
import io
from itertools import pairwise

import fairlearn.metrics as fm
import numpy as np
import orjson
import pandas
import pytest
from fairlearn.metrics import MetricFrame

from runs.insights.fairness import disparity, store
from runs.insights.fairness.builder import build
from runs.insights.fairness.measures import BINARY, MEASURES, PROBABILITY, REGRESSION
from tests.insights.test_fairness_measures import DERIVED, FAIRLEARN, ORACLE
from tests.insights.test_tabs import base, exact, predictions, table  # noqa: F401 - fixtures

pytestmark = [pytest.mark.once, pytest.mark.filterwarnings("ignore"), pytest.mark.django_db]
REFERENCE = {**FAIRLEARN, **DERIVED}
CLOSE = {"rel": 1e-9, "abs": 1e-9}


@pytest.fixture
def boards(run, predictions):  # noqa: F811
    """{prediction type: (dashboard, truth, {model: predictions}, sensitive features)} on 10,000 patients."""
    y, score, sensitive = predictions
    models = {
        BINARY: (y, {"strict:1": (score > 0.6).astype(int), "loose:1": (score > 0.4).astype(int)}),
        PROBABILITY: (y, {"soft:1": score, "softer:1": (score + 0.2) / 1.4}),
        REGRESSION: (score * 50, {"line:1": score * 45 + 2 * y}),
    }
    return {
        kind: (store.save(run, build(kind, truth, of, sensitive), kind, validate_model_ids=False), truth, of, sensitive)
        for kind, (truth, of) in models.items()
    }


def numbers(browser, base, **query):  # noqa: F811
    """{(what, key, group): (value, low, high)} of the CSV."""
    answer = browser.get(f"{base}fairness/numbers", query)
    assert answer.status_code == 200 and answer["Content-Type"].startswith("text/csv")
    rows = csv.DictReader(io.StringIO(answer.content.decode()))
    return {
        (r["what"], r["key"], r["group"]): tuple(float(r[k]) if r[k] else None for k in ("value", "low", "high"))
        for r in rows
    }


@pytest.mark.parametrize("crossed", [False, True], ids=["one feature", "crossed"])
@pytest.mark.parametrize("kind", [BINARY, PROBABILITY, REGRESSION])
def test_every_measure_by_group_is_the_reference(browser, base, boards, kind, crossed):  # noqa: F811
    row, y, models, sensitive = boards[kind]
    model = sorted(models)[0]
    query = {"d": row.pk, "model": model, "feature": "Age"} | ({"cross": "Weight"} if crossed else {})
    found = numbers(browser, base, **query)
    of = pandas.DataFrame(sensitive)[["Age", "Weight"] if crossed else ["Age"]]
    frame = MetricFrame(metrics=ORACLE[kind], y_true=y, y_pred=models[model], sensitive_features=of)
    assert len(frame.by_group) == (4 if crossed else 2)
    for key in (m.key for m in MEASURES[kind]):
        value, low, high = found["measure", key, "All rows"]
        assert value == pytest.approx(frame.overall[key], **CLOSE) and low <= value <= high, key
        for group, reference in frame.by_group[key].items():
            label = " · ".join(group) if crossed else group
            value, low, high = found["measure", key, label]
            assert value == pytest.approx(reference, **CLOSE) and low <= value <= high, (key, label)


@pytest.mark.parametrize("method", disparity.METHODS)
@pytest.mark.parametrize("kind", [BINARY, PROBABILITY, REGRESSION])
def test_every_disparity_of_the_page_is_fairlearns_function(browser, base, boards, kind, method):  # noqa: F811
    row, y, models, sensitive = boards[kind]
    for model in models:
        html = browser.get(
            f"{base}fairness/", {"d": row.pk, "model": model, "feature": "Weight", "method": method}
        ).content.decode()
        shown = {" ".join(r[0][0]): exact(r[1]) for r in table(html, "All fairness metrics")}
        found = numbers(browser, base, d=row.pk, model=model, feature="Weight", method=method)
        for metric in disparity.DISPARITIES[kind]:
            extra = {"method": method} if metric.aggregate in ("difference", "ratio") else {}
            if metric.key in DERIVED and extra:
                frame = MetricFrame(
                    metrics=ORACLE[kind][metric.measures[0]],
                    y_true=y,
                    y_pred=models[model],
                    sensitive_features=sensitive["Weight"],
                )
                reference = getattr(frame, metric.aggregate)(method=method)
            else:
                reference = REFERENCE[metric.key](y, models[model], sensitive_features=sensitive["Weight"], **extra)
            assert shown[metric.label] == pytest.approx(reference, **CLOSE), metric.key
            value, low, high = found["disparity", metric.key, ""]
            assert value == shown[metric.label] and low <= high, metric.key


@pytest.mark.parametrize("kind", [BINARY, PROBABILITY, REGRESSION])
def test_each_measure_can_be_chosen_and_stands_in_table_chart_and_models(browser, base, boards, kind):  # noqa: F811
    row, y, models, sensitive = boards[kind]
    model = sorted(models)[-1]
    for one in MEASURES[kind]:
        query = {"d": row.pk, "model": model, "feature": "Age", "measure": one.key}
        html = browser.get(f"{base}fairness/", query).content.decode()
        frame = MetricFrame(
            metrics=ORACLE[kind][one.key], y_true=y, y_pred=models[model], sensitive_features=sensitive["Age"]
        )
        shown = {" ".join(r[0][0]): exact(r[2]) for r in table(html, "Measures by group")}
        assert shown["All rows"] == pytest.approx(frame.overall, **CLOSE), one.key
        for group, reference in frame.by_group.items():
            assert shown[group] == pytest.approx(reference, **CLOSE), one.key
        drawn = orjson.loads(browser.get(f"{base}fairness/figure", {**query, "kind": "performance"}).content)
        bars = dict(zip(drawn["data"][0]["y"], drawn["data"][0]["x"], strict=True))
        assert bars == pytest.approx(frame.by_group.to_dict(), **CLOSE), one.key
        assert drawn["layout"]["shapes"][0]["x0"] == pytest.approx(frame.overall, **CLOSE)
        if len(models) > 1:
            rows = {r[0][0][0]: exact(r[1]) for r in table(html, "Table of models")}
            for name, predicted in models.items():
                assert rows[name] == pytest.approx(ORACLE[kind][one.key](y, predicted), **CLOSE), one.key


def test_over_and_underprediction_and_selection_of_the_charts_are_fairlearns(browser, base, boards):  # noqa: F811
    row, y, models, sensitive = boards[BINARY]
    query = {"d": row.pk, "model": "strict:1", "feature": "Age"}
    of = {"y_true": y, "y_pred": models["strict:1"], "sensitive_features": sensitive["Age"]}
    missed, alarms = orjson.loads(browser.get(f"{base}fairness/figure", {**query, "kind": "errors"}).content)["data"]
    miss, fallout = (MetricFrame(metrics=m, **of) for m in (fm.false_negative_rate, fm.false_positive_rate))
    assert dict(zip(missed["y"], np.negative(missed["x"]), strict=True)) == pytest.approx(miss.by_group.to_dict())
    assert dict(zip(alarms["y"], alarms["x"], strict=True)) == pytest.approx(fallout.by_group.to_dict())
    (bars,) = orjson.loads(browser.get(f"{base}fairness/figure", {**query, "kind": "predictions"}).content)["data"]
    selected = MetricFrame(metrics=fm.selection_rate, **of)
    assert dict(zip(bars["y"], bars["x"], strict=True)) == pytest.approx(selected.by_group.to_dict())


def test_distributions_are_numpys_quantiles_in_chart_and_table(browser, base, boards):  # noqa: F811
    row, y, models, sensitive = boards[REGRESSION]
    query = {"d": row.pk, "feature": "Age"}
    html = browser.get(f"{base}fairness/", query).content.decode()
    for label, kind, values in (
        ("Predictions by group", "predictions", models["line:1"]),
        ("Errors (prediction − truth) by group", "errors", models["line:1"] - y),
    ):
        shown = {" ".join(r[0][0]): [exact(c) for c in r[1:]] for r in table(html, label)}
        (box,) = orjson.loads(browser.get(f"{base}fairness/figure", {**query, "kind": kind}).content)["data"]
        for place, group in enumerate(box["y"]):
            reference = np.percentile(values[sensitive["Age"] == group], (0, 25, 50, 75, 100))
            assert shown[group] == pytest.approx(reference.tolist(), **CLOSE)
            drawn = [box[k][place] for k in ("lowerfence", "q1", "median", "q3", "upperfence")]
            assert drawn == pytest.approx(reference.tolist(), **CLOSE)


@pytest.mark.parametrize("threshold", [0.0, 0.25, 0.613579, 1.0])
def test_thresholds_give_fairlearns_numbers_of_the_classes_they_make(browser, base, boards, threshold):  # noqa: F811
    row, y, models, sensitive = boards[PROBABILITY]
    found = numbers(browser, base, d=row.pk, model="soft:1", feature="Age", threshold=repr(threshold))
    hard = (models["soft:1"] >= threshold).astype(int)
    for metric in disparity.DISPARITIES[BINARY]:
        reference = REFERENCE[metric.key](y, hard, sensitive_features=sensitive["Age"])
        value = found["disparity", metric.key, ""][0]
        assert (value is None and np.isnan(reference)) or value == pytest.approx(reference, **CLOSE), metric.key
    html = browser.get(f"{base}fairness/?d={row.pk}&threshold={threshold!r}").content.decode()
    assert f"threshold={threshold!r}" in html  # the charts are of the very same threshold


@pytest.mark.parametrize("measure", ["accuracy_score", "miss_rate"])
@pytest.mark.parametrize("metric", ["demographic_parity_difference", "recall_score_group_min", "equalized_odds_ratio"])
def test_the_pareto_line_joins_exactly_the_models_that_no_other_beats(browser, base, run, measure, metric):  # noqa: F811
    rng = np.random.default_rng(3)
    y, sex = rng.integers(0, 2, 200), rng.integers(0, 2, 200)
    models = {f"m:{i}": np.where(rng.random(200) < 0.02 + rng.random() / 2, 1 - y, y) for i in range(25)}
    row = store.save(run, build(BINARY, y, models, {"sex": sex}), "Many", validate_model_ids=False)
    query = {"d": row.pk, "measure": measure, "disparity": metric}
    rows = table(browser.get(f"{base}fairness/", query).content.decode(), "Table of models")
    points = {r[0][0][0]: (exact(r[1]), exact(r[2])) for r in rows}
    good = 1 if measure == "accuracy_score" else -1, -1 if metric.endswith("difference") else 1
    worth = {name: (good[0] * x, good[1] * y_) for name, (x, y_) in points.items()}
    beaten = {
        a for a in worth if any(b != a and all(q >= p for p, q in zip(worth[a], worth[b], strict=True)) and worth[b] != worth[a] for b in worth)
    }  # fmt: skip
    marked = {r[0][0][0] for r in rows if "Pareto" in r[0][0]}
    distinct = {points[name] for name in points if name not in beaten}
    assert {points[name] for name in marked} == distinct and not marked & beaten
    line, _ = orjson.loads(browser.get(f"{base}fairness/figure", {**query, "kind": "models"}).content)["data"]
    assert set(zip(line["x"], line["y"], strict=True)) == distinct
    assert all(a <= b for a, b in pairwise(line["x"]))


def test_the_headline_names_what_makes_the_disparity(browser, base, run):  # noqa: F811
    y = np.array([1] * 40 + [0] * 40)
    sex = np.array((["f"] * 20 + ["m"] * 20) * 2)
    predicted = np.array([1] * 40 + [1] * 15 + [0] * 25)  # alike in recall; false alarms for f alone
    row = store.save(run, build(BINARY, y, {"m:1": predicted}, {"sex": sex}), "Odds", validate_model_ids=False)
    query = {"d": row.pk, "disparity": "equalized_odds_difference"}
    html = " ".join(browser.get(f"{base}fairness/", query).content.decode().split())
    assert "Furthest apart in fall-out</dt>" in html and "m 0.0% · f 75.0%" in html
    query |= {"method": "to_overall", "disparity": "demographic_parity_difference"}
    html = " ".join(browser.get(f"{base}fairness/", query).content.decode().split())
    assert "Furthest apart in selection rate</dt>" in html and "All rows 68.8%" in html


def test_a_group_without_rows_counts_nowhere(browser, base, run):  # noqa: F811
    y = np.array([0, 1] * 40)
    dictionary = build(BINARY, y, {"m:1": np.ones(80)}, {"sex": np.repeat(["f", "m"], 40)})
    feature = dictionary["precomputedFeatureBins"][0]
    feature["binLabels"].append("nobody")
    for entry in dictionary["precomputedMetrics"][0][0].values():
        entry["bins"].append(0)
    row = store.save(run, dictionary, "Empty", validate_model_ids=False)
    found = numbers(browser, base, d=row.pk)
    assert found["disparity", "demographic_parity_difference", ""] == (0.0, 0.0, 0.0)
    assert found["measure", "selection_rate", "nobody"] == (None, None, None)
    assert row.models.get().summary["disparity"]["sex"]["demographic_parity_difference"] == 0.0
    listed = browser.get("/w/lab/experiments/trials/").content.decode()
    assert ">0.0%</a>" in listed


def test_names_are_no_markup_in_charts_and_no_formulas_in_the_csv(browser, base, run):  # noqa: F811
    y = np.array([0, 1] * 40)
    group = "=HYPERLINK(\"https://evil.example\") <a href='x'>b</a>"
    row = store.save(
        run, build(BINARY, y, {"<b>m</b>:1": y, "n:1": y}, {"sex": [group] * 40 + ["m"] * 40}), "Odd", validate_model_ids=False
    )  # fmt: skip
    for kind in ("performance", "errors", "predictions", "models"):
        drawn = browser.get(f"{base}fairness/figure?kind={kind}&d={row.pk}").content.decode()
        assert "<a href" not in drawn and "<b>" not in drawn.replace("<br>", "")
    text = browser.get(f"{base}fairness/numbers?d={row.pk}").content.decode()
    assert "\"'=HYPERLINK" in text and ',"=HYPERLINK' not in text
