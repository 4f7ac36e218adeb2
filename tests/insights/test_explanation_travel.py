"""Any explanation of interpret-community, of interpret and of shap comes back from the server with equal values."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.sparse import csr_matrix

from atelier.errors import UserError
from atelier.explanations import Explanations, forms
from tests.insights.test_explanation_files import same

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.django_db]
few = settings(
    max_examples=12, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
finite = st.floats(-1e300, 1e300, allow_subnormal=True)
names = st.text(min_size=1, max_size=8)


@pytest.fixture
def mine(run, contributor, sdk_of):
    return Explanations(sdk_of(contributor), run.id)


def matrix(draw, *shape, elements=finite):
    return draw(hnp.arrays(np.float64, shape, elements=elements))


@st.composite
def community(draw):
    """What interpret-community's explanations hold: global, local or both; raw or engineered; sparse; of any task."""
    rows, features, classes = draw(st.integers(1, 4)), draw(st.integers(1, 5)), draw(st.sampled_from([0, 2, 3]))
    local, whole = draw(st.sampled_from([(True, True), (True, False), (False, True)]))
    sparse, raw, text = local and draw(st.booleans()), draw(st.booleans()), classes and draw(st.booleans())
    given = {"features": draw(st.lists(names, min_size=features, max_size=features)), "method": "shap",
             "model_task": "classification" if classes else "regression", "is_raw": raw, "is_engineered": not raw}  # fmt: skip
    if classes:
        labels = draw(st.lists(names, min_size=classes, max_size=classes, unique=True))
        given["classes"] = labels
        given["eval_y_predicted"] = [draw(st.sampled_from(labels if text else range(classes))) for _ in range(rows)]
        given["eval_y_predicted_proba"] = matrix(draw, rows, classes).tolist()
    else:
        given["eval_y_predicted"] = matrix(draw, rows)
    given["expected_values"] = matrix(draw, max(1, classes)).tolist()
    if local:
        dense = matrix(draw, *((classes,) if classes else ()), rows, features, elements=finite | st.just(0.0))
        given["local_importance_values"] = (
            ([csr_matrix(m) for m in dense] if classes else csr_matrix(dense)) if sparse else dense.tolist()
        )
        # The data may miss values, and may be words.
        data = matrix(draw, rows, features, elements=st.floats())
        words = [[draw(names), *row[1:]] for row in data.tolist()]
        given["eval_data"] = draw(st.sampled_from([data, words, csr_matrix(np.nan_to_num(data))]))
    if whole:
        given["global_importance_values"] = matrix(draw, features).tolist()
        given["global_importance_rank"] = draw(st.permutations(range(features)))
        if classes:
            given["per_class_values"] = matrix(draw, classes, features).tolist()
    return given


def equal(a, b):
    """Equal values, dense or sparse, in lists or arrays."""
    if hasattr(a, "tocsr"):
        return a.shape == b.shape and same(a.toarray(), b.toarray())
    if isinstance(a, list) and a and hasattr(a[0], "tocsr"):
        return len(a) == len(b) and all(map(equal, a, b))
    return same(np.asarray(a).tolist(), np.asarray(b).tolist()) if not isinstance(a, list) else same(a, b)


@few
@given(community(), st.booleans())
def test_of_interpret_community(mine, given_, with_truth):
    truth = given_["eval_y_predicted"] if with_truth else None
    if truth is not None and "local_importance_values" not in given_:
        truth = None
    identity = mine.upload(SimpleNamespace(**given_), comment="c", true_ys=truth, visualization_points=2)
    back = mine.download(identity)
    for name, value in given_.items():
        assert equal(value, getattr(back, name)), (name, value, getattr(back, name))
    assert truth is None or equal(list(np.asarray(truth).tolist()), back.true_ys)
    record = mine.list()[-1]
    assert record["kind"] == ("raw" if given_["is_raw"] else "engineered")
    assert (record["is_local"], record["is_global"]) == (
        "local_importance_values" in given_, "global_importance_values" in given_,
    )  # fmt: skip


@few
@given(st.data(), st.sampled_from([1, 2, 3]), st.booleans())
def test_of_shap_of_one_row_of_rows_and_of_several_outputs(mine, data, dimensions, named):
    import shap

    rows, features, outputs = (data.draw(st.integers(1, 3)) for _ in range(3))
    shape = {1: (features,), 2: (rows, features), 3: (rows, features, outputs)}[dimensions]
    draw = data.draw
    base = {1: (), 2: (rows,), 3: (rows, outputs)}[dimensions]
    explained = shap.Explanation(
        matrix(draw, *shape),
        base_values=matrix(draw, *base) if base else draw(finite),
        data=matrix(draw, *shape[:2], elements=st.floats()),
        feature_names=draw(st.lists(names, min_size=features, max_size=features)) if named else None,
        output_names=draw(st.lists(names, min_size=outputs, max_size=outputs)) if dimensions == 3 else None,
    )
    back = mine.download(mine.upload(explained))
    assert type(back) is shap.Explanation
    for name in ("values", "base_values", "data", "feature_names", "output_names"):
        a, b = getattr(explained, name), getattr(back, name)
        assert (a is None and b is None) or same(np.asarray(a).tolist(), np.asarray(b).tolist()), name


@pytest.fixture(scope="module")
def fitted():
    """interpret's models on a small table, and what was explained: {name: explanation}."""
    from interpret.blackbox import MorrisSensitivity, PartialDependence, ShapKernel
    from interpret.glassbox import (
        APLRRegressor,
        ClassificationTree,
        ExplainableBoostingClassifier,
        ExplainableBoostingRegressor,
        LinearRegression,
        LogisticRegression,
        RegressionTree,
    )
    from interpret.greybox import ShapTree
    from sklearn.ensemble import RandomForestClassifier

    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 3))
    two, three, value = (x[:, 0] > 0).astype(int), np.digitize(x[:, 1], (-0.5, 0.5)), x @ [1.0, 2.0, 0.0]
    quick = {"outer_bags": 1, "max_rounds": 10, "feature_names": ["a", "b", "c"]}
    models = {
        "two classes": (ExplainableBoostingClassifier(interactions=1, **quick), two),
        "three classes": (ExplainableBoostingClassifier(interactions=0, **quick), three),
        "three words": (ExplainableBoostingClassifier(interactions=0, **quick), np.array(["u", "v", "w"])[three]),
        "a value": (ExplainableBoostingRegressor(interactions=1, **quick), value),
        "a line": (LinearRegression(), value),
        "a logistic line": (LogisticRegression(), two),
        "three logistic lines": (LogisticRegression(), three),
        "a tree": (ClassificationTree(), two),
        "a tree of values": (RegressionTree(), value),
        "splines": (APLRRegressor(m=20), value),
    }
    found = {}
    for name, (model, y) in models.items():
        model.fit(x, y)
        found[f"{name}, global"], found[f"{name}, local"] = model.explain_global(), model.explain_local(x[:4], y[:4])
        found[f"{name}, without truth"] = model.explain_local(x[:2])
    forest = RandomForestClassifier(3, random_state=0).fit(x, two)
    found["partial dependence"] = PartialDependence(forest, x).explain_global()
    found["Morris"] = MorrisSensitivity(forest, x).explain_global()
    found["kernel"] = ShapKernel(forest, x[:10]).explain_local(x[:2], two[:2])
    found["tree SHAP"] = ShapTree(forest, x).explain_local(x[:2], two[:2])
    return found


def test_of_every_explainer_of_interpret(mine, fitted, browser, run):
    for name, explanation in fitted.items():
        identity = mine.upload(explanation, comment=name)
        back = mine.download(identity)
        assert type(back) is type(explanation), name
        assert same(back._internal_obj, explanation._internal_obj), name
        for attribute in ("explanation_type", "feature_names", "feature_types", "name"):
            assert same(getattr(back, attribute), getattr(explanation, attribute)), (name, attribute)
        assert explanation.selector is None or back.selector.equals(explanation.selector), name
        page = browser.get(f"/w/lab/runs/{run.id}/explanations/?e={identity}&p=0")
        assert page.status_code == 200 and b'role="alert"' not in page.content, name


def test_performance_and_data_of_interpret_are_no_explanations_of_a_model(fitted):
    from interpret.data import ClassHistogram

    x = np.random.default_rng(0).normal(size=(50, 2))
    with pytest.raises(UserError, match="not of a model's reasons"):
        forms.read(ClassHistogram().explain_data(x, (x[:, 0] > 0).astype(int)))
