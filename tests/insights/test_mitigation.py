"""Mitigation through the tab, the API and the SDK: what is asked, what is refused, what a child run reports."""

import numpy as np
import pandas
import pytest
from django.test import Client as DjangoClient

from atelier.errors import ConflictError, InvalidRequest, NotFoundError, UserError
from atelier.explanations import Explanations
from atelier.fairness import mitigate
from runs.insights import files
from runs.models import Artifact, FairnessDashboard, Mitigation, Run
from runs.states import State
from studio.workspace.models import ModelVersion
from tests.insights.test_tabs import explained, table

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.django_db]
ROWS = "x,z,y,sex\n" + "".join(f"{i},{i % 3},{i % 2},{'fm'[i // 2 % 2]}\n" for i in range(40))


@pytest.fixture
def base(run):
    files.write(run.id, "outputs/data.csv", ROWS.encode())
    return f"/w/lab/runs/{run.id}/"


def form(**changes):
    return {
        "data": "outputs/data.csv",
        "label": "y",
        "sensitive": "sex",
        "algorithms": ["GridSearch", "ThresholdOptimizer"],
        "constraint": "EqualizedOdds",
    } | changes


def test_the_tab_starts_a_child_run_for_each_algorithm(browser, base, run):
    html = browser.post(f"{base}fairness/mitigate", form(grid_size="7"), follow=True).content.decode()
    children = Run.objects.filter(parent=run)
    assert children.count() == 2 and "GridSearch · EqualizedOdds" in html and "2 child runs train" in html
    for child in children:
        assert set(child.artifacts.values_list("path", flat=True)) == {"inputs/data.csv", "inputs/spec.json"}
        assert child.definition["command"] == ["python", "-m", "atelier_jobs.mitigate"] and child.compute == "local"
    assert Mitigation.objects.get().spec["grid_size"] == 7


REFUSED = {
    "no file": ({"data": "outputs/none.csv"}, "has no file 'outputs/none.csv'"),
    "no file named": ({"data": ""}, "Name the run's CSV file"),
    "no label named": ({"label": ""}, "column with the labels"),
    "a label that is no column": ({"label": "diabetic"}, "has no column 'diabetic'; it has x, z, y, sex"),
    "a label of more than two values": ({"label": "z"}, "mitigation is for two classes. Row 3 has '2'"),
    "a label of text": ({"label": "sex", "sensitive": "z"}, "Row 1 has 'f'"),
    "no groups": ({"sensitive": " , "}, "sensitive names one or more columns"),
    "groups that are no column": ({"sensitive": "sex, age"}, "has no column 'age'"),
    "the label as a group": ({"sensitive": "y"}, "a model would learn from the answer"),
    "the label as a feature": ({"features": "x,y"}, "a model would learn from the answer"),
    "a feature that is no column": ({"features": "x, weight"}, "has no column 'weight'"),
    "a method nobody knows": ({"algorithms": ["Magic"]}, "algorithms are of GridSearch"),
    "a constraint nobody knows": ({"constraint": "Magic"}, "constraint is one of DemographicParity"),
    "a constraint that does not fit": ({"constraint": "ErrorRateParity"}, "knows no error rate parity"),
    "an estimator nobody knows": ({"estimator": "Magic"}, "estimator is one of"),
    "a grid of one": ({"grid_size": "1"}, "grid_size is a number from 2 to 200"),
    "half a model": ({"grid_size": "2.5"}, "grid_size is a whole number"),
    "no rows to train on": ({"test_size": "1"}, "test_size is a number from 0.05 to 0.9"),
    "no such model": ({"model": "nobody:3"}, "no model 'nobody:3'"),
    "no such model file": ({"model": "outputs/model.pkl"}, "neither a file of this run nor a registered model"),
    "no such compute": ({"compute": "cloud"}, "cloud"),
    "no such environment": ({"environment": "elsewhere"}, "elsewhere"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_refused_with_a_sentence_before_anything_is_written(browser, base, case):
    changes, sentence = REFUSED[case]
    before = Artifact.objects.count()
    html = browser.post(f"{base}fairness/mitigate", form(**changes), follow=True).content.decode()
    assert sentence in html.replace("&#x27;", "'"), case
    assert not Mitigation.objects.exists() and Run.objects.count() == 1 and Artifact.objects.count() == before


FILES = {
    "not UTF-8": (b"x,y,sex\n\xff\xfe,1,f\n", "read as CSV in UTF-8"),
    "empty": (b"", "it has no header"),
    "a row that is cut": (b"x,sex,y\n1,f\n", "too few values in row 1"),
    "one class": (b"x,y,sex\n" + b"1,1,f\n2,1,m\n" * 9, "0 rows of 'y' are 0"),
    "one group": (b"x,y,sex\n" + b"1,1,f\n2,0,f\n" * 9, "'sex' holds one group only"),
    "no feature": (b"y,sex\n" + b"1,f\n0,m\n" * 9, "no column left as a feature"),
    "a NUL": (b"x,y,sex\n1,\x00,f\n", "mitigation is for two classes"),
}


@pytest.mark.parametrize("case", FILES)
def test_a_file_that_cannot_be_trained_on_is_refused(browser, base, run, case):
    content, sentence = FILES[case]
    files.write(run.id, "outputs/data.csv", content)
    html = browser.post(f"{base}fairness/mitigate", form(), follow=True).content.decode()
    assert sentence in html.replace("&#x27;", "'") and not Mitigation.objects.exists()


def test_only_contributors_mitigate_and_strangers_see_nothing(base, run, reader, stranger):
    for user, status in ((reader, 403), (stranger, 404)):
        client = DjangoClient()
        client.force_login(user)
        for verb in ("mitigate", "cancel", "register"):
            assert client.post(f"{base}fairness/{verb}", form()).status_code == status
    assert not Mitigation.objects.exists()


@pytest.fixture
def handle(run, contributor, sdk_of):
    """The run as the SDK has it."""

    class Handle:
        client, id = sdk_of(contributor), run.id

    return Handle()


X, Y = pandas.DataFrame({"x": np.arange(40.0), "z": np.arange(40) % 3}), np.arange(40) % 2
SEX = {"sex": np.array(["f", "m"])[np.arange(40) // 2 % 2]}


def test_the_sdk_sends_the_rows_and_can_cancel(handle, run):
    asked = mitigate(handle, X, Y, SEX, algorithms="GridSearch", constraint="DemographicParity", name="By hand")
    spec = Mitigation.objects.get().spec
    assert spec["features"] == ["x", "z"] and spec["sensitive"] == ["sensitive__sex"] and spec["name"] == "By hand"
    (child,) = asked.children
    asked.cancel()
    assert Run.objects.get(pk=child).cancel_requested_at is not None
    with pytest.raises(TimeoutError, match="has not ended"):
        asked.wait(timeout=0, poll=0)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"y": Y + 1}, "y must hold 0 and 1 only"),
        ({"y": Y[:-1]}, "same number of rows"),
        ({"X": X.assign(name="a")}, "table of numbers"),
        ({"sensitive_features": {}}, "at least one feature"),
        ({"algorithms": ["Magic"]}, "algorithms must be of"),
        ({"algorithms": []}, "algorithms must be of"),
        ({"constraint": "Magic"}, "constraint must be one of"),
    ],
)
def test_the_sdk_refuses_before_it_sends_anything(handle, changes, sentence):
    with pytest.raises(UserError, match=sentence):
        mitigate(handle, **{"X": X, "y": Y, "sensitive_features": SEX} | changes)
    assert not Artifact.objects.exists()


def test_rows_of_a_refused_request_do_not_stay_with_the_run(handle):
    with pytest.raises(InvalidRequest, match="error rate parity"):
        mitigate(handle, X, Y, SEX, algorithms=["ThresholdOptimizer"], constraint="ErrorRateParity")
    with pytest.raises(NotFoundError, match="nobody:1"):
        mitigate(handle, X, Y, SEX, model="nobody:1")
    assert not Artifact.objects.exists() and not Mitigation.objects.exists()


@pytest.fixture
def begun(browser, base, run):
    """A mitigation of two algorithms, its children running."""
    browser.post(f"{base}fairness/mitigate", form(), follow=True)
    Run.objects.filter(parent=run).update(state=State.RUNNING)
    return Mitigation.objects.get()


@pytest.fixture
def children(begun, run, job_of):
    """(run, the SDK's client with its own token) of each child by its algorithm."""
    named = {c.property_rows.get(key="mitigation.algorithm").value: c for c in Run.objects.filter(parent=run)}
    return {name: (child, job_of(child)) for name, child in named.items()}


TRUTH = [0, 1] * 20
GROUPS = {"sex": ["f"] * 20 + ["m"] * 20}


def report(**changes):
    return {
        "y_true": TRUTH,
        "original": [1] * 40,
        "sensitive": GROUPS,
        "predictions": {"GridSearch 0": TRUTH},
        "models": {"GridSearch 0": {"path": "outputs/models/gridsearch-0.joblib", "explanation_id": None}},
    } | changes


def tell(child, client, body):
    return client.call("POST", f"/runs/{child.id}/mitigation", json_body=body)


def test_reports_of_all_children_meet_in_one_dashboard_with_the_original(browser, base, children, run):
    first = tell(*children["GridSearch"], report())
    second = tell(
        *children["ThresholdOptimizer"],
        report(predictions={"ThresholdOptimizer": [0] * 40}, models={"ThresholdOptimizer": {"path": "outputs/t"}}),
    )
    again = tell(*children["GridSearch"], report())
    assert first == second == again
    assert [m.model_id for m in FairnessDashboard.objects.get().models.all()] == [
        "GridSearch 0",
        "ThresholdOptimizer",
        "plain LogisticRegression",
    ]
    rows = table(browser.get(f"{base}fairness/").content.decode(), "Table of models")
    assert [" ".join(row[0][0]) for row in rows] == [
        "GridSearch 0 Pareto",
        "ThresholdOptimizer",
        "plain LogisticRegression",
    ]


HOSTILE = [
    {"y_true": "0101"},
    {"y_true": [[0], [1]]},
    {"y_true": TRUTH[:-1]},
    {"predictions": {"GridSearch 0": [0.5] * 40}},
    {"predictions": {"GridSearch 0": None}},
    {"predictions": []},
    {"original": [2] * 40},
    {"sensitive": {}},
    {"sensitive": {"sex": 4}},
    {"sensitive": {"sex": ["f"]}},
    {"models": {"GridSearch 0": "x"}},
    {"models": {"GridSearch 0": {"path": 4}}},
    {"models": {"another": {"path": "outputs/x"}}},
    {"predictions": {"x" * 300: TRUTH}, "models": {}},
]


@pytest.mark.parametrize("changes", HOSTILE, ids=lambda v: str(v)[:50])
def test_a_job_that_reports_nonsense_is_told_so_and_nothing_is_kept(children, changes):
    with pytest.raises(InvalidRequest) as refused:
        tell(*children["GridSearch"], report(**changes))
    assert refused.value.message.endswith(".") and not FairnessDashboard.objects.exists()


def test_a_job_that_tested_other_rows_is_refused(children):
    tell(*children["GridSearch"], report())
    with pytest.raises(ConflictError, match="other rows"):
        tell(*children["ThresholdOptimizer"], report(y_true=TRUTH[::-1], predictions={"T": TRUTH}, models={}))
    assert FairnessDashboard.objects.get().models.count() == 2


def test_a_mitigated_model_is_registered_from_the_tab_with_its_explanation_beside_it(browser, base, children, run):
    child, client = children["GridSearch"]
    files.write(child.id, "outputs/models/gridsearch-0.joblib", b"a model")
    explanation, truth = explained(n=30, features=4)
    identity = Explanations(client, child.id).upload(explanation, comment="GridSearch 0", true_ys=truth)
    models = {"GridSearch 0": {"path": "outputs/models/gridsearch-0.joblib", "explanation_id": identity}}
    dashboard = tell(child, client, report(models=models))["dashboard_id"]
    html = browser.get(f"{base}fairness/").content.decode()
    assert f"/runs/{child.id}/explanations/?e={identity}" in html and "f3, f2, f1" in html
    post = {"d": dashboard, "model": "GridSearch 0"}
    html = browser.post(f"{base}fairness/register", post, follow=True).content.decode()
    version = ModelVersion.objects.get()
    assert f"Registered as {version}" in html and f">{version}</a>" in html
    assert version.run_id == child.id and [f.path for f in version.files.all()] == ["gridsearch-0.joblib"]
    assert (
        version.properties["fairness.model"] == "GridSearch 0" and version.properties["fairness.accuracy_score"] == "1"
    )
    page = browser.get(f"/w/lab/models/{version.model.name}/{version.version}/").content.decode()
    (row,) = table(page, "Fairness of the model")
    assert " ".join(row[0][0]) == "Mitigation: equalized odds" and row[2][0] == ["100.0%"] and row[3][0] == ["0.0%"]
    for model in ("plain LogisticRegression", "nobody"):
        html = browser.post(f"{base}fairness/register", {"d": dashboard, "model": model}, follow=True).content.decode()
        assert "was not trained by a mitigation" in html
    assert ModelVersion.objects.count() == 1


def test_a_mitigation_is_cancelled_from_the_tab_and_a_failed_child_says_why(browser, base, begun, run):
    first, second = Run.objects.filter(parent=run).order_by("created_at", "id")
    Run.objects.filter(pk=first.pk).update(state=State.FAILED, error_message="Row 7 is odd.")
    html = browser.get(f"{base}fairness/").content.decode()
    assert "Row 7 is odd." in html and "Cancel what still runs" in html
    post = {"mitigation": begun.pk}
    assert "1 child run is asked" in browser.post(f"{base}fairness/cancel", post, follow=True).content.decode()
    second.refresh_from_db()
    first.refresh_from_db()
    assert second.cancel_requested_at and not first.cancel_requested_at
    Run.objects.filter(pk=second.pk).update(state=State.CANCELED)
    html = browser.post(f"{base}fairness/cancel", post, follow=True).content.decode()
    assert "nothing to cancel" in html and "Cancel what still runs" not in html
    assert "no mitigation" in browser.post(f"{base}fairness/cancel", {"mitigation": "x"}, follow=True).content.decode()
