"""Models that a MimicExplainer trains on another model's predictions, because they can be explained exactly."""

from __future__ import annotations

from typing import Any


class _Surrogate:
    """Fits classes as classes, and a value as a value; `explainer()` is shap's for it."""

    name = ""

    def __init__(self, task: str = "classification", **kwargs: Any) -> None:
        self.task, self.kwargs = task, kwargs
        self.model: Any = None
        self._rows: Any = None

    @staticmethod
    def explainable_model_type() -> str:
        """tree_explainable_model_type or linear_explainable_model_type."""
        return "tree_explainable_model_type"

    def fit(self, rows: Any, predicted: Any, probabilities: Any = None) -> None:
        """Train on the model's own answers."""
        self._rows = rows
        self.model = self._make(len(set(predicted.tolist())) if self.task == "classification" else 0)
        self.model.fit(rows, predicted)

    def agreement(self, rows: Any, predicted: Any) -> float:
        """Accuracy or R² against the model's answers."""
        return float(self.model.score(rows, predicted))

    def explainer(self) -> Any:
        """shap's exact explainer of the surrogate."""
        import shap

        return shap.TreeExplainer(self.model)

    def _make(self, classes: int) -> Any:
        raise NotImplementedError


class LGBMExplainableModel(_Surrogate):
    """LightGBM, or scikit-learn's gradient boosting where LightGBM is not installed."""

    name = "lightgbm"

    def _make(self, classes: int) -> Any:
        try:
            import lightgbm
        except ImportError:
            from sklearn import ensemble

            self.name = "gradient_boosting"
            if classes > 2:  # shap explains scikit-learn's boosting for two classes only
                return ensemble.RandomForestClassifier(random_state=0, **self.kwargs)
            kind = ensemble.GradientBoostingClassifier if classes else ensemble.GradientBoostingRegressor
            return kind(random_state=0, **self.kwargs)
        kind = lightgbm.LGBMClassifier if classes else lightgbm.LGBMRegressor
        return kind(**{"verbose": -1, "random_state": 0, "n_jobs": 1, **self.kwargs})


class LinearExplainableModel(_Surrogate):
    """Logistic or linear regression."""

    name = "linear"

    @staticmethod
    def explainable_model_type() -> str:
        """See the base class."""
        return "linear_explainable_model_type"

    def _make(self, classes: int) -> Any:
        from sklearn.linear_model import LinearRegression, LogisticRegression

        return LogisticRegression(**{"max_iter": 1000, **self.kwargs}) if classes else LinearRegression(**self.kwargs)

    def explainer(self) -> Any:
        """See the base class."""
        import shap

        return shap.LinearExplainer(self.model, self._rows)


class SGDExplainableModel(LinearExplainableModel):
    """A linear model trained by stochastic gradient descent."""

    name = "sgd"

    def _make(self, classes: int) -> Any:
        from sklearn.linear_model import SGDClassifier, SGDRegressor

        return (SGDClassifier if classes else SGDRegressor)(**{"random_state": 0, **self.kwargs})


class DecisionTreeExplainableModel(_Surrogate):
    """One decision tree."""

    name = "decision_tree"

    def _make(self, classes: int) -> Any:
        from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

        return (DecisionTreeClassifier if classes else DecisionTreeRegressor)(**{"random_state": 0, **self.kwargs})
