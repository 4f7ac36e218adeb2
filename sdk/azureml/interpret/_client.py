"""ExplanationClient with its v1 arguments."""

from __future__ import annotations

from typing import Any

from atelier.explanations import VISUALIZATION_POINTS, Explanations
from atelier.fairness.mitigation import of_run


class ExplanationClient:
    """Uploads, lists and downloads the explanations of a run."""

    def __init__(self, explanations: Explanations) -> None:
        self._explanations = explanations

    @classmethod
    def from_run(cls, run: Any) -> ExplanationClient:
        """A client for the run."""
        return cls(Explanations(*of_run(run)))

    @classmethod
    def from_run_id(cls, workspace: Any, experiment_name: str, run_id: str) -> ExplanationClient:
        """A client for the run with that id in the experiment of the workspace."""
        from azureml.core import Experiment, Run

        return cls.from_run(Run(Experiment(workspace, experiment_name), run_id))

    @property
    def run(self) -> str:
        """The id of the run."""
        return self._explanations.run_id

    def upload_model_explanation(
        self,
        explanation: Any,
        max_num_blocks: int | None = None,
        block_size: int | None = None,
        top_k: int | None = None,
        comment: str | None = None,
        init_dataset_id: str | None = None,
        eval_dataset_id: str | None = None,
        ys_pred_dataset_id: str | None = None,
        ys_pred_proba_dataset_id: str | None = None,
        upload_datasets: bool = False,
        model_id: str | None = None,
        true_ys: Any = None,
        visualization_points: Any = VISUALIZATION_POINTS,
    ) -> str:
        """Upload an explanation and return its id.

        Values are kept whole in one file each, so max_num_blocks and block_size have nothing to say.
        """
        return self._explanations.upload(
            explanation,
            comment=comment,
            top_k=top_k,
            model_id=model_id,
            true_ys=true_ys,
            upload_datasets=upload_datasets,
            visualization_points=visualization_points,
            init_dataset_id=init_dataset_id,
            eval_dataset_id=eval_dataset_id,
            ys_pred_dataset_id=ys_pred_dataset_id,
            ys_pred_proba_dataset_id=ys_pred_proba_dataset_id,
        )

    def download_model_explanation(
        self,
        explanation_id: str | None = None,
        top_k: int | None = None,
        comment: str | None = None,
        raw: bool | None = None,
        engineered: bool | None = None,
    ) -> Any:
        """One explanation by its id, or the newest that fits; `top_k` limits its ranked names and values."""
        return self._explanations.download(explanation_id, top_k, comment, raw, engineered)

    def download_model_explanation_from_run_id(
        self, explanation_id: str | None = None, top_k: int | None = None, comment: str | None = None
    ) -> Any:
        """As download_model_explanation, for a client made from a run id."""
        return self._explanations.download(explanation_id, top_k, comment)

    def list_model_explanations(
        self, comment: str | None = None, raw: bool | None = None, engineered: bool | None = None
    ) -> list[dict[str, Any]]:
        """Records with id, comment and kind, the oldest first."""
        return self._explanations.list(comment, raw, engineered)

    def delete_model_explanation(self, explanation_id: str) -> None:
        """Remove one explanation."""
        self._explanations.delete(explanation_id)
