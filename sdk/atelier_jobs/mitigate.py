"""`python -m atelier_jobs.mitigate`: trains models under a fairness constraint, explains and reports them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from atelier import artifacts
from atelier.client import segment
from atelier.errors import AtelierError
from atelier_jobs.inputs import Job

#: Rows and shuffles of the permutation importance of each model.
EXPLAINED_ROWS, SHUFFLES = 1000, 2
#: Different texts of a column that are made into columns of 0 and 1.
MOST_VALUES = 200
THRESHOLD_NAMES = {
    "DemographicParity": "demographic_parity",
    "EqualizedOdds": "equalized_odds",
    "TruePositiveRateParity": "true_positive_rate_parity",
    "FalsePositiveRateParity": "false_positive_rate_parity",
}


class DataError(ValueError):
    """The data cannot be used, in words for its owner."""


def main() -> int:
    """Train what the spec asks for, then tell the server."""
    job = Job()
    spec = job.spec
    try:
        return mitigated(job, spec)
    except DataError as error:
        print(f"Error: {error}", file=sys.stderr)
    except ModuleNotFoundError as error:
        print(f"Error: the environment lacks the package {error.name}. Choose one that has it.", file=sys.stderr)
    return 2


def mitigated(job: Job, spec: dict[str, Any]) -> int:
    """Train, explain, report; DataError where the data or the original model cannot be used."""
    data = Data(job.folder / "inputs/data.csv", spec)
    before = original(job, spec, data)  # first: a model that can't be used is told before anything is trained
    print(
        f"{len(data.y_train)} rows to train on, {len(data.y_test)} to test, {data.x_train.shape[1]} features.",
        flush=True,
    )
    try:
        models = trained(spec, data)
    except ValueError as error:  # fairlearn's and scikit-learn's word for data that do not suit the method
        raise DataError(f"{spec['algorithm']} cannot work with these rows: {str(error)[:1000]}") from error
    report: dict[str, Any] = {
        "y_true": data.y_test.tolist(),
        "sensitive": {name: data.s_test[name].astype(str).tolist() for name in data.s_test.columns},
        "predictions": {},
        "models": {},
        "original": before,
    }
    for label, (model, predict) in models.items():
        report["predictions"][label] = predict(data.x_test, data.s_test).tolist()
        report["models"][label] = {
            "path": saved(job, model, label),
            "explanation_id": explained(job, label, predict, data),
        }
        print(f"{label}: {sum(report['predictions'][label])} of {len(data.y_test)} selected.", flush=True)
    answer = job.client.call("POST", f"/runs/{segment(job.run_id)}/mitigation", json_body=report)
    print(f"Reported to the dashboard {answer['dashboard_id']}.", flush=True)
    return 0


class Data:
    """The rows split into training and test: x as numbers (text is one-hot encoded), y as 0/1, s the groups."""

    def __init__(self, path: Path, spec: dict[str, Any]) -> None:
        import pandas
        from sklearn.model_selection import train_test_split

        frame = pandas.read_csv(path)
        wanted = [spec["label"], *spec["sensitive"], *spec["features"]]
        absent = [c for c in wanted if c not in frame.columns]
        if absent:
            raise DataError(f"The file has no column {absent[0]!r}; it has {', '.join(map(str, frame.columns[:30]))}.")
        frame = frame.dropna(subset=[spec["label"], *spec["sensitive"]])
        y = pandas.to_numeric(frame[spec["label"]], errors="coerce")
        if set(y.unique()) != {0, 1}:
            raise DataError(f"The label {spec['label']!r} must hold both 0 and 1 and nothing else.")
        features = spec["features"] or [c for c in frame.columns if c not in (spec["label"], *spec["sensitive"])]
        # The columns as the original model takes them, and the same as numbers for the new ones.
        raw = frame[features]
        for name in raw.select_dtypes(exclude="number").columns:
            if raw[name].nunique() > MOST_VALUES:
                raise DataError(
                    f"The column {name!r} holds {raw[name].nunique()} different texts; at most {MOST_VALUES} make a feature. "
                    "Name the feature columns without it."
                )
        x = pandas.get_dummies(raw).astype(float)
        x = x.fillna(x.median()).fillna(0.0)
        s = frame[spec["sensitive"]].rename(columns=lambda c: c.removeprefix("sensitive__"))
        s = s.apply(grouped)
        parts = train_test_split(
            x, y.astype(int), s, raw, test_size=spec["test_size"], random_state=spec["seed"], stratify=y
        )
        self.x_train, self.x_test, self.y_train, self.y_test, self.s_train, self.s_test, _, self.raw_test = parts
        self.spec = spec


def grouped(column: Any) -> Any:
    """Groups of a column: its values, or four bands of a number with many."""
    import pandas

    if pandas.api.types.is_numeric_dtype(column) and column.nunique() > 10:
        return pandas.qcut(column, 4, duplicates="drop").astype(str)
    return column.astype(str)


def estimator(spec: dict[str, Any]) -> Any:
    """The plain model that is constrained."""
    if spec["estimator"] == "LGBMClassifier":
        from lightgbm import LGBMClassifier

        return LGBMClassifier(random_state=spec["seed"], verbose=-1, n_jobs=1, n_estimators=50)
    if spec["estimator"] == "DecisionTreeClassifier":
        from sklearn.tree import DecisionTreeClassifier

        return DecisionTreeClassifier(min_samples_leaf=20, random_state=spec["seed"])
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(solver="liblinear", random_state=spec["seed"])


def trained(spec: dict[str, Any], data: Data) -> dict[str, tuple[Any, Any]]:
    """{label: (model, function of rows and groups that predicts)} of the algorithm of the spec."""
    import fairlearn.reductions as reductions

    algorithm = spec["algorithm"]
    if algorithm == "ThresholdOptimizer":
        return _threshold(spec, data)
    if algorithm == "CorrelationRemover":
        return _decorrelated(spec, data)
    constraint = getattr(reductions, spec["constraint"])()
    if algorithm == "GridSearch":
        search = reductions.GridSearch(estimator(spec), constraints=constraint, grid_size=spec["grid_size"])
        search.fit(data.x_train, data.y_train, sensitive_features=data.s_train)
        width = len(str(len(search.predictors_) - 1))
        return {f"GridSearch {i:0{width}d}": (m, _plainly(m)) for i, m in enumerate(search.predictors_)}
    model = reductions.ExponentiatedGradient(estimator(spec), constraints=constraint)
    model.fit(data.x_train, data.y_train, sensitive_features=data.s_train)
    return {algorithm: (model, lambda x, s: _numbers(model.predict(x, random_state=spec["seed"])))}


def _plainly(model: Any) -> Any:
    return lambda x, s: _numbers(model.predict(x))


def _threshold(spec: dict[str, Any], data: Data) -> dict[str, tuple[Any, Any]]:
    from fairlearn.postprocessing import ThresholdOptimizer

    model = ThresholdOptimizer(
        estimator=estimator(spec), constraints=THRESHOLD_NAMES[spec["constraint"]], predict_method="auto"
    )
    model.fit(data.x_train, data.y_train, sensitive_features=data.s_train)
    predict = lambda x, s: _numbers(model.predict(x, sensitive_features=s, random_state=spec["seed"]))  # noqa: E731
    return {"ThresholdOptimizer": (model, predict)}


def _decorrelated(spec: dict[str, Any], data: Data) -> dict[str, tuple[Any, Any]]:
    """A pipeline on the features and the groups as numbers; the remover takes the groups out again."""
    import pandas
    from fairlearn.preprocessing import CorrelationRemover
    from sklearn.pipeline import make_pipeline

    names = list(pandas.get_dummies(data.s_train).columns)

    def together(x: Any, s: Any) -> Any:
        groups = pandas.get_dummies(s).reindex(columns=names, fill_value=0).astype(float)
        return pandas.concat([x.reset_index(drop=True), groups.add_prefix("group ").reset_index(drop=True)], axis=1)

    remover = CorrelationRemover(sensitive_feature_ids=[f"group {n}" for n in names[1:] or names])
    model = make_pipeline(remover, estimator(spec))
    model.fit(together(data.x_train, data.s_train), data.y_train)
    return {"CorrelationRemover": (model, lambda x, s: _numbers(model.predict(together(x, s))))}


def _numbers(predicted: Any) -> Any:
    import numpy as np

    return np.asarray(predicted).ravel().astype(int)


def original(job: Job, spec: dict[str, Any], data: Data) -> list[int] | None:
    """Predictions of the model the user has, or of the plain estimator when none was named."""
    import numpy as np

    if not spec["model"]:
        plain = estimator(spec).fit(data.x_train, data.y_train)
        return _numbers(plain.predict(data.x_test)).tolist()
    name = spec["model"]
    try:
        model = job.model()
    except ModuleNotFoundError:
        raise
    except Exception as error:
        raise DataError(f"The model {name} can't be loaded: {type(error).__name__}: {str(error)[:500]}") from error
    if not hasattr(model, "predict"):
        raise DataError(f"The model {name} holds a {type(model).__name__}, which has no predict.")
    rows: Any = data.raw_test if getattr(model, "feature_names_in_", None) is not None else data.raw_test.to_numpy()
    try:
        predicted = np.asarray(model.predict(rows)).ravel()
    except Exception as error:
        columns = ", ".join(map(str, data.raw_test.columns[:10]))
        raise DataError(
            f"The model {name} refused the columns {columns}: {type(error).__name__}: {str(error)[:500]} "
            "Name the feature columns it was trained on, or leave the original out."
        ) from error
    if not set(predicted.tolist()) <= {0, 1}:
        raise DataError(f"The model {name} predicts other values than 0 and 1.")
    return _numbers(predicted).tolist()


def saved(job: Job, model: Any, label: str) -> str:
    """Keep a model among the run's files; its path there.

    It is sent at once: what lies in outputs/ is sent when the job ends, and the tab offers the model from the report on.
    """
    import joblib

    name = f"outputs/models/{label.replace(' ', '-').lower()}.joblib"
    file = job.folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    joblib.dump(model, file)
    artifacts.upload(job.client, job.run_id, name, file)
    return name


def explained(job: Job, label: str, predict: Any, data: Data) -> str | None:
    """Upload the model's permutation importance on test rows; its id. A failure costs the picture, not the model."""
    from atelier.explanations import Explanations
    from atelier.explanations.explainers import PFIExplainer

    x, y, s = (part.iloc[:EXPLAINED_ROWS] for part in (data.x_test, data.y_test, data.s_test))
    explainer = PFIExplainer(
        lambda rows: predict(rows, s), is_function=True, n_repeats=SHUFFLES, model_task="classification",
        classes=["0", "1"],
    )  # fmt: skip
    try:
        explanation = explainer.explain_global(x, true_labels=y.to_numpy())
        return Explanations(job.client, job.run_id).upload(explanation, comment=label, true_ys=y.to_numpy())
    except (AtelierError, ValueError) as error:
        print(f"The explanation of {label} was not uploaded: {error}", file=sys.stderr)
        return None


if __name__ == "__main__":
    sys.exit(main())
