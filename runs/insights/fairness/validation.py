"""Checks a dashboard dictionary. Every refusal names the key at fault, so that a script's author can find it."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from runs.insights.fairness.builder import SCHEMA_TYPE, SCHEMA_VERSION
from runs.insights.fairness.measures import BINARY, DICTIONARY_KEYS, MEASURES, PREDICTION_TYPES, PROBABILITY
from studio.errors import Invalid

REQUIRED = (
    "schemaType",
    "schemaVersion",
    "predictionType",
    "trueY",
    "modelNames",
    "predictedY",
    "precomputedFeatureBins",
    "precomputedMetrics",
)
MAX_ROWS = 2_000_000
MAX_MODELS = 500
MAX_FEATURES = 500
MAX_GROUPS = 1_000
MAX_NAME = 256


def check(dashboard: Any, is_registered: Callable[[str], bool] | None = None) -> None:
    """Raise Invalid when the dictionary cannot be a dashboard.

    is_registered: asked for each model name when ids are to be validated; None leaves names free.
    """
    if not isinstance(dashboard, dict):
        raise Invalid("The dashboard must be a JSON object.", field="dashboard")
    for key in REQUIRED:
        if key not in dashboard:
            raise Invalid(f"The dashboard lacks the key '{key}'.", field=key)
    _expect(dashboard["schemaType"] == SCHEMA_TYPE, "schemaType", f"must be '{SCHEMA_TYPE}'")
    version = dashboard["schemaVersion"]
    _expect(
        version == SCHEMA_VERSION and not isinstance(version, bool),
        "schemaVersion",
        f"must be {SCHEMA_VERSION}",
    )
    kind = dashboard["predictionType"]
    _expect(isinstance(kind, str) and kind in PREDICTION_TYPES, "predictionType", _one_of(PREDICTION_TYPES))
    truth = _numbers(dashboard["trueY"], "trueY")
    _expect(0 < len(truth) <= MAX_ROWS, "trueY", f"must have between 1 and {MAX_ROWS:,} values")
    names = _model_names(dashboard["modelNames"], is_registered)
    predicted = _predictions(dashboard["predictedY"], names, len(truth))
    _values_fit(kind, truth, predicted)
    _more(dashboard, REQUIRED, "")
    groups = _feature_bins(dashboard["precomputedFeatureBins"], len(truth))
    _metrics(dashboard["precomputedMetrics"], kind, groups, names)


def _expect(condition: bool, key: str, what: str) -> None:
    if not condition:
        raise Invalid(f"'{key}' {what}.", field=key)


def _one_of(names: Iterable[str]) -> str:
    return "must be one of " + ", ".join(f"'{name}'" for name in names)


def _text(value: Any) -> str:
    """A name as it may stand in an error: short, and in quotes."""
    text = str(value)
    return f"'{text[:80]}…'" if len(text) > 80 else f"'{text}'"


def _numbers(values: Any, key: str) -> np.ndarray:
    _expect(isinstance(values, list), key, "must be a list of numbers")
    if not set(map(type, values)) <= {int, float}:
        i, wrong = next((i, v) for i, v in enumerate(values) if type(v) not in (int, float))
        raise Invalid(f"'{key}' must hold numbers only; value {i} is {_text(wrong)}.", field=key)
    try:
        array = np.asarray(values, dtype=np.float64)
    except OverflowError:
        raise Invalid(f"'{key}' holds a number too large to compute with.", field=key) from None
    bad = np.flatnonzero(~np.isfinite(array))
    _expect(not len(bad), key, f"must hold finite numbers; value {bad[0] if len(bad) else ''} is not")
    for i in np.flatnonzero(np.abs(array) >= 2.0**63).tolist():
        _expect(isinstance(values[i], float), key, f"holds a whole number of more than 64 bits at {i}")
    return array


def _finite(value: Any) -> bool:
    """Whether it is a number that can be computed with and kept: whole ones have 64 bits at most."""
    if type(value) is float:
        return -1e300 <= value <= 1e300
    return type(value) is int and -(2**63) <= value < 2**63


def _name(value: Any, key: str) -> str:
    _expect(isinstance(value, str) and bool(value.strip()), key, "must be text that is not empty")
    _kept(value, key)
    return value


def _kept(value: Any, key: str) -> None:
    """Text that a database and a page can keep."""
    _expect(isinstance(value, str) and len(value) <= MAX_NAME, key, f"must be text of at most {MAX_NAME} characters")
    _expect("\x00" not in value, key, "must not hold a NUL character, which a database cannot keep")
    _expect(value.isascii() or not any("\ud800" <= c <= "\udfff" for c in value), key, "holds half of a character")


def _more(entry: dict[str, Any], known: Iterable[str], key: str) -> None:
    """Keys beside the known ones are kept as they are, if JSON can keep them."""
    for name in entry.keys() - set(known):
        here = f"{key}.{name[:80]}" if key else name[:80]
        waiting = [name, entry[name]]
        while waiting:
            value = waiting.pop()
            if isinstance(value, dict):
                waiting += [*value, *value.values()]
            elif isinstance(value, list):
                waiting += value
            elif isinstance(value, str):
                _expect(not any("\ud800" <= c <= "\udfff" for c in value), here, "holds half of a character")
            elif isinstance(value, (int, float)):
                _expect(isinstance(value, bool) or _finite(value), here, "holds a number that JSON cannot keep")


def _model_names(names: Any, is_registered: Callable[[str], bool] | None) -> list[str]:
    _expect(isinstance(names, list) and bool(names), "modelNames", "must be a list with at least one name")
    _expect(len(names) <= MAX_MODELS, "modelNames", f"may name at most {MAX_MODELS} models")
    for i, name in enumerate(names):
        _name(name, f"modelNames[{i}]")
    if len(set(names)) != len(names):
        twice = next(n for n in names if names.count(n) > 1)
        raise Invalid(f"'modelNames' names {_text(twice)} twice.", field="modelNames")
    if is_registered:
        for name in names:
            if not is_registered(name):
                raise Invalid(
                    f"'modelNames' holds {_text(name)}, which is no model registered in this workspace "
                    "(ids read name:version). Register it, or upload with validate_model_ids=False.",
                    field="modelNames",
                )
    return names


def _predictions(predicted: Any, names: list[str], rows: int) -> list[np.ndarray]:
    _expect(isinstance(predicted, list), "predictedY", "must be a list with one list of predictions per model")
    _expect(
        len(predicted) == len(names),
        "predictedY",
        f"has {len(predicted)} lists for {len(names)} models in 'modelNames'",
    )
    arrays = []
    for i, values in enumerate(predicted):
        array = _numbers(values, f"predictedY[{i}]")
        if len(array) != rows:
            raise Invalid(
                f"'predictedY[{i}]' has {len(array)} predictions for {rows} values in 'trueY'.", field="predictedY"
            )
        arrays.append(array)
    return arrays


def _values_fit(kind: str, truth: np.ndarray, predicted: list[np.ndarray]) -> None:
    """Binary truth is 0/1 (or −1/1 for hard predictions); probabilities lie between 0 and 1."""
    if kind == BINARY:
        everything = set(np.unique(truth)).union(*(set(np.unique(p)) for p in predicted))
        for labels in ({0.0, 1.0}, {-1.0, 1.0}):
            if everything <= labels:
                return
        key = "trueY"
        for i, p in enumerate(predicted):
            if not (set(np.unique(p)) <= {0.0, 1.0} or set(np.unique(p)) <= {-1.0, 1.0}):
                key = f"predictedY[{i}]"
                break
        raise Invalid(f"'{key}' must hold the two labels 0 and 1 (or -1 and 1) throughout.", field=key.split("[")[0])
    if kind == PROBABILITY:
        _expect(
            set(np.unique(truth)) <= {0.0, 1.0}, "trueY", "must hold 0 and 1 only when predictions are probabilities"
        )
        for i, p in enumerate(predicted):
            _expect(bool((p >= 0).all() and (p <= 1).all()), f"predictedY[{i}]", "must hold probabilities from 0 to 1")


def _feature_bins(bins: Any, rows: int) -> list[tuple[str, int]]:
    key = "precomputedFeatureBins"
    _expect(isinstance(bins, list) and bool(bins), key, "must be a list with at least one sensitive feature")
    _expect(len(bins) <= MAX_FEATURES, key, f"may hold at most {MAX_FEATURES} sensitive features")
    seen: list[tuple[str, int]] = []
    for i, entry in enumerate(bins):
        here = f"{key}[{i}]"
        _expect(isinstance(entry, dict), here, "must be an object with featureBinName, binVector and binLabels")
        for part in ("featureBinName", "binVector", "binLabels"):
            _expect(part in entry, f"{here}.{part}", "is missing")
        name = _name(entry["featureBinName"], f"{here}.featureBinName")
        _expect(name not in [n for n, _ in seen], f"{here}.featureBinName", f"names {_text(name)} a second time")
        labels = entry["binLabels"]
        _expect(isinstance(labels, list) and bool(labels), f"{here}.binLabels", "must be a list of group names")
        _expect(len(labels) <= MAX_GROUPS, f"{here}.binLabels", f"may name at most {MAX_GROUPS:,} groups")
        for j, label in enumerate(labels):
            _kept(label, f"{here}.binLabels[{j}]")
        if len(set(labels)) != len(labels):
            twice = next(label for label in labels if labels.count(label) > 1)
            raise Invalid(f"'{here}.binLabels' names {_text(twice)} twice.", field=f"{here}.binLabels")
        _more(entry, ("featureBinName", "binVector", "binLabels"), here)
        _bin_vector(entry["binVector"], f"{here}.binVector", rows, len(labels))
        seen.append((name, len(labels)))
    return seen


def _bin_vector(vector: Any, key: str, rows: int, groups: int) -> None:
    values = _numbers(vector, key)
    _expect(len(values) == rows, key, f"has {len(values)} entries for {rows} values in 'trueY'")
    wrong = np.flatnonzero((values != np.floor(values)) | (values < 0) | (values >= groups))
    _expect(
        not len(wrong),
        key,
        f"must hold whole numbers from 0 to {groups - 1}; entry {wrong[0] if len(wrong) else ''} is not",
    )


def _metrics(metrics: Any, kind: str, groups: list[tuple[str, int]], names: list[str]) -> None:
    key = "precomputedMetrics"
    _expect(isinstance(metrics, list), key, "must be a list with one entry per sensitive feature")
    _expect(len(metrics) == len(groups), key, f"has {len(metrics)} entries for {len(groups)} sensitive features")
    known = set(DICTIONARY_KEYS[kind]) | {m.key for m in MEASURES[kind]}
    for i, per_model in enumerate(metrics):
        here = f"{key}[{i}]"
        _expect(isinstance(per_model, list), here, "must be a list with one entry per model")
        _expect(len(per_model) == len(names), here, f"has {len(per_model)} entries for {len(names)} models")
        for j, cell in enumerate(per_model):
            at = f"{here}[{j}]"
            _expect(isinstance(cell, dict), at, "must be an object of metrics")
            for name, entry in cell.items():
                _expect(
                    name in known,
                    f"{at}.{str(name)[:80]}",
                    f"is no metric of {kind}; known are {', '.join(sorted(known))}",
                )
                _metric(entry, f"{at}.{name}", groups[i][1])


def _metric(entry: Any, key: str, groups: int) -> None:
    _expect(
        isinstance(entry, dict) and "global" in entry and "bins" in entry,
        key,
        "must be an object with 'global' and 'bins'",
    )
    overall, values = entry["global"], entry["bins"]
    _expect(_finite(overall), f"{key}.global", "must be a finite number")
    # Most lists are short, and there may be hundreds of thousands of them.
    if not (isinstance(values, list) and all(map(_finite, values))):
        _numbers(values, f"{key}.bins")
        raise Invalid(f"'{key}.bins' holds a number too large to compute with.", field=f"{key}.bins")
    _expect(len(values) == groups, f"{key}.bins", f"has {len(values)} values for {groups} groups")
    if len(entry) > 2:
        _more(entry, ("global", "bins"), key)
