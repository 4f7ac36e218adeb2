"""Each number of the Explanations tab is interpret's, shap's or scikit-learn's own for the same data, to 1e-9."""

from __future__ import annotations

import csv
import html
import io
import re

import numpy as np
import orjson
import pytest
from sklearn import metrics
from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor

from atelier.explanations import Explanations
from atelier.explanations.explainers import PFIExplainer, TabularExplainer
from tests.insights.test_tabs import exact, table

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.django_db]
FEATURES = ["Pregnancies", "PlasmaGlucose", "DiastolicBloodPressure", "TricepsThickness", "SerumInsulin", "BMI",
            "DiabetesPedigree", "Age"]  # fmt: skip
SHOWN = 600
OLD = {"name": "old", "on": ["f:Age", "f:BMI"], "op": ["gt", "le"], "value": ["40", "45"]}


def near(value):
    return pytest.approx(value, abs=1e-9, rel=1e-9)


def text(cell):
    return html.unescape(" ".join(cell[0]))


@pytest.fixture(scope="module")
def patients(diabetes):
    return diabetes[FEATURES].to_numpy(), diabetes["Diabetic"].to_numpy()


@pytest.fixture(scope="module")
def shapley(patients):
    """A boosted classifier with its SHAP values as shap itself computes them, and our explanation of it."""
    import shap

    x, y = patients
    model = GradientBoostingClassifier(n_estimators=20, random_state=0).fit(x, y)
    theirs = shap.TreeExplainer(model)(x[:SHOWN])
    return model, theirs, TabularExplainer(model, x[:100], features=FEATURES, classes=["no", "yes"])


@pytest.fixture
def mine(run, contributor, sdk_of):
    return Explanations(sdk_of(contributor), run.id)


@pytest.fixture
def base(run):
    return f"/w/lab/runs/{run.id}/explanations/"


def page(browser, address):
    answer = browser.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def downloaded(browser, address):
    answer = browser.get(address)
    assert answer.status_code == 200, answer.content
    return list(csv.reader(io.StringIO(answer.content.decode())))


@pytest.fixture
def whole(mine, shapley, patients):
    _, _, explainer = shapley
    x, y = patients
    return mine.upload(explainer.explain_global(x[:SHOWN]), true_ys=y[:SHOWN])


def test_aggregate_importance_is_shaps_over_all_rows_by_class_and_by_cohort(browser, base, whole, shapley, patients):
    _, theirs, _ = shapley
    absolute = np.abs(theirs.values)
    browser.post(f"{base}cohort?e={whole}", OLD)
    old = (patients[0][:SHOWN, 7] > 40) & (patients[0][:SHOWN, 5] <= 45)
    assert 30 < old.sum() < SHOWN - 30
    address = f"{base}?e={whole}&top=8"
    shown_page = page(browser, address + "&cohort=" + cohort_of(browser, address))
    shown = {text(r[0]): [exact(c) for c in r[1:]] for r in table(shown_page, "Importance by feature")}
    for i, name in enumerate(FEATURES):
        assert shown[name] == near([absolute.mean(0)[i], absolute[old].mean(0)[i]]), name
    heading, *rows = downloaded(browser, f"{base}csv?e={whole}&class=yes&table=importance")
    assert heading == ["feature", "All rows"]
    assert {r[0]: float(r[1]) for r in rows} == near(dict(zip(FEATURES, absolute.mean(0), strict=True)))
    drawn = orjson.loads(browser.get(f"{base}figure?e={whole}&kind=importance&top=8&class=yes").content)["data"][0]
    assert dict(zip(drawn["text"], drawn["x"], strict=True)) == near(dict(zip(FEATURES, absolute.mean(0), strict=True)))


def cohort_of(browser, address):
    return re.search(r'name="cohort" value="(\d+)"', page(browser, address))[1]


def test_boxes_are_numpys_quantiles_of_shaps_values_for_each_cohort(browser, base, whole, shapley, patients):
    _, theirs, _ = shapley
    browser.post(f"{base}cohort?e={whole}", OLD)
    old = (patients[0][:SHOWN, 7] > 40) & (patients[0][:SHOWN, 5] <= 45)
    address = f"{base}?e={whole}&chart=box&top=8"
    shown_page = page(browser, address + "&cohort=" + cohort_of(browser, address))
    shown = {(text(r[0]), text(r[1])): [exact(c) for c in r[2:]] for r in table(shown_page, "Importance by feature")}
    assert len(shown) == 16
    for i, name in enumerate(FEATURES):
        for cohort, values in (("All rows", theirs.values[:, i]), ("old", theirs.values[old, i])):
            five = np.percentile(values, (0, 25, 50, 75, 100)).tolist()
            assert shown[name, cohort] == near([*five, values.mean()]), (name, cohort)
    for chart, kind, count in (("box", "box", 2), ("swarm", "scatter", 16)):
        query = f"e={whole}&kind=importance&chart={chart}&top=8&cohort=" + cohort_of(browser, address)
        drawn = orjson.loads(browser.get(f"{base}figure?{query}").content)
        assert [t["type"] for t in drawn["data"]] == [kind] * count and drawn["layout"]["showlegend"]


def test_a_waterfall_is_shaps_row_and_ends_at_the_models_output(browser, base, whole, shapley, patients):
    model, theirs, _ = shapley
    _, *rows = downloaded(browser, f"{base}csv?e={whole}&p=7&p=311&table=rows")
    by_row = {(int(row), name): float(adds) for row, name, _, adds in rows}
    shown_page = page(browser, f"{base}?e={whole}&p=7&p=311")
    for row in (7, 311):
        for i, name in enumerate(FEATURES):
            assert by_row[row, name] == near(theirs.values[row, i])
        assert by_row[row, "Expected value"] == near(float(np.ravel(theirs.base_values)[row]))
        assert by_row[row, "Output"] == near(model.decision_function(patients[0][row : row + 1])[0])
        drawn = orjson.loads(browser.get(f"{base}figure?e={whole}&kind=waterfall&row={row}").content)["data"][0]["x"]
        assert drawn[0] == near(by_row[row, "Expected value"]) and drawn[-1] == near(by_row[row, "Output"])
        assert sorted(drawn[1:-1]) == near(sorted(theirs.values[row].tolist()))
        assert f'title="{by_row[row, "Output"]!r}"' in shown_page


def test_performance_of_each_cohort_is_scikit_learns(browser, base, whole, shapley, patients):
    model = shapley[0]
    x, y = patients[0][:SHOWN], patients[1][:SHOWN]
    predicted = model.predict(x)
    browser.post(f"{base}cohort?e={whole}", OLD)
    old = (x[:, 7] > 40) & (x[:, 5] <= 45)
    address = f"{base}?e={whole}"
    rows = table(page(browser, address + "&cohort=" + cohort_of(browser, address)), "Model performance by cohort")
    for row, inside in zip(rows, (np.ones(SHOWN, dtype=bool), old), strict=True):
        t, p = y[inside], predicted[inside]
        tn, fp, fn, tp = metrics.confusion_matrix(t, p).ravel()
        assert int(row[1][0][0]) == inside.sum()
        assert [exact(c) for c in row[2:]] == near(
            [
                metrics.accuracy_score(t, p),
                metrics.precision_score(t, p),
                metrics.recall_score(t, p),
                fp / (fp + tn),
                fn / (fn + tp),
                (tp + fp) / len(t),
            ]
        )


def test_performance_of_a_regression_is_scikit_learns(browser, base, mine, patients):
    x, y = patients[0][:SHOWN, :7], patients[0][:SHOWN, 7]
    model = GradientBoostingRegressor(n_estimators=10, random_state=0).fit(x, y)
    identity = mine.upload(TabularExplainer(model, x, features=FEATURES[:7]).explain_global(x), true_ys=y)
    heading, row = downloaded(browser, f"{base}csv?e={identity}&table=performance")
    predicted = model.predict(x)
    assert dict(zip(heading[1:], map(float, row[1:]), strict=True)) == near(
        {
            "rows": SHOWN,
            "Mean absolute error": metrics.mean_absolute_error(y, predicted),
            "Root mean squared error": metrics.root_mean_squared_error(y, predicted),
            "R²": metrics.r2_score(y, predicted),
            "Average prediction": predicted.mean(),
        }
    )


@pytest.fixture(scope="module")
def glass_box(patients):
    from interpret.glassbox import ExplainableBoostingClassifier

    x, y = patients
    return ExplainableBoostingClassifier(
        feature_names=FEATURES, interactions=2, outer_bags=2, max_rounds=60, random_state=0
    ).fit(x[:2000], y[:2000])


def test_a_glass_box_is_interprets_own_in_importance_shapes_and_rows(browser, base, mine, glass_box, patients):
    x, y = patients
    identity = mine.upload(glass_box.explain_global())
    shown_page = page(browser, f"{base}?e={identity}&top=10")
    shown = {text(r[0]): exact(r[1]) for r in table(shown_page, "Importance by feature")}
    assert shown == near(dict(zip(glass_box.term_names_, glass_box.term_importances(), strict=True)))
    for i, scores in enumerate(glass_box.term_scores_):
        data = orjson.loads(browser.get(f"{base}figure?e={identity}&kind=term&term={i}").content)["data"][-1]
        theirs = glass_box.explain_global().data(i)["scores"]
        assert scores.ndim == np.ndim(theirs)
        drawn = np.array(data["y"])[:-1] if scores.ndim == 1 else np.array(data["z"]).T
        assert drawn == near(np.asarray(theirs))

    local = mine.upload(glass_box.explain_local(x[:SHOWN], y[:SHOWN]))
    theirs = glass_box.explain_local(x[:SHOWN], y[:SHOWN])
    _, *rows = downloaded(browser, f"{base}csv?e={local}&p=5&table=rows")
    adds = {name: float(value) for _, name, _, value in rows}
    assert adds.pop("Expected value") == near(float(glass_box.intercept_[0]))
    assert adds.pop("Output") == near(float(glass_box.decision_function(x[5:6])[0]))
    assert adds == near(dict(zip(theirs.data(5)["names"], theirs.data(5)["scores"], strict=True)))
    _, row = downloaded(browser, f"{base}csv?e={local}&table=performance")
    assert float(row[2]) == near(metrics.accuracy_score(y[:SHOWN], glass_box.predict(x[:SHOWN])))


def test_every_class_of_a_glass_box_has_its_own_rows_and_shapes(browser, base, mine, patients):
    from interpret.glassbox import ExplainableBoostingClassifier, LogisticRegression

    x, _ = patients
    three = np.array(["low", "middle", "high"])[np.digitize(x[:, 5], (25, 35))]
    kept = {"feature_names": FEATURES}
    ebm = ExplainableBoostingClassifier(**kept, interactions=0, outer_bags=1, max_rounds=20).fit(x[:900], three[:900])
    linear = LogisticRegression(**kept, max_iter=200).fit(x[:900], three[:900])
    for model, order in ((ebm, lambda s: np.array(s)), (linear, lambda s: np.array(s, dtype=float).T)):
        theirs = model.explain_local(x[:50], three[:50])
        identity = mine.upload(theirs)
        scores = order(theirs.data(3)["scores"])  # features x classes
        classes = ["high", "low", "middle"] if model is ebm else ["Class 0", "Class 1", "Class 2"]
        for place, name in enumerate(classes):
            _, *rows = downloaded(browser, f"{base}csv?e={identity}&class={name}&p=3&table=rows")
            adds = {feature: float(value) for _, feature, _, value in rows}
            for i, feature in enumerate(FEATURES):
                assert adds[feature] == near(scores[i][place]), (type(model), name, feature)
    identity = mine.upload(ebm.explain_global())
    drawn = orjson.loads(browser.get(f"{base}figure?e={identity}&kind=term&term=5").content)["data"][-1]["y"]
    assert np.array(drawn)[:-1] == near(ebm.explain_global().data(5)["scores"][:, -1])


def test_a_partial_dependence_is_drawn_as_interpret_gives_it(browser, base, mine, shapley, patients):
    from interpret.blackbox import PartialDependence

    theirs = PartialDependence(shapley[0], patients[0][:200], feature_names=FEATURES).explain_global()
    identity = mine.upload(theirs)
    assert page(browser, f"{base}?e={identity}").count("Shapes of the glass box") == 1
    drawn = orjson.loads(browser.get(f"{base}figure?e={identity}&kind=term&term=1").content)["data"][-1]
    assert drawn["x"] == near(theirs.data(1)["names"].tolist()) and drawn["y"] == near(
        theirs.data(1)["scores"].tolist()
    )


def test_permutation_importance_is_scikit_learns_up_to_its_shuffles(browser, base, mine, shapley, patients):
    from sklearn.inspection import permutation_importance

    model, x, y = shapley[0], *patients
    mean = permutation_importance(model, x[:SHOWN], y[:SHOWN], n_repeats=10, random_state=0).importances_mean
    ours = PFIExplainer(model, features=FEATURES, n_repeats=10).explain_global(x[:SHOWN], y[:SHOWN])
    assert ours.global_importance_values == pytest.approx(mean, abs=0.02)
    identity = mine.upload(ours)
    shown = {text(r[0]): exact(r[1]) for r in table(page(browser, f"{base}?e={identity}"), "Importance by feature")}
    assert shown == near(ours.get_feature_importance_dict())


def test_points_and_counts_of_the_explorer_are_the_data(browser, base, whole, shapley, patients):
    _, theirs, _ = shapley
    x, y = patients[0][:SHOWN], patients[1][:SHOWN]
    query = f"{base}figure?e={whole}&kind=explorer"
    (points,) = orjson.loads(browser.get(f"{query}&x=f1&y=i1&colour=f5").content)["data"]
    assert points["text"] == list(range(SHOWN))
    assert points["x"] == near(x[:, 1].tolist()) and points["y"] == near(theirs.values[:, 1].tolist())
    assert points["marker"]["color"] == near(x[:, 5].tolist())
    bars = orjson.loads(browser.get(f"{query}&plot=histogram&x=f7&colour=truth").content)["data"]
    assert [sum(trace["y"]) for trace in bars] == [int((y == 0).sum()), int((y == 1).sum())]


def test_the_comparison_is_scipys_correlation_with_all_its_digits(browser, base, mine, whole, shapley, patients):
    from scipy.stats import kendalltau, spearmanr

    x = patients[0]
    other = mine.upload(shapley[2].explain_global(x[SHOWN : SHOWN + 200]), comment="others")
    shown_page = page(browser, f"{base}?e={whole}&with={other}")
    a = np.array(mine.download(whole).global_importance_values)
    b = np.array(mine.download(other).global_importance_values)
    for value in (spearmanr(a, b)[0], kendalltau(a, b)[0]):
        shown = [float(v) for v in re.findall(r'<dd title="([^"]+)">', shown_page)]
        assert any(v == near(value) for v in shown), (value, shown)
    _, *rows = downloaded(browser, f"{base}csv?e={whole}&with={other}&table=comparison")
    shares = {row[0]: (float(row[3]), float(row[4])) for row in rows}
    assert shares == {n: near((a[i] / a.sum(), b[i] / b.sum())) for i, n in enumerate(FEATURES)}
