"""What goes into an explanation's files comes out equal."""

import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.sparse import csr_matrix
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from atelier.explanations import _completed, _own_class, files, forms
from atelier.explanations.explainers import MimicExplainer, PFIExplainer, TabularExplainer
from atelier.explanations.result import Explanation

pytestmark = pytest.mark.filterwarnings("ignore")

scalars = st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats() | st.text(max_size=5)
arrays = hnp.arrays(
    st.sampled_from([np.float64, np.float32, np.int64, np.int8, np.bool_, np.uint16]),
    hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=4),
)
keys = st.text(max_size=3) | st.integers(-5, 5)
values = st.recursive(
    scalars | arrays | st.tuples(scalars, scalars),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)


def same(a, b):
    if isinstance(a, np.ndarray):
        return (
            isinstance(b, np.ndarray)
            and a.dtype == b.dtype
            and a.shape == b.shape
            and (
                np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
                if a.dtype.kind != "O"
                else all(map(same, a.ravel(), b.ravel()))
            )
        )
    if isinstance(a, dict):
        return isinstance(b, dict) and list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float) and a != a:
        return isinstance(b, float) and b != b
    return type(a) is type(b) and a == b


@settings(max_examples=150, deadline=None)
@given(values)
def test_any_nested_value_comes_back_equal_and_of_the_same_type(value):
    text = json.dumps(files.encode(value), allow_nan=False)
    assert same(value, files.decode(json.loads(text)))


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(
        np.float64, hnp.array_shapes(min_dims=2, max_dims=3, min_side=1, max_side=5), elements=st.floats(width=64)
    ),
    st.booleans(),
)
def test_importance_values_come_back_bit_by_bit(values, two_outputs):
    name, content = files.dump("local_importance_values", values)
    assert name.endswith(".npy")
    assert np.array_equal(files.load(name, content), values, equal_nan=True)


def test_sparse_matrices_come_back_alone_and_in_lists():
    matrix = csr_matrix(np.array([[0, 1.5], [0, 0], [-2, 0]]))
    name, content = files.dump("eval_data", matrix)
    assert (files.load(name, content) != matrix).nnz == 0
    back = files.load(*files.dump("local_importance_values", [matrix, matrix * 2]))
    assert [m.shape for m in back] == [(3, 2), (3, 2)] and (back[1] != matrix * 2).nnz == 0


def up_and_down(explanation, **options):
    """As upload and download do it, without a server between."""
    form = forms.read(explanation)
    properties = _completed(form, options.get("true_ys"), options.get("upload_datasets", False), 5000)
    if form.original is not None:
        return _own_class(form.source, files.load(*files.dump("original", form.original)))
    return Explanation({k: files.load(*files.dump(k, v)) for k, v in properties.items()}, form.meta)


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 4))
    return x, (x[:, 0] + 0.5 * x[:, 1] > 0).astype(int)


FEATURES = ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    "model",
    [
        GradientBoostingClassifier(n_estimators=10),
        RandomForestClassifier(n_estimators=5),
        LogisticRegression(),
        KNeighborsClassifier(),
    ],
    ids=lambda m: type(m).__name__,
)
def test_tabular_explanations_add_up_to_the_prediction_and_come_back_equal(rows, model):
    x, y = rows
    explanation = TabularExplainer(model.fit(x, y), x[:15], features=FEATURES, classes=["no", "yes"]).explain_global(
        x[:20]
    )
    local = np.array(explanation.local_importance_values)
    assert local.shape == (2, 20, 4) and np.allclose(local[0], -local[1], atol=1e-6)
    assert explanation.get_ranked_global_names()[0] == "a"
    back = up_and_down(explanation, true_ys=y[:20])
    assert back.local_importance_values == explanation.local_importance_values
    assert back.get_feature_importance_dict() == explanation.get_feature_importance_dict()
    assert back.eval_data == x[:20].tolist() and back.true_ys == y[:20].tolist()
    assert back.get_ranked_local_names(2) == explanation.get_ranked_local_names(2)
    assert back.get_ranked_per_class_values() == explanation.get_ranked_per_class_values()


def test_shap_of_a_linear_model_is_exact(rows):
    x, y = rows
    model = LinearRegression().fit(x, y)
    explanation = TabularExplainer(model, x, features=FEATURES).explain_local(x[:5])
    total = np.array(explanation.local_importance_values).sum(1) + explanation.expected_values[0]
    assert np.allclose(total, model.predict(x[:5]))
    assert not hasattr(explanation, "global_importance_values") and explanation.model_task == "regression"


def test_mimic_and_permutation_explanations_find_the_feature_that_matters(rows):
    x, y = rows
    model = RandomForestClassifier(n_estimators=10, random_state=0).fit(x, y)
    mimic = MimicExplainer(model, x, features=FEATURES, classes=["no", "yes"])
    assert mimic.fidelity(x) > 0.9
    assert mimic.explain_global(x[:30]).get_ranked_global_names()[0] == "a"
    pfi = PFIExplainer(model, features=FEATURES).explain_global(x, true_labels=y)
    assert pfi.get_ranked_global_names()[0] == "a" and not hasattr(pfi, "local_importance_values")
    assert up_and_down(pfi).get_feature_importance_dict() == pfi.get_feature_importance_dict()


def test_a_transformed_explanation_speaks_of_the_raw_features(rows):
    import pandas as pd
    from sklearn.compose import ColumnTransformer
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    x, y = rows
    frame = pd.DataFrame({"size": x[:, 0], "colour": np.where(x[:, 1] > 0, "red", "blue")})
    steps = ColumnTransformer([("o", OneHotEncoder(), ["colour"]), ("s", StandardScaler(), ["size"])]).fit(frame)
    model = LogisticRegression().fit(steps.transform(frame), y)
    raw = TabularExplainer(model, frame, transformations=steps, classes=["no", "yes"]).explain_global(frame[:10])
    assert raw.is_raw and raw.features == ["size", "colour"]
    assert raw.get_ranked_global_names()[0] == "size"
    assert up_and_down(raw).eval_data == frame[:10].to_numpy().tolist()


def test_glass_box_explanations_come_back_as_interprets_own(rows):
    from interpret.glassbox import ExplainableBoostingClassifier

    x, y = rows
    ebm = ExplainableBoostingClassifier(
        feature_names=FEATURES, interactions=1, outer_bags=2, max_rounds=50, random_state=0
    ).fit(x, y)
    whole, single = ebm.explain_global(), ebm.explain_local(x[:3], y[:3])
    back = up_and_down(whole)
    assert type(back) is type(whole)
    assert same(back.data(-1), whole.data(-1)) and back.selector.equals(whole.selector)
    assert back.visualize(0).data[0].type == whole.visualize(0).data[0].type
    assert forms.read(whole).properties["features"] == whole.data()["names"]
    form = forms.read(single)
    assert (
        form.properties["local_importance_values"].shape == (3, 5)
        and form.properties["true_ys"].tolist() == y[:3].tolist()
    )
    assert same(up_and_down(single).data(-1), single.data(-1))


def test_a_shap_explanation_comes_back_as_one(rows):
    import shap

    x, y = rows
    explained = shap.TreeExplainer(RandomForestClassifier(n_estimators=3).fit(x, y))(x[:6])
    back = up_and_down(explained)
    assert type(back) is type(explained)
    assert np.array_equal(back.values, explained.values) and np.array_equal(back.base_values, explained.base_values)
    assert forms.read(explained).properties["local_importance_values"].shape == (2, 6, 4)


def test_the_old_names_are_importable_once_azureml_is_and_cost_nothing_before():
    code = """
import sys, time
before = set(sys.modules)
import azureml
heavy = {"numpy", "fairlearn", "interpret", "shap", "sklearn", "pandas"} & (set(sys.modules) - before)
assert not heavy, heavy
from fairlearn.metrics._group_metric_set import _create_group_metric_set
from interpret.ext.blackbox import TabularExplainer, MimicExplainer, PFIExplainer
from interpret.ext.glassbox import LGBMExplainableModel
from azureml.interpret import ExplanationClient, TabularExplainer as same
assert same is TabularExplainer
print(_create_group_metric_set([0, 1, 1], {"m:1": [0, 1, 0]}, {"sex": ["f", "m", "f"]}, "binary_classification")["precomputedMetrics"][0][0]["miss_rate"])
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, cwd="sdk")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "{'global': 0.5, 'bins': [1.0, 0.0]}"


def test_what_is_no_explanation_is_refused_with_its_name():
    from atelier.errors import UserError

    with pytest.raises(UserError, match=r"builtins\.dict"):
        forms.read({"importance": [1]})
