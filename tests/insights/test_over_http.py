"""Explanations and dashboards through the SDK and the API: what goes up comes down, what is wrong is said."""

import io

import numpy as np
import orjson
import pytest
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from atelier import artifacts
from atelier.errors import ForbiddenError, InvalidRequest, NotFoundError, TooLargeError, UserError
from atelier.explanations import Explanations
from atelier.explanations.explainers import TabularExplainer
from atelier.fairness import Dashboards, create_group_metric_set
from runs.models import Artifact
from tests.insights.test_explanation_files import same

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.django_db]
FEATURES = ["a", "b", "c"]


@pytest.fixture
def explanation():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 3))
    y = (x[:, 0] > 0).astype(int)
    model = LogisticRegression().fit(x, y)
    return TabularExplainer(model, x, features=FEATURES, classes=["no", "yes"]).explain_global(x), y


@pytest.fixture
def mine(run, contributor, sdk_of):
    return Explanations(sdk_of(contributor), run.id)


@pytest.fixture
def dashboards(run, contributor, sdk_of):
    return Dashboards(sdk_of(contributor), run.id)


@pytest.fixture
def dashboard():
    rng = np.random.default_rng(2)
    y = rng.integers(0, 2, 50)
    return create_group_metric_set(
        y, {"m:1": 1 - y, "m:2": y}, {"sex": rng.choice(["f", "m"], 50)}, "binary_classification"
    )


def test_an_explanation_is_listed_and_comes_back_equal(mine, explanation):
    whole, truth = explanation
    first = mine.upload(whole, comment="all rows", true_ys=truth, model_id="m:1", upload_datasets=True)
    second = mine.upload(whole, comment="again", top_k=1)
    listed = mine.list()
    assert [(e["id"], e["comment"], e["rows"], e["model_id"]) for e in listed] == [
        (first, "all rows", 60, "m:1"),
        (second, "again", 60, None),
    ]
    assert listed[0]["top"][0]["feature"] == "a"
    back = mine.download(comment="all rows")
    assert back.local_importance_values == whole.local_importance_values
    assert back.get_feature_importance_dict() == whole.get_feature_importance_dict()
    assert back.true_ys == truth.tolist() and back.eval_data == whole.eval_data and back.id == first
    assert (
        list(mine.download(first, top_k=2).get_feature_importance_dict())
        == list(whole.get_feature_importance_dict())[:2]
    )
    assert len(mine.download().get_ranked_global_names()) == 1  # the newest, kept with top_k=1


def test_a_deleted_explanation_takes_its_files_with_it(mine, explanation, run):
    identity = mine.upload(explanation[0])
    assert Artifact.objects.filter(run=run, path__startswith="explanations/").count() > 5
    mine.delete(identity)
    assert not Artifact.objects.filter(run=run).exists()
    with pytest.raises(NotFoundError, match="no explanation"):
        mine.download()


def test_sparse_and_wide_explanations_travel(mine):
    from types import SimpleNamespace

    wide = csr_matrix(([1.0, -2.0], ([0, 2], [5, 4999])), shape=(3, 5000))
    given = SimpleNamespace(
        local_importance_values=[wide, -wide], features=[f"f{i}" for i in range(5000)], classes=["a", "b"], eval_data=wide,
        global_importance_values=np.abs(wide.toarray()).mean(0), expected_values=[0.5, 0.5], method="shap_linear",
        model_task="classification", is_engineered=True, is_raw=False,
    )  # fmt: skip
    mine.upload(given, comment="sparse")
    back = mine.download(engineered=True)
    assert (back.local_importance_values[1] != -wide).nnz == 0 and back.get_ranked_global_names(1) == ["f4999"]


def test_a_glass_box_comes_back_as_itself(mine):
    from interpret.glassbox import LinearRegression

    rng = np.random.default_rng(1)
    x = rng.normal(size=(30, 2))
    whole = LinearRegression(feature_names=["a", "b"]).fit(x, x[:, 0]).explain_global()
    mine.upload(whole, comment="line")
    back = mine.download()
    assert type(back) is type(whole) and same(back.data(-1), whole.data(-1))


def test_only_members_who_may_write_upload(run, reader, stranger, sdk_of, explanation, dashboard):
    with pytest.raises(ForbiddenError):
        Explanations(sdk_of(reader), run.id).upload(explanation[0])
    with pytest.raises(ForbiddenError):
        Dashboards(sdk_of(reader), run.id).upload(dashboard, "x", validate_model_ids=False)
    assert Dashboards(sdk_of(reader), run.id).list() == []
    for service in (Explanations, Dashboards):
        with pytest.raises(NotFoundError):
            service(sdk_of(stranger), run.id).list()


BAD_META = {"format": 1, "source": "shap", "files": {}}


def npy(array, **changes):
    out = io.BytesIO()
    np.lib.format.write_array(out, array, allow_pickle=True)
    return out.getvalue()


def petabytes():
    """Forty-eight bytes that claim to be a hundred million rows and columns."""
    return npy(np.zeros((2, 3))).replace(b"(2, 3), }" + b" " * 16, b"(99999999, 99999999), }" + b" " * 2)


HOSTILE = {
    "pickled objects": {
        "local_importance_values": ("local_importance_values.npy", npy(np.array([[{}]], dtype=object)))
    },
    "a shape of petabytes": {"local_importance_values": ("local_importance_values.npy", petabytes())},
    "no array at all": {"local_importance_values": ("local_importance_values.npy", b"\x00" * 100)},
    "a truncated array": {"local_importance_values": ("local_importance_values.npy", npy(np.zeros((20, 3)))[:-8])},
    "four dimensions": {"local_importance_values": ("local_importance_values.npy", npy(np.zeros((2, 2, 2, 2))))},
    "a compressed bomb": {"local_importance_values": ("local_importance_values.npz", b"PK\x03\x04" + b"0" * 50)},
    "importance of another width": {
        "local_importance_values": ("local_importance_values.npy", npy(np.zeros((4, 3)))),
        "global_importance_values": ("global_importance_values.npy", npy(np.zeros(2))),
    },
    "too few names": {
        "local_importance_values": ("local_importance_values.npy", npy(np.zeros((4, 3)))),
        "features": ("features.json", b'["a"]'),
    },
    "truth of another length": {
        "local_importance_values": ("local_importance_values.npy", npy(np.zeros((4, 3)))),
        "true_ys": ("true_ys.npy", npy(np.zeros(3))),
    },
    "JSON that is none": {"features": ("features.json", b"["), "global_importance_values": ("g.npy", npy(np.zeros(1)))},
    "a file that is not there": {"features": ("../../etc/passwd", None)},
}


@pytest.mark.parametrize("case", HOSTILE)
def test_malformed_explanations_get_a_sentence_and_no_row(mine, case):
    identity = "12345678-1234-1234-1234-123456789abc"
    prefix = f"explanations/{identity}"
    meta = {**BAD_META, "files": {k: name for k, (name, _) in HOSTILE[case].items()}}
    for name, content in HOSTILE[case].values():
        if content is not None:
            artifacts.upload(mine.client, mine.run_id, f"{prefix}/{name}", content)
    artifacts.upload(mine.client, mine.run_id, f"{prefix}/explanation_metadata.json", orjson.dumps(meta))
    with pytest.raises(InvalidRequest) as refused:
        mine.client.call("POST", f"/runs/{mine.run_id}/explanations", json_body={"id": identity, "prefix": prefix})
    assert refused.value.message.endswith(".") and mine.list() == []


def test_a_dashboard_comes_down_as_it_went_up(dashboards, dashboard):
    identity = dashboards.upload(dashboard, "Fairness", validate_model_ids=False, dataset_name="patients")
    assert dashboards.download(identity) == dashboard
    (record,) = dashboards.list()
    assert (record["name"], record["dataset_name"], record["model_names"]) == ("Fairness", "patients", ["m:1", "m:2"])
    dashboards.delete(identity)
    assert dashboards.list() == []
    with pytest.raises(NotFoundError):
        dashboards.download(identity)


def test_a_refused_dashboard_names_its_key_and_leaves_nothing(dashboards, dashboard):
    with pytest.raises(InvalidRequest, match="'m:1'") as refused:
        dashboards.upload(dashboard, "not registered")
    assert refused.value.field == "modelNames"
    with pytest.raises(InvalidRequest, match="predictedY"):
        dashboards.upload({**dashboard, "predictedY": [[0, 1]]}, "short", validate_model_ids=False)
    with pytest.raises(UserError, match="finite"):
        dashboards.upload({**dashboard, "trueY": [float("nan")]}, "nan", validate_model_ids=False)
    assert dashboards.list() == [] and not Artifact.objects.exists()


def test_fifty_megabytes_are_refused_on_both_sides_with_a_sentence(dashboards, dashboard):
    huge = {**dashboard, "modelNames": ["x" * (50 << 20)]}
    with pytest.raises(TooLargeError, match="at most"):
        dashboards.upload(huge, "huge")
    with pytest.raises(TooLargeError, match="limit"):
        dashboards.upload(huge, "huge", limit=1 << 30)
    assert dashboards.list() == []
