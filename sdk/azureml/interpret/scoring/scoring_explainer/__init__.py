"""Scoring explainers: small objects that explain rows beside a deployed model, saved and loaded as files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

__all__ = ["KernelScoringExplainer", "LinearScoringExplainer", "TreeScoringExplainer", "load", "save"]

FILE = "scoring_explainer.pkl"


class _ScoringExplainer:
    """Gives the local importance of rows, as the explainer it was made from does."""

    def __init__(
        self, original_explainer: Any, feature_maps: list[Any] | None = None, raw_features: Any = None, **_: Any
    ) -> None:
        self.explainer, self.feature_maps, self.raw_features = original_explainer, feature_maps or [], raw_features

    @property
    def features(self) -> Any:
        """The names of the features it speaks of."""
        return self.raw_features or getattr(self.explainer, "features", None)

    def explain(self, evaluation_examples: Any, get_raw: bool = False, **_: Any) -> Any:
        """Local importance, [rows][features] or [classes][rows][features]."""
        explanation = self.explainer.explain_local(evaluation_examples)
        if get_raw:
            explanation = explanation.get_raw_explanation(self.feature_maps, self.raw_features)
        return explanation.local_importance_values


class TreeScoringExplainer(_ScoringExplainer):
    """For models of trees."""


class LinearScoringExplainer(_ScoringExplainer):
    """For linear models."""


class KernelScoringExplainer(_ScoringExplainer):
    """For any model."""


def save(scoring_explainer: Any, directory: str = ".", exist_ok: bool = False) -> str:
    """Write it into `directory` as scoring_explainer.pkl and return the path."""
    import joblib

    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE
    if path.exists() and not exist_ok:
        raise FileExistsError(f"{path} exists; pass exist_ok=True to replace it.")
    joblib.dump(scoring_explainer, path)
    return str(path)


def load(directory: str = ".") -> Any:
    """Read what `save` wrote. It is a pickle: load only your own."""
    import joblib

    return joblib.load(Path(directory) / FILE)
