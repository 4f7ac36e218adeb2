"""Train on real patients, ask for mitigation, find a model that treats ages more alike, explain it, register it."""

import os

import joblib
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

from atelier.fairness import mitigate
from azureml.contrib.fairness import download_dashboard_by_upload_id, list_dashboards
from azureml.core import Environment, Experiment, Workspace
from azureml.interpret import ExplanationClient

data = pd.read_csv(os.environ["STORY_DATA"] + "/diabetes.csv")
features = [
    "Pregnancies",
    "PlasmaGlucose",
    "DiastolicBloodPressure",
    "TricepsThickness",
    "SerumInsulin",
    "BMI",
    "DiabetesPedigree",
    "Age",
]
age = np.where(data["Age"] > 50, "Over 50", "50 or younger")

run = Experiment(Workspace.from_config(), "own-mitigate").start_logging()
model = LogisticRegression(solver="liblinear").fit(data[features].to_numpy(), data["Diabetic"])
joblib.dump(model, "model.pkl")
run.upload_file("outputs/model.pkl", "model.pkl")
run.complete()

if "STORY_REQUIREMENTS" in os.environ:
    mine = Environment.from_pip_requirements("in-a-container", os.environ["STORY_REQUIREMENTS"])
else:
    mine = Environment("this-python")
    mine.python.user_managed_dependencies = True
asked = mitigate(
    run,
    data[features],
    data["Diabetic"],
    {"Age": age},
    algorithms=["GridSearch", "ThresholdOptimizer", "CorrelationRemover", "ExponentiatedGradient"],
    constraint="DemographicParity",
    grid_size=5,
    model="outputs/model.pkl",
    environment=mine,
    compute=os.environ.get("STORY_COMPUTE"),
)
dashboard = download_dashboard_by_upload_id(run, asked.wait(timeout=float(os.environ.get("STORY_SECONDS", 300))))
assert [d["id"] for d in list_dashboards(run)] == [asked.dashboard_id]

states = {child["name"]: child["status"] for child in asked.record["children"]}
assert set(states.values()) == {"Completed"}, states
names = dashboard["modelNames"]
assert {"outputs/model.pkl", "ThresholdOptimizer", "ExponentiatedGradient", "CorrelationRemover"} < set(names), names
assert sum(name.startswith("GridSearch") for name in names) == 5


def gap(name):
    """The demographic parity difference of a model."""
    rates = dashboard["precomputedMetrics"][0][names.index(name)]["selection_rate"]["bins"]
    return max(rates) - min(rates)


assert gap("ThresholdOptimizer") < 0.1 < 0.4 < gap("outputs/model.pkl"), {name: gap(name) for name in names}
child = next(
    c
    for c in run.get_children()
    if c.id in asked.children and "Threshold" in c.get_details()["properties"]["mitigation.algorithm"]
)
explained = ExplanationClient.from_run(child).list_model_explanations()
assert [e["comment"] for e in explained] == ["ThresholdOptimizer"], explained
print("children:", *asked.children)
print("story: ok")
