"""What may be asked of a mitigation: the form checked, and the first rows of the file it names."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

from runs.limits import clean_text
from runs.models import Artifact
from studio.errors import Invalid
from studio.workspace import storage

ALGORITHMS = {
    "GridSearch": "a grid of models between accuracy and parity",
    "ExponentiatedGradient": "one randomised model within the constraint",
    "ThresholdOptimizer": "the plain model with a threshold for each group",
    "CorrelationRemover": "the plain model on features freed of correlation with the groups",
}
CONSTRAINTS = {
    "DemographicParity": "Demographic parity: selection rates alike",
    "EqualizedOdds": "Equalized odds: true and false positive rates alike",
    "TruePositiveRateParity": "Equal opportunity: true positive rates alike",
    "FalsePositiveRateParity": "False positive rates alike",
    "ErrorRateParity": "Error rates alike",
}
ESTIMATORS = {
    "LogisticRegression": "Logistic regression",
    "DecisionTreeClassifier": "Decision tree (at least 20 rows a leaf)",
    "LGBMClassifier": "Gradient boosted trees (LightGBM)",
}
MAX_GRID = 200
MAX_SENSITIVE, MAX_COLUMNS, MAX_COLUMN_NAME = 20, 5_000, 256
#: Rows of the file that are looked at before a job is started; the job looks at all of them.
ROWS_READ = 50_000
#: What pandas reads as a missing value or a truth value.
MISSING = {"", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "n/a", "<NA>", "#N/A", "-nan", "-NaN"}
TRUTHS = {"True": 1.0, "TRUE": 1.0, "true": 1.0, "False": 0.0, "FALSE": 0.0, "false": 0.0}
#: Rows of each label without which nothing can be trained and tested.
FEWEST = 5


def check(body: Any) -> dict[str, Any]:
    """The request with its defaults, or Invalid naming the field."""
    if not isinstance(body, dict):
        raise Invalid("A mitigation is an object.")
    text = {
        k: clean_text(body.get(k) or "", k, "tag_value", lines=False)
        for k in ("data", "label", "model", "compute", "name")
    }
    if not text["data"] or not text["label"]:
        missing = "data" if not text["data"] else "label"
        raise Invalid("Name the run's CSV file and the column with the labels.", field=missing)
    environment = body.get("environment") or ""
    if not isinstance(environment, (str, dict)):
        raise Invalid("environment is the name of a registered environment, or a definition.", field="environment")
    return {
        **text,
        **_method(body),
        **_columns(body, text["label"]),
        "environment": environment,
        "grid_size": _whole(body, "grid_size", 10, 2, MAX_GRID),
        "test_size": _number(body, "test_size", 0.3, 0.05, 0.9),
        "seed": _whole(body, "seed", 0, 0, 2**31 - 1),
    }


def _method(body: dict[str, Any]) -> dict[str, Any]:
    """Algorithms, constraint and estimator, and whether they fit each other."""
    algorithms, constraint = body.get("algorithms") or ["GridSearch"], body.get("constraint") or "DemographicParity"
    if not isinstance(algorithms, list) or not all(isinstance(a, str) and a in ALGORITHMS for a in algorithms):
        raise Invalid(f"algorithms are of {', '.join(ALGORITHMS)}.", field="algorithms")
    if not isinstance(constraint, str) or constraint not in CONSTRAINTS:
        raise Invalid(f"constraint is one of {', '.join(CONSTRAINTS)}.", field="constraint")
    if constraint == "ErrorRateParity" and "ThresholdOptimizer" in algorithms:
        raise Invalid("ThresholdOptimizer knows no error rate parity; choose another constraint.", field="constraint")
    estimator = body.get("estimator") or "LogisticRegression"
    if not isinstance(estimator, str) or estimator not in ESTIMATORS:
        raise Invalid(f"estimator is one of {', '.join(ESTIMATORS)}.", field="estimator")
    return {
        "algorithms": sorted(set(algorithms), key=list(ALGORITHMS).index),
        "constraint": constraint,
        "estimator": estimator,
    }


def _columns(body: dict[str, Any], label: str) -> dict[str, Any]:
    """The sensitive columns and the features; the label is neither."""
    sensitive, features = _names(body.get("sensitive"), "sensitive"), _names(body.get("features"), "features")
    if not sensitive:
        raise Invalid("sensitive names one or more columns with the groups.", field="sensitive")
    if len(sensitive) > MAX_SENSITIVE:
        raise Invalid(f"sensitive names at most {MAX_SENSITIVE} columns.", field="sensitive")
    if len(features) > MAX_COLUMNS:
        raise Invalid(f"features names at most {MAX_COLUMNS:,} columns.", field="features")
    for key, names in (("sensitive", sensitive), ("features", features)):
        if label in names:
            raise Invalid(f"{key} names {label!r}, which is the label: a model would learn from the answer.", field=key)
    return {"sensitive": sensitive, "features": features}


def _names(given: Any, key: str) -> list[str]:
    names = given or []
    fine = isinstance(names, list) and all(isinstance(n, str) and 0 < len(n) <= MAX_COLUMN_NAME for n in names)
    if not fine:
        raise Invalid(f"{key} is a list of columns, each of 1 to {MAX_COLUMN_NAME} characters.", field=key)
    return list(dict.fromkeys(names))


def _number(body: dict[str, Any], key: str, default: float, low: float, high: float) -> float:
    value = body.get(key)
    if value in (None, ""):
        return default
    try:
        number = math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not low <= number <= high:
        raise Invalid(f"{key} is a number from {low:g} to {high:g}.", field=key)
    return number


def _whole(body: dict[str, Any], key: str, default: int, low: int, high: int) -> int:
    number = _number(body, key, default, low, high)
    if number != int(number):
        raise Invalid(f"{key} is a whole number from {low} to {high}.", field=key)
    return int(number)


def check_rows(spec: dict[str, Any], data: Artifact) -> None:
    """Whether the file has the columns of the request, labels of 0 and 1, and more than one group. Invalid names what not.

    Only the first rows are read: what stands further below is found by the job, which says the same.
    """
    with storage.open_content(data.sha256) as content:
        rows = _read(content, data.path)
        header = next(rows, None) or []
        wanted = {"label": [spec["label"]], "sensitive": spec["sensitive"], "features": spec["features"]}
        for key, names in wanted.items():
            for name in names:
                if name not in header:
                    there = ", ".join(header[:20]) + (" …" if len(header) > 20 else "")
                    raise Invalid(f"{data.path} has no column {name!r}; it has {there or 'no header'}.", field=key)
        if not spec["features"] and not set(header) - {spec["label"], *spec["sensitive"]}:
            raise Invalid(f"{data.path} has no column left as a feature.", field="features")
        _check_values(spec, data.path, header, rows)


def _read(content: Any, path: str) -> Iterator[list[str]]:
    """Rows of a CSV file, those that hold anything."""
    try:
        for row in csv.reader(io.TextIOWrapper(content, encoding="utf-8-sig", newline="")):
            if row:
                yield row
    except (csv.Error, UnicodeDecodeError) as error:
        raise Invalid(f"{path} can't be read as CSV in UTF-8: {str(error)[:120]}.", field="data") from None


def _check_values(spec: dict[str, Any], path: str, header: list[str], rows: Iterator[list[str]]) -> None:
    label, places = header.index(spec["label"]), [header.index(name) for name in spec["sensitive"]]
    counts: Counter[float] = Counter()
    groups: list[set[str]] = [set() for _ in places]
    whole = True
    for number, row in enumerate(rows, start=1):
        if number > ROWS_READ:
            whole = False
            break
        if len(row) <= max(label, *places):
            raise Invalid(f"{path} has too few values in row {number}.", field="data")
        if row[label] not in MISSING:
            counts[_label(row[label], spec["label"], number)] += 1
        for found, place in zip(groups, places, strict=True):
            found.add(row[place])
    if not whole:
        return
    for value in (0.0, 1.0):
        if counts[value] < FEWEST:
            few = f"{counts[value]} rows of {spec['label']!r} are {value:g}; at least {FEWEST} must be to train and to test."
            raise Invalid(few, field="label")
    for name, found in zip(spec["sensitive"], groups, strict=True):
        if len(found - MISSING) < 2:
            raise Invalid(f"The column {name!r} holds one group only; there is nothing to compare.", field="sensitive")


def _label(text: str, name: str, number: int) -> float:
    try:
        value = TRUTHS[text] if text in TRUTHS else float(text)
    except ValueError:
        value = math.nan
    if value not in (0.0, 1.0):
        raise Invalid(
            f"The label {name!r} must hold 0 and 1 only: mitigation is for two classes. Row {number} has {text[:40]!r}.",
            field="label",
        )
    return value
