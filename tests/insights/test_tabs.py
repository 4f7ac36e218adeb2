"""The two tabs as a browser without JavaScript sees them; their numbers are the libraries' own."""

import re
import time

import fairlearn.metrics as fm
import numpy as np
import orjson
import pandas
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from fairlearn.metrics import MetricFrame

from atelier.explanations import Explanations
from atelier.explanations.result import Explanation
from runs import charts
from runs.insights.fairness import store
from runs.insights.fairness.builder import build
from runs.models import Cohort

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.django_db]


def table(html, label):
    """The rows of the region with that label: text of each cell, and the exact value where the page gives it."""
    region = re.search(rf'aria-label="{re.escape(label)}".*?</table>', html, re.S)[0]
    body = region.split("<tbody>")[1]
    rows = []
    for row in re.findall(r"<tr.*?</tr>", body, re.S):
        cells = re.findall(r"<(?:td|th)([^>]*)>(.*?)</(?:td|th)>", row, re.S)
        rows.append(
            [
                (re.sub(r"<[^>]+>", " ", text).split(), re.search(r'title="([^"]*)"', attributes))
                for attributes, text in cells
            ]
        )
    return rows


def exact(cell):
    return float(cell[1][1])


@pytest.fixture
def base(run):
    return f"/w/lab/runs/{run.id}/"


@pytest.fixture
def predictions(diabetes):
    rng = np.random.default_rng(0)
    y = diabetes["Diabetic"].to_numpy()
    age = np.where(diabetes["Age"] > 50, "Over 50", "50 or younger")
    bmi = np.where(diabetes["BMI"] > 35, "above 35", "35 or below")
    score = np.clip(0.5 * y + 0.2 * (diabetes["Age"] > 50) + rng.normal(0.2, 0.2, len(y)), 0, 1)
    return y, score, {"Age": age, "Weight": bmi}


@pytest.fixture
def binary(run, predictions):
    y, score, sensitive = predictions
    models = {"strict:1": (score > 0.6).astype(int), "loose:1": (score > 0.4).astype(int)}
    return store.save(
        run, build("binaryClassification", y, models, sensitive), "Hard", validate_model_ids=False
    ), models


def test_the_fairness_tab_shows_fairlearns_numbers(browser, base, binary, predictions):
    y, _, sensitive = predictions
    row, models = binary
    html = browser.get(f"{base}fairness/?d={row.pk}&model=strict:1&feature=Age&measure=recall_score").content.decode()
    metrics = {
        "recall": fm.true_positive_rate,
        "selection": fm.selection_rate,
        "fpr": fm.false_positive_rate,
        "fnr": fm.false_negative_rate,
    }
    frame = MetricFrame(metrics=metrics, y_true=y, y_pred=models["strict:1"], sensitive_features=sensitive["Age"])
    rows = table(html, "Measures by group")
    shown = {" ".join(r[0][0]): [exact(c) for c in r[2:]] for r in rows}
    assert shown["All rows"] == pytest.approx(frame.overall.tolist(), abs=1e-9)
    for group in ("Over 50", "50 or younger"):
        assert shown[group] == pytest.approx(frame.by_group.loc[group].tolist(), abs=1e-9)
    disparities = {" ".join(r[0][0]): exact(r[1]) for r in table(html, "All fairness metrics")}
    kwargs = {"y_true": y, "y_pred": models["strict:1"], "sensitive_features": sensitive["Age"]}
    assert disparities["Demographic parity difference"] == pytest.approx(
        fm.demographic_parity_difference(**kwargs), abs=1e-9
    )
    assert disparities["Equalized odds ratio"] == pytest.approx(fm.equalized_odds_ratio(**kwargs), abs=1e-9)
    assert disparities["True negative rate difference"] == pytest.approx(
        fm.true_negative_rate_difference(**kwargs), abs=1e-9
    )


def test_features_can_be_crossed_and_a_second_dashboard_stands_beside(browser, base, run, binary, predictions):
    y, score, sensitive = predictions
    row, models = binary
    other = store.save(run, build("probability", y, {"soft:1": score}, sensitive), "Soft", validate_model_ids=False)
    html = browser.get(f"{base}fairness/?d={row.pk}&feature=Age&cross=Weight&beside={other.pk}").content.decode()
    frame = MetricFrame(
        metrics=fm.selection_rate,
        y_true=y,
        y_pred=models["strict:1"],
        sensitive_features=pandas.DataFrame(sensitive),
    )
    rows = table(html, "Measures by group")
    assert len(rows) == 5 and "Over 50 · above 35" in html
    assert html.count('aria-label="Measures by group"') == 2 and ">Soft</h2>" in html
    assert len(frame.by_group) == 4


def test_a_threshold_makes_classes_of_probabilities(browser, base, run, predictions):
    y, score, sensitive = predictions
    row = store.save(run, build("probability", y, {"soft:1": score}, sensitive), "Soft", validate_model_ids=False)
    html = browser.get(f"{base}fairness/?d={row.pk}&threshold=0.6&disparity=equalized_odds_difference").content.decode()
    reference = fm.equalized_odds_difference(y, (score >= 0.6).astype(int), sensitive_features=sensitive["Age"])
    disparities = {" ".join(r[0][0]): exact(r[1]) for r in table(html, "All fairness metrics")}
    assert disparities["Equalized odds difference"] == pytest.approx(reference, abs=1e-9)
    assert "from 0 to 1" in browser.get(f"{base}fairness/?d={row.pk}&threshold=7").content.decode()


def test_small_groups_and_doctored_numbers_are_marked_and_names_are_escaped(browser, base, run):
    y = np.array([0, 1] * 40)
    dictionary = build(
        "binaryClassification", y, {"<b>m</b>:1": 1 - y}, {"<script>alert(1)</script>": [0] * 75 + [1] * 5}
    )
    dictionary["precomputedMetrics"][0][0]["accuracy_score"]["global"] = 0.99
    store.save(run, dictionary, "<i>bad</i>", validate_model_ids=False)
    html = browser.get(f"{base}fairness/").content.decode()
    assert "Fewer than 30 rows in 1" in html and "&lt;/script&gt; of &lt;b&gt;m&lt;/b&gt;:1" in html
    assert "<script>alert" not in html and "<i>bad" not in html and "<b>m" not in html


def test_every_fairness_chart_is_one_that_plotly_draws(browser, base, run, binary, predictions):
    y, score, sensitive = predictions
    rows = [
        binary[0],
        store.save(run, build("probability", y, {"p:1": score}, sensitive), "P", validate_model_ids=False),
    ]
    rows.append(
        store.save(run, build("regression", score * 50, {"r:1": score * 49}, sensitive), "R", validate_model_ids=False)
    )
    for row in rows:
        for kind in ("models", "performance", "errors", "predictions"):
            answer = browser.get(f"{base}fairness/figure?kind={kind}&d={row.pk}")
            assert answer.status_code == 200, answer.content
            assert charts.checked(orjson.loads(answer.content))["data"]


def test_the_line_of_models_runs_from_left_to_right_over_those_not_beaten(browser, base, run):
    y = np.array([0, 1] * 20)
    sex = np.repeat(["f", "m"], 20)
    wrong = lambda rows: np.where(np.isin(np.arange(40), rows), 1 - y, y)  # noqa: E731
    models = {"c:1": wrong([1, 3]), "a:1": y, "b:1": wrong([1, 3, 21, 23, 5]), "d:1": wrong([1, 3, 5, 21, 23, 25])}
    row = store.save(run, build("binaryClassification", y, models, {"sex": sex}), "Many", validate_model_ids=False)
    query = f"kind=models&d={row.pk}&disparity=demographic_parity_difference"
    line, points = orjson.loads(browser.get(f"{base}fairness/figure?{query}").content)["data"]
    assert line["x"] == [1.0] and line["y"] == [0.0] and len(points["x"]) == 4
    query = f"kind=models&d={row.pk}&measure=miss_rate&disparity=accuracy_score_group_min"
    line, _ = orjson.loads(browser.get(f"{base}fairness/figure?{query}").content)["data"]
    assert line["x"] == sorted(line["x"])


def test_a_dictionary_is_uploaded_by_form_and_a_bad_one_is_told(browser, base, run, binary):
    content = store.content(binary[0])
    file = SimpleUploadedFile("dash.json", content, "application/json")
    html = browser.post(f"{base}fairness/upload", {"file": file, "name": "By form"}, follow=True).content.decode()
    assert "Uploaded “By form”" in html and run.fairness_dashboards.count() == 2
    file = SimpleUploadedFile("dash.json", content, "application/json")
    html = browser.post(f"{base}fairness/upload", {"file": file, "validate": "on"}, follow=True).content.decode()
    assert "is no model registered" in html and run.fairness_dashboards.count() == 2
    file = SimpleUploadedFile("dash.json", b"[" * 100_000, "application/json")
    assert "The dashboard" in browser.post(f"{base}fairness/upload", {"file": file}, follow=True).content.decode()


def explained(n=400, features=6, seed=0):
    """An explanation of a known function, with everything a page can show."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, features))
    local = np.stack([-x * np.arange(features), x * np.arange(features)]) / 10
    y = (x[:, -1] > 0).astype(int)
    proba = 1 / (1 + np.exp(-x[:, -1]))
    mean = np.abs(local).mean(axis=1)
    return Explanation(
        {
            "features": [f"f{i}" for i in range(features)], "classes": ["no", "yes"], "local_importance_values": local,
            "global_importance_values": mean.mean(0), "per_class_values": mean, "expected_values": np.array([-0.25, 0.25]),
            "eval_data": x, "eval_y_predicted": (proba > 0.4).astype(int), "eval_y_predicted_proba": np.stack([1 - proba, proba], 1),
        },
        {"method": "shap_tree", "model_task": "classification"},
    ), y  # fmt: skip


@pytest.fixture
def uploaded(run, contributor, sdk_of):
    explanation, truth = explained()
    mine = Explanations(sdk_of(contributor), run.id)
    return mine.upload(explanation, comment="first", true_ys=truth), explanation, truth, mine


def test_the_explanations_tab_shows_importance_performance_and_a_waterfall_that_adds_up(browser, base, uploaded):
    identity, explanation, truth, _ = uploaded
    html = browser.get(f"{base}explanations/?e={identity}&p=7&top=4").content.decode()
    rows = {" ".join(r[0][0]): float(r[1][0][0]) for r in table(html, "Importance by feature")}
    expected = explanation.get_feature_importance_dict(4)
    assert list(rows) == list(expected) and list(rows.values()) == pytest.approx(list(expected.values()), rel=1e-4)
    (all_rows,) = table(html, "Model performance by cohort")
    accuracy = (np.array(explanation.eval_y_predicted) == truth).mean()
    assert all_rows[2][0] == [f"{accuracy:.1%}"]
    fall = orjson.loads(browser.get(f"{base}explanations/figure?kind=waterfall&e={identity}&p=7&row=7").content)
    steps = fall["data"][0]["x"]
    assert sum(steps[:-1]) == pytest.approx(steps[-1], abs=1e-9)
    assert steps[-1] == pytest.approx(0.25 + sum(explanation.local_importance_values[1][7]), abs=1e-9)
    assert "Row 7" in html and "predicted" in html


def test_rows_are_listed_by_how_wrong_the_model_was_and_classes_go_by_their_names(browser, base, uploaded):
    identity, explanation, truth, _ = uploaded
    html = browser.get(f"{base}explanations/?e={identity}").content.decode()
    rows = [[" ".join(cell[0]) for cell in row] for row in table(html, "Rows to pick")]
    said, proba = np.array(explanation.eval_y_predicted), np.array(explanation.eval_y_predicted_proba).max(axis=1)
    wrong = sorted(np.flatnonzero(said != truth), key=lambda i: (-proba[i], i))
    assert len(rows) == 50 and [int(r[1]) for r in rows] == wrong[:50]
    names = np.array(["no", "yes"])
    for row in rows:
        i = int(row[1])
        assert (row[2], row[4]) == (names[said[i]], names[truth[i]])
        assert row[5] == ("wrong" if i in wrong else "right")
    address = f"{base}explanations/figure?kind=explorer&e={identity}&x=f0&y=f1&colour=truth"
    drawn = orjson.loads(browser.get(address).content)
    assert [trace["name"] for trace in drawn["data"]] == ["Truth: no", "Truth: yes"]


def test_whole_numbers_lie_in_bins_of_the_same_width_with_none_between(browser, base, uploaded):
    identity, *_ = uploaded
    drawn = orjson.loads(
        browser.get(f"{base}explanations/figure?kind=explorer&plot=histogram&e={identity}&x=row").content
    )
    # 400 rows, numbered, of two colours on each other: every full bin holds as many numbers as it is wide.
    counts, width = np.sum([bar["y"] for bar in drawn["data"]], axis=0), drawn["data"][0]["width"]
    assert counts.sum() == 400 and set(counts[:-1]) == {width} and width == int(width)


def test_bars_stand_beside_their_features(browser, base, uploaded):
    identity, explanation, _, _ = uploaded
    drawn = orjson.loads(browser.get(f"{base}explanations/figure?kind=importance&e={identity}").content)
    ticks = dict(zip(drawn["layout"]["yaxis"]["tickvals"], drawn["layout"]["yaxis"]["ticktext"], strict=True))
    bar = drawn["data"][0]
    shown = {ticks[place]: value for place, value in zip(bar["y"], bar["x"], strict=True)}
    assert shown == pytest.approx(explanation.get_feature_importance_dict(), abs=1e-12)


def test_a_cohort_is_saved_with_the_run_and_compared(browser, base, run, uploaded):
    identity, explanation, _, _ = uploaded
    form = {"name": "high f5", "on": ["f:f5", ""], "op": ["gt", "lt"], "value": ["1", ""]}
    html = browser.post(f"{base}explanations/cohort?e={identity}", form, follow=True).content.decode()
    x = np.array(explanation.eval_data)
    inside = x[:, 5] > 1
    assert f"high f5 ({inside.sum()} rows)" in html
    rows = {" ".join(r[0][0]): float(r[2][0][0]) for r in table(html, "Importance by feature")}
    local = np.array(explanation.local_importance_values)[:, inside]
    assert rows["f5"] == pytest.approx(np.abs(local).mean(axis=(0, 1))[5], rel=1e-4)
    assert "has a cohort" in browser.post(f"{base}explanations/cohort", form, follow=True).content.decode()
    assert (
        "is no number"
        in browser.post(
            f"{base}explanations/cohort", {**form, "name": "odd", "value": ["x", ""]}, follow=True
        ).content.decode()
    )
    assert Cohort.objects.filter(run=run).count() == 1


def test_two_explanations_are_compared_by_rank(browser, base, uploaded):
    from scipy.stats import kendalltau, spearmanr

    identity, explanation, _, mine = uploaded
    other, _ = explained(seed=9)
    other._properties["global_importance_values"] = np.array([3.0, 1, 2, 0.5, 0.1, 0.2])
    second = mine.upload(other, comment="second")
    html = browser.get(f"{base}explanations/?e={identity}&with={second}").content.decode()
    a = explanation.global_importance_values
    rho, tau = spearmanr(a, [3.0, 1, 2, 0.5, 0.1, 0.2])[0], kendalltau(a, [3.0, 1, 2, 0.5, 0.1, 0.2])[0]
    assert f">{rho:.3f}</dd>" in html and f">{tau:.3f}</dd>" in html
    shifts = {" ".join(r[0][0]): " ".join(r[3][0]) for r in table(html, "Rank shifts")}
    # f0 is the last of six here and the first there; f5 the first here and the fifth there.
    assert (shifts.get("f0"), shifts.get("f5")) == ("▲ 5", "▼ 4"), shifts


def test_every_explanation_chart_is_one_that_plotly_draws(browser, base, uploaded):
    identity, *_ = uploaded
    for query in (
        "kind=importance", "kind=importance&chart=box", "kind=importance&chart=swarm&class=yes", "kind=explorer",
        "kind=explorer&plot=histogram&x=f1&colour=truth", "kind=explorer&x=i2&y=error&colour=f3", "kind=dependence&feature=2",
        "kind=waterfall&p=3&row=3",
    ):  # fmt: skip
        answer = browser.get(f"{base}explanations/figure?e={identity}&{query}")
        assert answer.status_code == 200, (query, answer.content)
        assert charts.checked(orjson.loads(answer.content))["data"]


def test_odd_addresses_get_a_page_or_a_sentence(browser, base, uploaded):
    identity, *_ = uploaded
    for query in (
        "e=nope",
        "top=-3&p=abc&p=99999999&cohort=1e9&x=f999&colour=zzz&class=maybe",
        f"e={identity}&with=zzz&term=7&q=1&iq=2&ice=400",
    ):
        assert browser.get(f"{base}explanations/?{query}").status_code == 200
    for query in (
        "kind=nope",
        f"e={identity}&kind=nope",
        f"e={identity}&kind=waterfall&row=999999",
        f"e={identity}&kind=ice",
    ):
        assert browser.get(f"{base}explanations/figure?{query}").status_code in (400, 404)


def test_a_reader_sees_no_forms_and_may_not_post(base, reader, uploaded):
    from django.test import Client

    client = Client()
    client.force_login(reader)
    assert "New cohort" not in client.get(f"{base}explanations/").content.decode()
    assert client.post(f"{base}explanations/cohort", {}).status_code == 403
    assert client.post(f"{base}fairness/upload", {}).status_code == 403


def test_lists_comparisons_and_model_pages_show_fairness_and_explanations(
    browser, base, run, lab, binary, predictions, uploaded
):
    from runs.models import DashboardModel
    from studio.workspace.models import Model, ModelVersion
    from tests import builders

    y, _, sensitive = predictions
    _, models = binary
    name = "strict:1"
    other = builders.run(lab)
    kwargs = {"y_true": y, "y_pred": models["loose:1"]}
    largest = max(fm.equalized_odds_difference(**kwargs, sensitive_features=s) for s in sensitive.values())
    listed = browser.get(
        "/w/lab/experiments/trials/?fair_metric=equalized_odds_difference&fair_measure=recall_score"
    ).content.decode()
    assert "Equalized odds difference" in listed and f">{largest:.1%}</a>" in listed
    assert f"{fm.true_positive_rate(y, models['loose:1']):.1%}" in listed
    compared = browser.get(f"/w/lab/compare/?run={run.id}&run={other.id}").content.decode()
    assert 'aria-label="Fairness"' in compared and 'aria-label="Explanations"' in compared and "f5 (" in compared
    model = Model.objects.create(workspace=lab, name="strict", last_version=1)
    ModelVersion.objects.create(model=model, version=1)
    page = browser.get("/w/lab/models/strict/1/").content.decode()
    assert 'aria-label="Fairness of the model"' in page
    assert f"{(models[name] == y).mean():.1%}" in page
    assert DashboardModel.objects.count() == 2


def seconds(call):
    start = time.process_time()
    assert call().status_code == 200
    return time.process_time() - start


def test_both_tabs_open_within_a_second_for_ten_thousand_rows_and_fifty_features(
    browser, base, run, contributor, sdk_of
):
    explanation, truth = explained(10_000, 50)
    Explanations(sdk_of(contributor), run.id).upload(explanation, true_ys=truth)
    browser.get(f"{base}details/")
    assert seconds(lambda: browser.get(f"{base}explanations/")) < 1.0
    rng = np.random.default_rng(0)
    features = {f"s{i}": rng.integers(0, 4, 10_000) for i in range(50)}
    store.save(
        run,
        build("binaryClassification", truth, {"m:1": explanation.eval_y_predicted, "m:2": truth}, features),
        "Wide",
        validate_model_ids=False,
    )
    assert seconds(lambda: browser.get(f"{base}fairness/")) < 1.0


def test_a_thousand_features_and_twenty_thousand_rows_are_sampled_and_said_so(browser, base, run, contributor, sdk_of):
    rng = np.random.default_rng(0)
    local = rng.normal(size=(20_000, 1_000)).astype(np.float32)
    wide = Explanation(
        {
            "features": [f"f{i}" for i in range(1000)],
            "local_importance_values": local,
            "global_importance_values": np.abs(local).mean(0),
            "expected_values": np.zeros(1),
        },
        {"model_task": "regression"},
    )
    Explanations(sdk_of(contributor), run.id).upload(wide)
    assert seconds(lambda: browser.get(f"{base}explanations/?chart=box&top=50&p=0")) < 2.0
    assert "4000 of 20000 rows" in browser.get(f"{base}explanations/").content.decode()
