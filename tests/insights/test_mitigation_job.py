"""What a mitigation's job trains: every algorithm under every constraint, with fairlearn's own classes, on a file's rows."""

import fairlearn.metrics as fm
import numpy as np
import pandas
import pytest

from atelier_jobs.mitigate import Data, DataError, trained

pytestmark = pytest.mark.filterwarnings("ignore")
CONSTRAINTS = [
    "DemographicParity",
    "EqualizedOdds",
    "TruePositiveRateParity",
    "FalsePositiveRateParity",
    "ErrorRateParity",
]
ALGORITHMS = ["GridSearch", "ExponentiatedGradient", "ThresholdOptimizer", "CorrelationRemover"]


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """600 rows whose label and features lean on the group, with a text, gaps, and a few rows without a label."""
    rng = np.random.default_rng(0)
    sex = rng.integers(0, 2, 600)
    frame = pandas.DataFrame(
        {
            "x": rng.normal(size=600) + sex,
            "z": rng.normal(size=600),
            "town": rng.choice(["Ulm", "Trier"], 600),
            "sex": np.array(["f", "m"])[sex],
            "age": rng.integers(20, 90, 600),
        }
    )
    frame["y"] = (frame["x"] + rng.normal(size=600) > 0.7).astype(float)
    frame.loc[::50, "z"] = np.nan
    frame.loc[::97, "y"] = np.nan
    path = tmp_path_factory.mktemp("rows") / "data.csv"
    frame.to_csv(path, index=False)
    return path


def spec(**changes):
    return {
        "label": "y",
        "sensitive": ["sex"],
        "features": ["x", "z", "town"],
        "test_size": 0.3,
        "seed": 0,
        "estimator": "LogisticRegression",
        "constraint": "DemographicParity",
        "algorithm": "GridSearch",
        "grid_size": 6,
        "model": "",
    } | changes


def gap(data, predicted):
    return fm.demographic_parity_difference(data.y_test, predicted, sensitive_features=data.s_test)


@pytest.mark.parametrize("constraint", CONSTRAINTS)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_each_algorithm_trains_under_each_constraint_it_knows(file, algorithm, constraint):
    if (algorithm, constraint) == ("ThresholdOptimizer", "ErrorRateParity"):
        return  # refused before a job is started
    asked = spec(algorithm=algorithm, constraint=constraint)
    data = Data(file, asked)
    models = trained(asked, data)
    assert len(models) == (6 if algorithm == "GridSearch" else 1)
    for label, (_, predict) in models.items():
        first, again = (predict(data.x_test, data.s_test) for _ in range(2))
        assert set(first) <= {0, 1} and len(first) == len(data.y_test) and (first == again).all(), label


@pytest.mark.parametrize(
    ("algorithm", "estimator"),
    # What is freed of linear correlation is fair to a linear model; a tree may still find its way.
    [(a, e) for a in ALGORITHMS[:3] for e in ("LogisticRegression", "DecisionTreeClassifier")]
    + [("CorrelationRemover", "LogisticRegression")],
)
def test_each_algorithm_lessens_the_disparity_of_each_estimator(file, algorithm, estimator):
    from atelier_jobs.mitigate import estimator as plain

    asked = spec(algorithm=algorithm, estimator=estimator, grid_size=15)
    data = Data(file, asked)
    before = gap(data, plain(asked).fit(data.x_train, data.y_train).predict(data.x_test))
    after = [gap(data, predict(data.x_test, data.s_test)) for _, predict in trained(asked, data).values()]
    assert before > 0.2 and min(after) < before * 0.75, (before, after)


def test_several_features_and_ages_make_groups_together(file):
    asked = spec(sensitive=["sex", "age"], algorithm="ThresholdOptimizer")
    data = Data(file, asked)
    assert data.s_test["age"].nunique() == 4 and len(data.s_test.drop_duplicates()) == 8  # ages in four bands
    ((_, predict),) = trained(asked, data).values()
    assert len(predict(data.x_test, data.s_test)) == len(data.y_test)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"label": "diabetic"}, "has no column 'diabetic'"),
        ({"label": "z"}, "must hold both 0 and 1 and nothing else"),
        ({"features": ["x", "note"]}, "different texts"),
    ],
)
def test_rows_that_cannot_be_used_are_told_in_words(file, tmp_path, changes, sentence):
    frame = pandas.read_csv(file)
    frame["note"] = [f"patient {i}" for i in range(len(frame))]
    frame.to_csv(tmp_path / "data.csv", index=False)
    with pytest.raises(DataError, match=sentence):
        Data(tmp_path / "data.csv", spec(**changes))
