"""From engineered features back to the raw ones that people know."""

from __future__ import annotations

from typing import Any

from atelier.errors import UserError
from atelier.explanations.result import Explanation


def to_raw(
    explanation: Explanation, feature_maps: list[Any], raw_feature_names: list[str] | None, eval_data: Any
) -> Explanation:
    """Sum the importance of engineered features into the raw features they came from."""
    import numpy as np

    combined = np.asarray(_dense(feature_maps[0]), dtype=np.float64)
    for step in feature_maps[1:]:
        combined = combined @ np.asarray(_dense(step), dtype=np.float64)
    if combined.shape[1] != explanation.num_features:
        raise UserError(
            f"The feature map leads to {combined.shape[1]} engineered features; "
            f"the explanation has {explanation.num_features}."
        )
    source = explanation._properties
    properties = {
        k: v for k, v in source.items() if k in ("classes", "expected_values", "eval_y_predicted",
                                                 "eval_y_predicted_proba", "true_ys")
    }  # fmt: skip
    properties["features"] = list(raw_feature_names or range(combined.shape[0]))
    if eval_data is not None:
        properties["eval_data"] = eval_data
    if "local_importance_values" in source:
        from atelier.explanations.result import _dense as dense

        local = dense(source["local_importance_values"]) @ combined.T
        properties |= from_local(local) if "global_importance_values" in source else {"local_importance_values": local}
    elif "global_importance_values" in source:
        properties["global_importance_values"] = source["global_importance_values"] @ combined.T
        if "per_class_values" in source:
            properties["per_class_values"] = source["per_class_values"] @ combined.T
    return Explanation(properties, {**explanation._meta, "is_raw": True, "is_engineered": False})


def from_local(local: Any) -> dict[str, Any]:
    """Global importance as the mean of the absolute local one; per class where there are classes."""
    import numpy as np

    mean = np.abs(local).mean(axis=-2)
    result = {"local_importance_values": local, "global_importance_values": mean if local.ndim == 2 else mean.mean(0)}
    if local.ndim == 3:
        result["per_class_values"] = mean
    return result


def _dense(matrix: Any) -> Any:
    return matrix.toarray() if hasattr(matrix, "toarray") else matrix


def feature_map(transformer: Any, raw_names: list[str]) -> tuple[Any, list[str]]:
    """([raw][engineered] map, engineered names) of a fitted ColumnTransformer or a list of (columns, transformer).

    A transformer that makes several columns out of several shares each output among its inputs, unless it keeps
    their number (one to one) or is a one-hot encoder (its categories tell).
    """
    import numpy as np

    parts = _parts(transformer, raw_names)
    columns, names = [], []
    for inputs, step, outputs in parts:
        for share, name in _columns(inputs, step, outputs):
            column = np.zeros(len(raw_names))
            for raw, weight in share:
                column[raw_names.index(raw)] += weight
            columns.append(column)
            names.append(name)
    return np.array(columns).T, names


def _parts(transformer: Any, raw_names: list[str]) -> list[tuple[list[str], Any, int]]:
    """(input names, fitted step, number of outputs) in the order of the engineered columns."""
    if hasattr(transformer, "transformers_"):
        found = []
        for name, step, columns in transformer.transformers_:
            where = transformer.output_indices_.get(name, slice(0, 0))
            if where.stop > where.start:
                found.append((_named(columns, raw_names), step, where.stop - where.start, where.start))
        return [(inputs, step, n) for inputs, step, n, _ in sorted(found, key=lambda f: f[3])]
    parts = []
    for columns, step in transformer:
        inputs = _named(columns, raw_names)
        parts.append((inputs, step, _width(step, inputs)))
    return parts


def _width(step: Any, inputs: list[str]) -> int:
    if step is None:
        return len(inputs)
    return len(step.get_feature_names_out(inputs)) if hasattr(step, "get_feature_names_out") else len(inputs)


def _named(columns: Any, raw_names: list[str]) -> list[str]:
    if isinstance(columns, (str, int)):
        columns = [columns]
    elif isinstance(columns, slice):
        columns = range(len(raw_names))[columns]
    return [c if isinstance(c, str) else raw_names[int(c)] for c in columns]


def _columns(inputs: list[str], step: Any, outputs: int) -> list[tuple[list[tuple[str, float]], str]]:
    last = step.steps[-1][1] if hasattr(step, "steps") else step
    if outputs == len(inputs):
        return [([(name, 1.0)], name) for name in inputs]
    categories = getattr(last, "categories_", None)
    if categories is not None and sum(len(c) for c in categories) == outputs:
        return [([(n, 1.0)], f"{n}_{c}") for n, cs in zip(inputs, categories, strict=True) for c in cs]
    share = [(name, 1.0 / len(inputs)) for name in inputs]
    return [(share, f"{'+'.join(inputs)}_{i}") for i in range(outputs)]
