"""What the server laid ready for a job of its own: files under inputs/ of the run."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from atelier import artifacts, config
from atelier.client import Client

MODEL_ENDINGS = (".pkl", ".joblib", ".pickle")


class Job:
    """The run this process works for: its client, its id, its inputs in a folder."""

    def __init__(self) -> None:
        self.client: Client = config.default_client()
        self.run_id = os.environ["AZUREML_RUN_ID"]
        self.folder = Path(tempfile.mkdtemp(prefix="atelier-job-"))
        names = [one["path"] for one in artifacts.listed(self.client, self.run_id, "inputs/")]
        artifacts.download_many(self.client, self.run_id, names, self.folder)

    @property
    def spec(self) -> dict[str, Any]:
        """What was asked for."""
        return json.loads((self.folder / "inputs/spec.json").read_text())

    def model(self) -> Any:
        """The model that was laid ready, None when there is none. It runs its own code on loading: that is why this is a job."""
        folder = self.folder / "inputs/model"
        files = sorted(p for p in folder.rglob("*") if p.is_file()) if folder.is_dir() else []
        if not files:
            return None
        chosen = next((p for p in files if p.suffix in MODEL_ENDINGS), files[0])
        import joblib

        return joblib.load(chosen)
