"""v1 names for the fairness dashboards of a run."""

from __future__ import annotations

from typing import Any

from atelier.errors import UserError
from atelier.fairness import UPLOAD_BYTES, Dashboards
from atelier.fairness.mitigation import of_run

__all__ = [
    "download_dashboard_by_upload_id",
    "list_available_upload_ids",
    "list_dashboards",
    "upload_dashboard_dictionary",
]


def _dashboards(run: Any) -> Dashboards:
    return Dashboards(*of_run(run))


def upload_dashboard_dictionary(
    run: Any,
    dashboard_dict: dict[str, Any],
    dashboard_name: str | None = None,
    dataset_name: str | None = None,
    dataset_id: str | None = None,
    upload_bytes_limit: int = UPLOAD_BYTES,
    validate_model_ids: bool = True,
    **kwargs: Any,
) -> str:
    """Upload a dashboard dictionary to the run and return its upload id.

    Model names must be ids of registered models ("name:version") unless validate_model_ids is False.
    """
    dashboard_dict = kwargs.pop("dashboard_dictionary", dashboard_dict)
    if kwargs:
        raise UserError(f"upload_dashboard_dictionary takes no argument {sorted(kwargs)[0]!r}.")
    return _dashboards(run).upload(
        dashboard_dict,
        dashboard_name or "Fairness",
        validate_model_ids=validate_model_ids,
        dataset_name=dataset_name or dataset_id,
        limit=upload_bytes_limit,
    )


def download_dashboard_by_upload_id(run: Any, upload_id: str) -> dict[str, Any]:
    """The dashboard dictionary with that upload id, equal to what was uploaded."""
    return _dashboards(run).download(upload_id)


def list_dashboards(run: Any) -> list[dict[str, Any]]:
    """Records of the run's dashboards, the oldest first."""
    return _dashboards(run).list()


def list_available_upload_ids(run: Any) -> list[str]:
    """The upload ids of the run's dashboards, the oldest first."""
    return [record["id"] for record in _dashboards(run).list()]
