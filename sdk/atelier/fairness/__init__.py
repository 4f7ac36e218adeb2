"""Fairness dashboards of a run, the dictionary they are made of, and mitigation.

`azureml.contrib.fairness` gives this its v1 names.
"""

from __future__ import annotations

import json
from typing import Any

from atelier.client import Client, segment
from atelier.errors import TooLargeError, UserError
from atelier.fairness.metric_set import create_group_metric_set
from atelier.fairness.mitigation import MitigationRequest, mitigate

__all__ = ["Dashboards", "MitigationRequest", "create_group_metric_set", "mitigate"]

#: What one dashboard may take as JSON.
UPLOAD_BYTES = 20 << 20


class Dashboards:
    """The fairness dashboards of one run."""

    def __init__(self, client: Client, run_id: str) -> None:
        self.client, self.run_id = client, run_id
        self._path = f"/runs/{segment(run_id)}/fairness"

    def upload(
        self,
        dashboard: dict[str, Any],
        name: str,
        *,
        validate_model_ids: bool = True,
        dataset_name: str | None = None,
        limit: int = UPLOAD_BYTES,
    ) -> str:
        """Upload a dashboard dictionary; its upload id. The server's refusal names the key at fault."""
        body = {
            "name": name,
            "dashboard": dashboard,
            "validate_model_ids": bool(validate_model_ids),
            "dataset_name": dataset_name or "",
        }
        try:
            data = json.dumps(body, allow_nan=False, separators=(",", ":")).encode()
        except ValueError as error:
            raise UserError(
                "The dashboard holds a value that is not a finite number (NaN or infinity), which no measure may be.",
                error,
            ) from error
        except TypeError as error:
            raise UserError(
                f"The dashboard holds something JSON has no form for: {error}. Use lists and numbers.", error
            ) from error
        if len(data) > limit:
            raise TooLargeError(f"The dashboard takes {len(data):,} bytes as JSON; at most {limit:,} may be uploaded.")
        headers = {"Content-Type": "application/json"}
        return self.client.call("POST", self._path, body=data, headers=headers)["id"]

    def download(self, upload_id: str) -> dict[str, Any]:
        """The dashboard dictionary exactly as it was uploaded."""
        return self.client.call("GET", f"{self._path}/{segment(upload_id)}")

    def list(self) -> list[dict[str, Any]]:
        """Records of the dashboards, the oldest first: id, name, dataset_name, model_names, created_at …"""
        return list(self.client.pages(self._path))

    def delete(self, upload_id: str) -> None:
        """Remove one dashboard."""
        self.client.call("DELETE", f"{self._path}/{segment(upload_id)}")
