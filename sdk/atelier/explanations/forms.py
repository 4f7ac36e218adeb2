"""Reads what explainers of the field return: interpret-community, interpret, shap, and our own.

Each becomes properties with the same names and shapes, so that the server and its pages know one form.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from atelier.errors import UserError

ARRAYS = (
    "expected_values", "local_importance_values", "global_importance_values", "global_importance_rank",
    "per_class_values", "eval_y_predicted", "eval_y_predicted_proba",
)  # fmt: skip
META = ("method", "model_type", "model_task")


@dataclass
class Form:
    """`source` says where it came from; `original` is kept besides when the properties alone would not restore it."""

    source: str
    properties: dict[str, Any]
    meta: dict[str, Any] = field(default_factory=dict)
    original: dict[str, Any] | None = None
    terms: list[dict[str, Any]] | None = None


def read(explanation: Any) -> Form:
    """The form of any known explanation; `UserError` names what it got otherwise."""
    from atelier.explanations.result import Explanation

    if isinstance(explanation, Explanation):
        return Form("interpret-community", dict(explanation._properties), dict(explanation._meta))
    if type(explanation).__module__.split(".")[0] == "shap" and hasattr(explanation, "values"):
        return _of_shap(explanation)
    if hasattr(explanation, "local_importance_values") or hasattr(explanation, "global_importance_values"):
        return _of_community(explanation)
    if hasattr(explanation, "explanation_type") and callable(getattr(explanation, "data", None)):
        return _of_interpret(explanation)
    raise UserError(
        f"A {type(explanation).__module__}.{type(explanation).__name__} is no explanation this SDK knows; give one of "
        "interpret-community, interpret or shap."
    )


def _of_community(explanation: Any) -> Form:
    properties: dict[str, Any] = {}
    for name in ARRAYS:
        value = getattr(explanation, f"_{name}", None)
        if value is None or callable(value):
            value = getattr(explanation, name, None)
        properties[name] = numbers(value)
    for name in ("features", "classes"):
        properties[name] = _plain_list(getattr(explanation, name, None))
    for name in ("eval_data", "init_data"):
        properties[name] = _data(getattr(explanation, name, None))
    meta: dict[str, Any] = {name: str(getattr(explanation, name, "") or "") for name in META}
    meta |= {name: bool(getattr(explanation, name, False)) for name in ("is_raw", "is_engineered")}
    meta["id"] = str(getattr(explanation, "id", "") or "")
    return Form("interpret-community", {k: v for k, v in properties.items() if v is not None}, meta)


def numbers(value: Any) -> Any:
    """A numeric array, sparse matrices as they are; None stays None."""
    import numpy as np

    from atelier.explanations.files import is_sparse

    if value is None or is_sparse(value):
        return value
    if isinstance(value, (list, tuple)) and value and all(is_sparse(v) for v in value):
        return list(value)
    return np.atleast_1d(np.asarray(value))


def _plain_list(value: Any) -> list[Any] | None:
    if value is None:
        return None
    return value.tolist() if hasattr(value, "tolist") else list(value)


def _data(value: Any) -> Any:
    """Rows of a dataset in whatever wrapper: a numeric array, a sparse matrix or a list of rows."""
    from atelier.explanations.files import as_numbers, is_sparse

    value = getattr(value, "original_dataset", value)
    if value is None or is_sparse(value) or isinstance(value, str):
        return None if isinstance(value, str) else value
    array = as_numbers(value)
    if array is not None:
        return array
    if hasattr(value, "to_numpy"):
        value = value.to_numpy()
    return value.tolist() if hasattr(value, "tolist") else list(value)


def _of_shap(explanation: Any) -> Form:
    import numpy as np

    values = np.asarray(explanation.values)
    if values.ndim not in (1, 2, 3):
        raise UserError(
            f"A shap Explanation with values of shape {values.shape} cannot be uploaded; give rows x features."
        )
    local = values[None, :] if values.ndim == 1 else values if values.ndim == 2 else np.moveaxis(values, 2, 0)
    base = np.asarray(explanation.base_values, dtype=np.float64) if explanation.base_values is not None else None
    names = explanation.feature_names
    properties: dict[str, Any] = {
        "features": list(names) if names is not None else [f"Feature {i}" for i in range(local.shape[-1])],
        "local_importance_values": local,
        "classes": _plain_list(explanation.output_names) if values.ndim == 3 else None,
        "expected_values": None if base is None else _expected(base, values.ndim),
        "eval_data": _data(None if explanation.data is None else np.atleast_2d(explanation.data)),
    }
    original = {
        name: getattr(explanation, name, None)
        for name in ("values", "base_values", "data", "feature_names", "output_names")
    }
    meta = {"method": "shap", "model_task": "classification" if values.ndim == 3 else "unknown"}
    return Form("shap", {k: v for k, v in properties.items() if v is not None}, meta, original)


def _expected(base: Any, dimensions: int) -> Any:
    import numpy as np

    if base.ndim == 0:
        return base[None]
    return (
        base.mean(axis=0)[None]
        if dimensions < 3 and base.ndim == 1
        else np.atleast_1d(base.mean(axis=0))
        if base.ndim == 2
        else base
    )


def _of_interpret(explanation: Any) -> Form:
    kind = explanation.explanation_type
    if kind not in ("global", "local"):
        raise UserError(
            f"A {type(explanation).__name__} of the kind {kind!r} tells of data or performance, not of a model's "
            "reasons; upload a global or local explanation, and log performance as metrics."
        )
    # A partial dependence has no whole to give (its data(-1) is the last feature's), so what is inside comes first.
    whole = getattr(explanation, "_internal_obj", None)
    if not isinstance(whole, dict):
        try:
            whole = explanation.data(-1)
        except (KeyError, IndexError, TypeError, AttributeError):
            whole = None
    original = {
        "class": type(explanation).__name__,
        "explanation_type": kind,
        "name": getattr(explanation, "name", None),
        "feature_names": getattr(explanation, "feature_names", None),
        "feature_types": getattr(explanation, "feature_types", None),
        "selector": getattr(explanation, "selector", None),
        "internal_obj": getattr(explanation, "_internal_obj", whole),
    }
    meta = {"method": str(original["name"] or type(explanation).__name__), "model_task": "unknown"}
    specific = (whole or {}).get("specific") or []
    if kind == "local":
        properties, task = _interpret_local(specific, original["class"])
        return Form("interpret", properties, {**meta, "model_task": task}, original)
    overall = (whole or {}).get("overall") or explanation.data(None) or {}
    properties = {}
    if overall.get("names") is not None and overall.get("scores") is not None:
        scores = numbers(overall["scores"])
        if scores.ndim == 1 and scores.dtype.kind in "iuf":
            properties = {"features": [str(n) for n in overall["names"]], "global_importance_values": scores}
    terms = [{**(s or {}), "name": _term_name(explanation, overall, i)} for i, s in enumerate(specific)]
    return Form("interpret", properties, meta, original, terms or None)


def _term_name(explanation: Any, overall: dict[str, Any], position: int) -> str:
    names = overall.get("names") or getattr(explanation, "feature_names", None) or []
    return str(names[position]) if position < len(names) else f"term {position}"


def _interpret_local(specific: list[dict[str, Any]], kind: str) -> tuple[dict[str, Any], str]:
    """Rows of a local explanation of interpret: scores, values, perf.

    scores of a row: features, or features x classes (an EBM's, an APLR's), or classes x features (a linear model's).
    """
    import numpy as np

    if not specific or any(s is None or "scores" not in s for s in specific):
        return {}, "unknown"
    scores = np.array([np.asarray([np.asarray(v, dtype=np.float64) for v in s["scores"]]) for s in specific])
    features = len(specific[0]["names"])
    last = scores.ndim == 3 and scores.shape[2] == features
    classes_first = last and (scores.shape[1] != features or kind == "FeatureValueExplanation")
    local = scores if scores.ndim == 2 else np.moveaxis(scores, 1 if classes_first else 2, 0)
    properties: dict[str, Any] = {
        "features": [str(n) for n in specific[0]["names"]],
        "local_importance_values": local,
        "eval_data": _data([list(s["values"]) for s in specific]) if "values" in specific[0] else None,
    }
    labels = (specific[0].get("meta") or {}).get("label_names")
    if labels is not None and (local.ndim == 2 or len(labels) == len(local)):
        properties["classes"] = [str(name) for name in labels]
    extra = specific[0].get("extra") or {}
    if extra.get("scores") is not None:
        properties["expected_values"] = np.atleast_1d(np.asarray(extra["scores"][0], dtype=np.float64))
    perf = [s.get("perf") or {} for s in specific]
    classification = bool(perf[0].get("is_classification"))
    properties |= _performance(perf, "actual", "true_ys") | _performance(perf, "predicted", "eval_y_predicted")
    task = "classification" if classification else "regression" if perf[0] else "unknown"
    return {k: v for k, v in properties.items() if v is not None}, task


def _performance(perf: list[dict[str, Any]], key: str, name: str) -> dict[str, Any]:
    import numpy as np

    values = [p.get(key) for p in perf]
    if any(v is None or isinstance(v, str) for v in values):
        return {}
    array = np.asarray(values, dtype=np.float64)
    return {} if np.isnan(array).any() else {name: array}
