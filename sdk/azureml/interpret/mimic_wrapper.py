"""MimicWrapper: a MimicExplainer that uploads what it finds."""

from __future__ import annotations

from typing import Any

from azureml.interpret._client import ExplanationClient


class MimicWrapper:
    """Explains a model through a surrogate and uploads the explanation to the run it was given."""

    def __init__(
        self,
        workspace: Any,
        automl_model: Any,
        explainable_model: Any = None,
        explainer_kwargs: dict[str, Any] | None = None,
        init_dataset: Any = None,
        run: Any = None,
        features: Any = None,
        classes: Any = None,
        model_task: Any = "unknown",
        explain_subset: Any = None,
        feature_maps: list[Any] | None = None,
        **kwargs: Any,
    ) -> None:
        from azureml.interpret import MimicExplainer  # resolved on use, so mypy sees no class

        self.workspace, self.run, self.feature_maps = workspace, run, feature_maps
        self.explainer = MimicExplainer(  # type: ignore[misc]
            automl_model,
            init_dataset,
            explainable_model,
            features=features,
            classes=classes,
            model_task=model_task,
            **(explainer_kwargs or {}),
            **kwargs,
        )

    def explain(
        self,
        explanation_types: list[str],
        eval_dataset: Any = None,
        top_k: int | None = None,
        upload: bool = True,
        upload_datasets: bool = False,
        tag: str = "",
        get_raw: bool = False,
        raw_feature_names: list[str] | None = None,
        raw_eval_dataset: Any = None,
        true_ys: Any = None,
        **_: Any,
    ) -> Any:
        """The explanation of the rows; "global" among the types makes it global. get_raw speaks of the raw features."""
        whole = "global" in explanation_types
        explanation = (
            self.explainer.explain_global(eval_dataset, include_local="local" in explanation_types)
            if whole
            else self.explainer.explain_local(eval_dataset)
        )
        if get_raw:
            explanation = explanation.get_raw_explanation(
                self.feature_maps or [], raw_feature_names=raw_feature_names, eval_data=raw_eval_dataset
            )
        if upload and self.run is not None:
            ExplanationClient.from_run(self.run).upload_model_explanation(
                explanation, top_k=top_k, comment=tag, upload_datasets=upload_datasets, true_ys=true_ys
            )
        return explanation
