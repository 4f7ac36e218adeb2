"""The run that a script works for, from the variables its job was started with."""

from __future__ import annotations

import os

from atelier import config
from atelier.errors import RunContextError
from atelier.experiment import Experiment
from atelier.run.offline import OfflineRun
from atelier.run.run import Run
from atelier.workspace import Workspace

_current: dict[str, Run] = {}


def get_context(allow_offline: bool = True) -> Run | OfflineRun:
    """See `Run.get_context`. The same object for the same run, so that a library and its caller share its queue."""
    run_id = os.environ.get("AZUREML_RUN_ID")
    if not run_id or not config.in_a_job():
        if allow_offline:
            return OfflineRun()
        raise RunContextError(
            "Could not load a submitted run: this process was not started by a run (AZUREML_RUN_ID and the run's "
            "token are not set). Leave allow_offline true to try the script without a server."
        )
    if run_id not in _current:
        client = config.default_client()
        workspace = Workspace.of_job(client)
        name = os.environ.get("AZUREML_ARM_PROJECT_NAME") or client.call("GET", f"/runs/{run_id}")["experiment"]
        _current[run_id] = Run(Experiment(workspace, name), run_id, _in_context=True)
    return _current[run_id]
