"""Train on real patients, register, explain with interpret-community, a glass box and shap, upload, download, compare.

The explainers are interpret-community's where it is installed, else the SDK's own under the same names.
"""

import html
import http.cookiejar
import os
import re
import urllib.parse
import urllib.request

# First: it provides the explainers of interpret.ext where interpret-community is not installed.
from azureml.core import Experiment, Model, Workspace
from azureml.interpret import ExplanationClient

# isort: split
import joblib
import numpy as np
import pandas as pd
import shap
from interpret.ext.blackbox import MimicExplainer, PFIExplainer, TabularExplainer
from interpret.ext.glassbox import LGBMExplainableModel
from interpret.glassbox import ExplainableBoostingClassifier
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

data = pd.read_csv(os.environ["STORY_DATA"] + "/diabetes.csv")
features = ["Pregnancies", "PlasmaGlucose", "DiastolicBloodPressure", "TricepsThickness", "SerumInsulin", "BMI",
            "DiabetesPedigree", "Age"]  # fmt: skip
classes = ["not-diabetic", "diabetic"]
X_train, X_test, y_train, y_test = train_test_split(
    data[features].to_numpy(), data["Diabetic"].to_numpy(), test_size=400, random_state=0
)
workspace = Workspace.from_config()
run = Experiment(workspace, "own-explain").start_logging()
model = RandomForestClassifier(n_estimators=20, max_depth=6, random_state=0).fit(X_train, y_train)
joblib.dump(model, "model.pkl")
run.upload_file("outputs/model.pkl", "model.pkl")
registered = run.register_model(model_name="own-explained", model_path="outputs/model.pkl")
assert Model(workspace, "own-explained").version == registered.version
client = ExplanationClient.from_run(run)


def same(a, b):
    """Equal values, whatever holds them."""
    if isinstance(a, dict):
        return list(map(str, a)) == list(map(str, b)) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)) and len(a) and isinstance(a[0], (list, tuple, dict, np.ndarray)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, (list, tuple, np.ndarray)):
        a, b = np.asarray(a), np.asarray(b)
        return a.shape == b.shape and (np.array_equal(a, b) if a.dtype.kind in "OU" else np.allclose(a, b, 0, 0))
    return a == b


def there_and_back(explanation, comment, **more):
    """Upload, download, compare all that importance is asked by."""
    client.upload_model_explanation(explanation, comment=comment, model_id=registered.id, **more)
    back = client.download_model_explanation(comment=comment)
    for name in ("features", "classes", "expected_values", "local_importance_values", "global_importance_values",
                 "per_class_values", "eval_y_predicted"):  # fmt: skip
        if getattr(explanation, name, None) is not None:
            assert same(list(getattr(explanation, name)), list(getattr(back, name))), (comment, name)
    asked = {"global_importance_values": ("get_feature_importance_dict", "get_ranked_global_names"),
             "local_importance_values": ("get_ranked_local_values", "get_ranked_local_names"),
             "per_class_values": ("get_ranked_per_class_values", "get_ranked_per_class_names")}  # fmt: skip
    for values, methods in asked.items():
        for name in methods if hasattr(explanation, values) else ():
            assert same(getattr(explanation, name)(), getattr(back, name)()), (comment, name)
    assert (explanation.method, explanation.is_raw, explanation.model_task) == (
        back.method, back.is_raw, back.model_task,
    )  # fmt: skip
    return back


tabular = TabularExplainer(model, X_train[:200], features=features, classes=classes)
there_and_back(tabular.explain_global(X_test), "shap, all rows", true_ys=y_test)
there_and_back(tabular.explain_local(X_test[:5]), "shap, five rows", true_ys=y_test[:5])
mimic = MimicExplainer(
    model, X_train[:1000], LGBMExplainableModel, augment_data=False, features=features, classes=classes
)
there_and_back(mimic.explain_global(X_test[:100]), "surrogate", true_ys=y_test[:100])
pfi = PFIExplainer(model, features=features, classes=classes)
there_and_back(pfi.explain_global(X_test[:100], true_labels=y_test[:100]), "permutation")

# A model of three classes behind transformations: the explanation speaks of the raw columns.
frame = data[["PlasmaGlucose", "BMI", "Age"]].assign(Weight=np.where(data["BMI"] > 35, "high", "usual"))
groups = np.digitize(data["Age"], (30, 45))
steps = ColumnTransformer(
    [("n", StandardScaler(), ["PlasmaGlucose", "BMI", "Age"]), ("w", OneHotEncoder(), ["Weight"])]
)
three = make_pipeline(steps, RandomForestClassifier(n_estimators=5, max_depth=4, random_state=0)).fit(frame, groups)
raw = MimicExplainer(
    three.steps[-1][1], frame[:300], LGBMExplainableModel, augment_data=False, features=list(frame.columns),
    classes=["young", "middle", "old"], transformations=three.steps[0][1],
).explain_global(frame[:60])  # fmt: skip
assert raw.is_raw and np.shape(raw.local_importance_values) == (3, 60, 4)
there_and_back(raw, "three classes, raw columns", true_ys=groups[:60])

glass = ExplainableBoostingClassifier(
    feature_names=features, interactions=2, outer_bags=2, max_rounds=100, random_state=0
).fit(X_train[:2000], y_train[:2000])
for comment, explanation in (
    ("glass box", glass.explain_global()), ("glass box, rows", glass.explain_local(X_test[:50], y_test[:50]))
):  # fmt: skip
    client.upload_model_explanation(explanation, comment=comment)
    back = client.download_model_explanation(comment=comment)
    assert type(back) is type(explanation) and back.feature_names == explanation.feature_names
    for key in (0, 3):
        assert same(explanation.data(key)["scores"], back.data(key)["scores"]), (comment, key)
        assert list(explanation.data(key).get("names", [])) == list(back.data(key).get("names", [])), (comment, key)

shapley = shap.TreeExplainer(model)(X_test[:50])
client.upload_model_explanation(shapley, comment="shap's own", true_ys=y_test[:50])
back = client.download_model_explanation(comment="shap's own")
assert np.array_equal(back.values, shapley.values) and np.array_equal(back.data, shapley.data)
run.complete()
listed = client.list_model_explanations()
assert (
    len(listed) == 8
    and len(ExplanationClient.from_run_id(workspace, "own-explain", run.id).list_model_explanations()) == 8
)

opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
server = os.environ["ATELIER_URL"]
with opener.open(f"{server}/sign-in", timeout=60) as answer:
    token, address = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', answer.read().decode())[1], answer.url
form = {"csrfmiddlewaretoken": token, "username": "olga", "password": os.environ["STORY_PASSWORD"]}
opener.open(urllib.request.Request(address, urllib.parse.urlencode(form).encode(), {"Referer": address}), timeout=60)
for record in listed:
    query = urllib.parse.urlencode({"e": record["id"], "p": 3, "top": 8})
    with opener.open(f"{server}/w/{workspace.name}/runs/{run.id}/explanations/?{query}", timeout=60) as answer:
        page = html.unescape(answer.read().decode())
    assert f'<h2 id="exp-what">{record["comment"]}</h2>' in page, record
    table = page.partition('aria-label="Importance by feature"')[2].partition("</table>")[0]
    shown = dict(re.findall(r'<tr><th scope="row">([^<]+)</th><td class="num" title="([^"]+)">', table))
    assert {t["feature"] for t in record["top"][:3]} <= set(shown), (record["comment"], shown)
    for top in record["top"][:8]:
        assert abs(float(shown[top["feature"]]) - top["importance"]) < 1e-9, (record["comment"], top, shown)
    assert record["is_local"] == ("<h3>Row 3" in page), record["comment"]
    assert (record["comment"] == "glass box") == ("Shapes of the glass box" in page), record["comment"]
print("story: ok")
