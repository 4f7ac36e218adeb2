"""TabularExplainer, MimicExplainer and PFIExplainer where interpret-community is not installed.

The same names, arguments and results; computed with shap, lightgbm (or scikit-learn) and permutation importance.
Source of the ideas: Lundberg & Lee 2017 (SHAP), Breiman 2001 (permutation importance), global surrogate models.
"""

from __future__ import annotations

import uuid
from typing import Any

from atelier.errors import UserError
from atelier.explanations.result import Explanation

#: Rows that a kernel explainer compares with; more cost time without changing the picture.
BACKGROUND_ROWS = 50


class _Explainer:
    """What the explainers share: the model, its task, names, and the way through the transformations."""

    explainer_type = "blackbox"
    method = ""

    def __init__(
        self,
        model: Any,
        features: Any,
        classes: Any,
        transformations: Any = None,
        model_task: Any = "unknown",
        is_function: bool = False,
    ) -> None:
        self.model = model
        self.features = None if features is None else [str(f) for f in features]
        self.classes = None if classes is None else list(classes)
        self.transformations = transformations
        self.is_function = is_function
        task = str(getattr(model_task, "value", model_task)).lower()
        self.task = task if task in ("classification", "regression") else self._task()

    def _task(self) -> str:
        if self.is_function or not hasattr(self.model, "predict"):
            return "classification" if self.classes else "regression"
        return "classification" if hasattr(self.model, "predict_proba") else "regression"

    def _prepare(self, data: Any) -> Any:
        """Rows as the model takes them."""
        from atelier.explanations.files import is_sparse

        if self.features is None and hasattr(data, "columns"):
            self.features = [str(c) for c in data.columns]
        if self.transformations is not None:
            transform = getattr(self.transformations, "transform", None)
            data = transform(data) if transform else self._transform_list(data)
        if is_sparse(data):
            data = data.toarray()
        return data

    def _transform_list(self, data: Any) -> Any:
        import numpy as np

        parts = []
        for columns, step in self.transformations:
            chosen = data[columns if isinstance(columns, list) else [columns]]
            values = chosen if step is None else step.transform(chosen)
            values = values.toarray() if hasattr(values, "toarray") else np.asarray(values)
            parts.append(values.reshape(len(data), -1))
        return np.hstack(parts)

    def _predictions(self, data: Any) -> dict[str, Any]:
        import numpy as np

        if self.is_function or not hasattr(self.model, "predict"):
            output = np.asarray(self.model(data))
            if self.task == "classification" and output.ndim == 2:
                return {"eval_y_predicted": output.argmax(1), "eval_y_predicted_proba": output}
            return {"eval_y_predicted": output}
        predicted = np.asarray(self.model.predict(data))
        if self.task == "classification" and self.classes and predicted.dtype.kind not in "biuf":
            predicted = np.array([self._label(p) for p in predicted])
        result = {"eval_y_predicted": predicted}
        if self.task == "classification" and hasattr(self.model, "predict_proba"):
            result["eval_y_predicted_proba"] = np.asarray(self.model.predict_proba(data))
        return result

    def _label(self, predicted: Any) -> int:
        known = list(getattr(self.model, "classes_", self.classes or []))
        return known.index(predicted)

    def _score(self) -> Any:
        """The function of rows that is explained: probabilities of the classes, or the value."""
        if self.is_function or not hasattr(self.model, "predict"):
            return self.model
        if self.task == "classification" and hasattr(self.model, "predict_proba"):
            return self.model.predict_proba
        return self.model.predict

    def _meta(self, method: str) -> dict[str, Any]:
        return {
            "id": str(uuid.uuid4()),
            "method": method,
            "model_type": type(self.model).__module__ + "." + type(self.model).__qualname__,
            "model_task": self.task,
            "is_raw": self.transformations is not None,
            "is_engineered": False,
        }

    def _result(self, given: Any, prepared: Any, local: Any, expected: Any, method: str, whole: bool) -> Explanation:
        """The explanation of `prepared` rows; back to the `given` columns where there were transformations."""
        import numpy as np

        from atelier.explanations import raw
        from atelier.explanations.forms import _data

        features = self.features
        if self.transformations is not None:
            mapping, _ = raw.feature_map(self.transformations, features or [])
            local = local @ mapping.T
        properties = raw.from_local(local) if whole else {"local_importance_values": local}
        properties |= {
            "features": features or [f"Feature {i}" for i in range(local.shape[-1])],
            "expected_values": np.atleast_1d(np.asarray(expected, dtype=np.float64)),
            "eval_data": _data(given),
            **self._predictions(prepared),
        }
        if self.task == "classification":
            n = local.shape[0] if local.ndim == 3 else 0
            properties["classes"] = self.classes or list(map(str, getattr(self.model, "classes_", range(n))))
        return Explanation(properties, self._meta(method))


def _both_classes(values: Any, expected: Any) -> tuple[Any, Any]:
    """(classes, rows, features) from one output of a binary classifier: the other class is its negative."""
    import numpy as np

    return np.stack([-values, values]), np.array([-expected, expected])


def _shap_values(explainer: Any, rows: Any, task: str) -> tuple[Any, Any]:
    """SHAP values as (rows, features) or (classes, rows, features) and the expected values."""
    import numpy as np

    explained = explainer(np.asarray(rows))
    values, base = np.asarray(explained.values), np.asarray(explained.base_values)
    if values.ndim == 3 and values.shape[2] == 1:
        values, base = values[:, :, 0], base.reshape(len(values), -1)[:, 0]
    if values.ndim == 3:
        return np.moveaxis(values, 2, 0), base.reshape(-1, base.shape[-1])[0]
    expected = float(np.ravel(base)[0])
    return _both_classes(values, expected) if task == "classification" else (values, expected)


class TabularExplainer(_Explainer):
    """SHAP of a model on tabular data: exact for trees and linear models, by permutation for any other.

    model: an object with predict (and predict_proba) or a function of rows. initialization_data: rows that stand
    for the absence of a feature. transformations: a fitted ColumnTransformer, or (columns, transformer) pairs; the
    explanation then speaks of the raw features.
    """

    available_explanations = ["global", "local"]

    def __init__(
        self,
        model: Any,
        initialization_data: Any,
        explain_subset: Any = None,
        features: Any = None,
        classes: Any = None,
        transformations: Any = None,
        allow_all_transformations: bool = False,
        model_task: Any = "unknown",
        **_: Any,
    ) -> None:
        super().__init__(
            model, features, classes, transformations, model_task, is_function=not hasattr(model, "predict")
        )
        import numpy as np

        background = np.asarray(self._prepare(initialization_data))
        self.initialization_data = initialization_data
        self.explainer, self.method = self._choose(background)

    def _choose(self, background: Any) -> tuple[Any, str]:
        import shap
        from shap.utils._exceptions import InvalidModelError

        small = (
            background
            if len(background) <= BACKGROUND_ROWS
            else shap.sample(background, BACKGROUND_ROWS, random_state=0)
        )
        if not self.is_function:
            try:
                return shap.TreeExplainer(self.model), "shap_tree"
            except (InvalidModelError, TypeError, AttributeError, NotImplementedError):
                pass
            if (hasattr(self.model, "coef_") and getattr(self.model.coef_, "shape", (1,))[0] == 1) or _is_linear(
                self.model
            ):
                return shap.LinearExplainer(self.model, background), "shap_linear"
        masker = shap.maskers.Independent(small, max_samples=BACKGROUND_ROWS)
        return shap.PermutationExplainer(self._score(), masker, seed=0), "shap_permutation"

    def explain_global(
        self, evaluation_examples: Any, sampling_policy: Any = None, include_local: bool = True, batch_size: int = 100
    ) -> Explanation:
        """Importance over all rows (the mean of the absolute local importance) and, unless left out, of each row."""
        explanation = self._explain(evaluation_examples, whole=True)
        if not include_local:
            explanation._properties.pop("local_importance_values")
        return explanation

    def explain_local(self, evaluation_examples: Any) -> Explanation:
        """Importance of each row."""
        return self._explain(evaluation_examples, whole=False)

    def _explain(self, rows: Any, whole: bool) -> Explanation:
        import numpy as np

        given = rows if hasattr(rows, "columns") or hasattr(rows, "tocsr") else np.atleast_2d(np.asarray(rows))
        prepared = np.asarray(self._prepare(given))
        local, expected = _shap_values(self.explainer, prepared, self.task)
        return self._result(given, prepared, local, expected, self.method, whole)


def _is_linear(model: Any) -> bool:
    return hasattr(model, "coef_") and hasattr(model, "intercept_") and getattr(model.coef_, "ndim", 0) == 1


class MimicExplainer(_Explainer):
    """A global surrogate: a model that can be explained is trained on what the model predicts, then explained.

    explainable_model: LGBMExplainableModel, LinearExplainableModel, SGDExplainableModel or DecisionTreeExplainableModel.
    """

    available_explanations = ["global", "local"]

    def __init__(
        self,
        model: Any,
        initialization_data: Any,
        explainable_model: Any = None,
        explainable_model_args: dict[str, Any] | None = None,
        is_function: bool = False,
        augment_data: bool = True,
        max_num_of_augmentations: int = 10,
        explain_subset: Any = None,
        features: Any = None,
        classes: Any = None,
        transformations: Any = None,
        allow_all_transformations: bool = False,
        model_task: Any = "unknown",
        **_: Any,
    ) -> None:
        super().__init__(model, features, classes, transformations, model_task, is_function)
        import numpy as np

        from atelier.explanations.surrogates import LGBMExplainableModel

        rows = np.asarray(self._prepare(initialization_data))
        predicted = self._predictions(rows)
        chosen = explainable_model or LGBMExplainableModel
        self.surrogate = chosen(task=self.task, **(explainable_model_args or {}))
        self.surrogate.fit(rows, predicted["eval_y_predicted"], predicted.get("eval_y_predicted_proba"))
        self.method = f"mimic.{self.surrogate.name}"

    def fidelity(self, rows: Any) -> float:
        """How well the surrogate follows the model: accuracy against its classes, or R² against its values."""
        prepared = self._prepare(rows)
        return self.surrogate.agreement(prepared, self._predictions(prepared)["eval_y_predicted"])

    def explain_global(
        self,
        evaluation_examples: Any = None,
        include_local: bool = True,
        batch_size: int = 100,
    ) -> Explanation:
        """Importance over the rows; without rows there is nothing to weigh, so they are asked for."""
        if evaluation_examples is None:
            raise UserError("Give evaluation_examples to explain_global: the importance is a mean over rows.")
        explanation = self._explain(evaluation_examples, whole=True)
        if not include_local:
            explanation._properties.pop("local_importance_values")
        return explanation

    def explain_local(self, evaluation_examples: Any) -> Explanation:
        """Importance of each row."""
        return self._explain(evaluation_examples, whole=False)

    def _explain(self, rows: Any, whole: bool) -> Explanation:
        import numpy as np

        given = rows if hasattr(rows, "columns") or hasattr(rows, "tocsr") else np.atleast_2d(np.asarray(rows))
        prepared = np.asarray(self._prepare(given))
        local, expected = _shap_values(self.surrogate.explainer(), prepared, self.task)
        return self._result(given, prepared, local, expected, self.method, whole)


class PFIExplainer(_Explainer):
    """Permutation feature importance: how much a score falls when one column is shuffled. Global only.

    metric: a function (y_true, y_pred) -> score, higher better unless is_error_metric; accuracy or R² by default.
    """

    available_explanations = ["global"]
    method = "pfi"

    def __init__(
        self,
        model: Any,
        is_function: bool = False,
        metric: Any = None,
        metric_args: dict[str, Any] | None = None,
        is_error_metric: bool = False,
        explain_subset: Any = None,
        features: Any = None,
        classes: Any = None,
        transformations: Any = None,
        allow_all_transformations: bool = False,
        seed: int = 0,
        for_classifier_use_predict_proba: bool = False,
        show_progress: bool = False,
        model_task: Any = "unknown",
        n_repeats: int = 5,
        **_: Any,
    ) -> None:
        super().__init__(model, features, classes, transformations, model_task, is_function)
        self.metric, self.metric_args, self.sign = metric, metric_args or {}, -1.0 if is_error_metric else 1.0
        self.seed, self.repeats = seed, n_repeats

    def explain_global(self, evaluation_examples: Any, true_labels: Any) -> Explanation:
        """The mean fall of the score over the shuffles, by feature."""
        import numpy as np

        given = (
            evaluation_examples
            if hasattr(evaluation_examples, "columns")
            else np.atleast_2d(np.asarray(evaluation_examples))
        )
        if self.features is None and hasattr(given, "columns"):
            self.features = [str(c) for c in given.columns]
        truth = np.asarray(true_labels)
        base = self._metric(truth, given)
        rng = np.random.default_rng(self.seed)
        width = given.shape[1]
        falls = np.zeros(width)
        for i in range(width):
            for _ in range(self.repeats):
                order = rng.permutation(len(given))
                falls[i] += self.sign * (base - self._metric(truth, _shuffled(given, i, order))) / self.repeats
        from atelier.explanations.forms import _data

        properties = {
            "features": self.features or [f"Feature {i}" for i in range(width)],
            "global_importance_values": falls,
            "eval_data": _data(given),
            **self._predictions(self._prepare(given)),
            "classes": self.classes,
        }
        return Explanation(properties, self._meta("pfi"))

    def _metric(self, truth: Any, rows: Any) -> float:
        import numpy as np

        prepared = self._prepare(rows)
        predicted = np.asarray(self.model(prepared) if self.is_function else self.model.predict(prepared))
        if self.metric is not None:
            return float(self.metric(truth, predicted, **self.metric_args))
        if self.task == "classification":
            return float(np.mean(predicted == truth))
        spread = np.sum((truth - truth.mean()) ** 2)
        return float(1 - np.sum((truth - predicted) ** 2) / spread) if spread else 0.0


def _shuffled(rows: Any, column: int, order: Any) -> Any:
    copy = rows.copy()
    if hasattr(copy, "iloc"):
        copy[copy.columns[column]] = rows.iloc[order, column].to_numpy()
    else:
        copy[:, column] = rows[order, column]
    return copy
