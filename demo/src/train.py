"""Trains classifiers of diabetes progression, one child run for each regularisation rate, and keeps the best.

Data: scikit-learn's own 442 diabetes patients (Efron et al. 2004): age, sex, body mass index, blood pressure and six
blood serum measurements; the label is whether the disease has progressed more than in the median patient.
"""

import argparse
import json
from pathlib import Path

import joblib
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from azureml.contrib.fairness import upload_dashboard_dictionary
from azureml.core import Run
from azureml.interpret import ExplanationClient, TabularExplainer
from fairlearn.metrics._group_metric_set import _create_group_metric_set
from fairlearn.reductions import DemographicParity, GridSearch
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.metrics import accuracy_score, confusion_matrix, log_loss, roc_auc_score, roc_curve
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

parser = argparse.ArgumentParser()
parser.add_argument("--reg-rates", type=float, nargs="+", default=[0.001, 0.01, 0.1, 1.0])
parser.add_argument("--epochs", type=int, default=30)
args = parser.parse_args()


def train(run, rate, data):
    """Fit one model by stochastic gradient descent, logging its losses at each pass."""
    X_train, X_test, y_train, y_test = data
    scaler = StandardScaler().fit(X_train)
    model = SGDClassifier(loss="log_loss", alpha=rate, learning_rate="invscaling", eta0=0.02, random_state=0)
    for epoch in range(args.epochs):
        model.partial_fit(scaler.transform(X_train), y_train, classes=[0, 1])
        run.log("loss", float(log_loss(y_train, model.predict_proba(scaler.transform(X_train))[:, 1])), step=epoch)
        run.log(
            "validation loss", float(log_loss(y_test, model.predict_proba(scaler.transform(X_test))[:, 1])), step=epoch
        )
    fitted = make_pipeline(scaler, model)
    scores = fitted.predict_proba(X_test)[:, 1]
    run.log("regularisation rate", rate)
    run.log("Accuracy", float(accuracy_score(y_test, scores > 0.5)))
    run.log("AUC", float(roc_auc_score(y_test, scores)))
    return fitted, scores


def accuracy_table(y, scores, points=50):
    """True and false positives and negatives of both classes at evenly spaced thresholds, as the accuracy table has them."""
    thresholds = np.linspace(0, 1, points)

    def tables(cuts):
        return [
            [
                [
                    int((chosen & truth).sum()),
                    int((chosen & ~truth).sum()),
                    int((~chosen & ~truth).sum()),
                    int((~chosen & truth).sum()),
                ]
                for cut in of_class
                for chosen in [p >= cut]
            ]
            for p, truth, of_class in ((1 - scores, y == 0, cuts[0]), (scores, y == 1, cuts[1]))
        ]

    percentiles = [[np.quantile(p, 1 - t) for t in thresholds] for p in (1 - scores, scores)]
    return {
        "schema_type": "accuracy_table",
        "schema_version": "v1",
        "data": {
            "probability_tables": tables([thresholds, thresholds]),
            "percentile_tables": tables(percentiles),
            "probability_thresholds": thresholds.tolist(),
            "percentile_thresholds": thresholds.tolist(),
            "class_labels": ["slower", "faster"],
        },
    }


def plot_labels(run, y):
    """How many patients each label has."""
    figure, axes = plt.subplots(figsize=(5, 3.5))
    axes.bar(["slower", "faster"], np.bincount(y))
    axes.set_ylabel("patients")
    run.log_image("Label distribution", plot=figure)
    plt.close(figure)


def plot_roc(run, y, scores):
    """The receiver operating characteristic of the best model."""
    false_positives, true_positives, _ = roc_curve(y, scores)
    figure, axes = plt.subplots(figsize=(5, 4))
    axes.plot([0, 1], [0, 1], "k--", linewidth=1)
    axes.plot(false_positives, true_positives)
    axes.set(xlabel="false positive rate", ylabel="true positive rate", title="ROC")
    run.log_image("ROC", plot=figure)
    plt.close(figure)


def explain(run, model, registered, data):
    """Which measurement pushes a patient's score up or down: SHAP values of the best model."""
    X_train, X_test, _, y_test = data
    features = list(X_train.columns)
    explainer = TabularExplainer(
        model[-1], X_train, features=features, classes=["slower", "faster"], transformations=[(features, model[0])]
    )
    client = ExplanationClient.from_run(run)
    client.upload_model_explanation(
        explainer.explain_global(X_test), comment="best model", model_id=registered.id, true_ys=y_test.tolist()
    )
    client.upload_model_explanation(
        explainer.explain_local(X_test[:5]), comment="five patients", true_ys=y_test[:5].tolist()
    )


def fairness(run, scores, registered, data):
    """Whether the best model, and others trained to treat ages alike, serve all patients alike."""
    X_train, X_test, y_train, y_test = data
    scaler = StandardScaler().fit(X_train)
    search = GridSearch(LogisticRegression(), constraints=DemographicParity(), grid_size=7)
    search.fit(scaler.transform(X_train), y_train, sensitive_features=groups(X_train)["age"])
    predictions = {registered.id: (scores > 0.5).astype(int)}
    for number, mitigated in enumerate(search.predictors_, start=1):
        predictions[f"mitigated {number}"] = mitigated.predict(scaler.transform(X_test))
    dashboard = _create_group_metric_set(
        y_true=y_test,
        predictions=predictions,
        sensitive_features=groups(X_test),
        prediction_type="binary_classification",
    )
    upload_dashboard_dictionary(
        run, dashboard, dashboard_name="Best and mitigated models by sex and age", validate_model_ids=False
    )


def groups(X):
    """The patients' groups; the data do not say which sex is which."""
    return {
        "sex": np.where(X["sex"] == 1, "first", "second"),
        "age": np.where(X["age"] > 50, "over 50", "50 or younger"),
    }


run = Run.get_context()
bunch = load_diabetes(as_frame=True, scaled=False)
X, y = bunch.data, (bunch.target > bunch.target.median()).astype(int)
data = train_test_split(X, y, test_size=0.3, random_state=0, stratify=y)
X_test, y_test = data[1], data[3].to_numpy()
print(f"{len(data[0])} patients to train on, {len(X_test)} to test with, {X.shape[1]} measurements each")

run.log("patients", len(X))
run.log_list("label counts", np.bincount(y).tolist())
plot_labels(run, y)

Path("outputs").mkdir(exist_ok=True)
Path("logs").mkdir(exist_ok=True)
results = []
for step, rate in enumerate(args.reg_rates):
    with run.child_run(name=f"regularisation {rate:g}") as child:
        child.tag("regularisation rate", f"{rate:g}")
        model, scores = train(child, rate, data)
        auc, accuracy = float(roc_auc_score(y_test, scores)), float(accuracy_score(y_test, scores > 0.5))
    run.log("AUC by rate", auc, step=step)
    run.log_row("rates", rate=rate, AUC=auc, accuracy=accuracy)
    results.append((auc, accuracy, rate, model, scores))
    print(f"regularisation {rate:g}: AUC {auc:.3f}, accuracy {accuracy:.3f}", flush=True)
    with Path("logs/progress.txt").open("a") as file:
        file.write(f"{step + 1} of {len(args.reg_rates)}: regularisation {rate:g} has AUC {auc:.4f}\n")

auc, accuracy, rate, model, scores = max(results, key=lambda result: result[0])
run.log("best regularisation rate", rate)
run.log("AUC", auc)
run.log("Accuracy", accuracy)
weights = model[-1].coef_[0]
run.log_table("weights", {"measurement": list(X.columns), "weight": [round(float(w), 4) for w in weights]})
plot_roc(run, y_test, scores)
run.log_confusion_matrix(
    "Confusion matrix",
    {
        "schema_type": "confusion_matrix",
        "schema_version": "v1",
        "data": {"class_labels": ["slower", "faster"], "matrix": confusion_matrix(y_test, scores > 0.5).tolist()},
    },
)
run.log_accuracy_table("Accuracy table", accuracy_table(y_test, scores))

joblib.dump(model, "outputs/model.pkl")
X_test.assign(faster=y_test, score=scores.round(4)).to_csv("outputs/predictions.csv", index=False)
Path("outputs/summary.json").write_text(json.dumps({"rate": rate, "AUC": auc, "accuracy": accuracy}, indent=2))
run.upload_file("outputs/model.pkl", "outputs/model.pkl")
registered = run.register_model(
    model_name="diabetes-progression",
    model_path="outputs/model.pkl",
    tags={"regularisation rate": f"{rate:g}"},
    properties={"AUC": f"{auc:.4f}"},
    model_framework="ScikitLearn",
)
print(f"registered {registered.name} version {registered.version}: regularisation {rate:g}, AUC {auc:.3f}")

explain(run, model, registered, data)
fairness(run, scores, registered, data)
print("explained the model and measured its fairness")
