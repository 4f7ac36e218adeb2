"""What the agent is told: its surroundings (from environment variables) and its job (from the server)."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from atelier import config
from atelier.client import Client, segment
from atelier.errors import ConfigurationError
from atelier.transport import PooledTransport

DRIVER_LOG = "azureml-logs/70_driver_log.txt"
# The agent's own settings: the script has no use for them, and a nested agent must not take them for its own.
PREFIX = "ATELIER_JOB_"


@dataclass(frozen=True)
class Place:
    """Where a job runs. `folder` is its own; the script's working folder lies in it.

    `python` is the interpreter of the script; `python_path` what is put on its import path, where the SDK is not
    installed in that interpreter; `echo` whether the log is also written to the agent's output, for `docker logs`.
    """

    run_id: str
    folder: Path
    python: str
    python_path: str
    task: int
    node: str
    echo: bool
    grace_seconds: float
    patience_seconds: float

    @property
    def work(self) -> Path:
        """The script's working folder: the snapshot's files, `outputs/`, `logs/`."""
        return self.folder / "work"

    @property
    def exit_file(self) -> Path:
        """How the script ended, for whoever delivers after an agent that was killed."""
        return self.folder / "exit.json"

    @property
    def spool(self) -> Path:
        """Metric batches that the script could not send."""
        return self.folder / "spool"


@dataclass(frozen=True)
class Job:
    """What to run. `command` is a list, or one text for a shell; else `script` with `arguments`."""

    command: list[str] | str | None
    script: str
    arguments: list[str]
    env: dict[str, str]
    snapshot_id: str | None
    snapshot_path: str | None
    log_path: str
    distributed: Mapping[str, Any] | None = field(default=None)


def place() -> Place:
    """The surroundings, from the environment. Raises ConfigurationError when the run's id is missing."""
    run_id = os.environ.get("AZUREML_RUN_ID")
    if not run_id:
        raise ConfigurationError("AZUREML_RUN_ID is not set: the agent is started by a worker, not by hand.")
    return Place(
        run_id=run_id,
        folder=Path(os.environ.get(PREFIX + "FOLDER") or Path.cwd()),
        python=os.environ.get(PREFIX + "PYTHON") or sys.executable,
        python_path=os.environ.get(PREFIX + "PYTHONPATH") or "",
        task=int(os.environ.get(PREFIX + "TASK") or 0),
        node=os.environ.get(PREFIX + "NODE") or socket.gethostname(),
        echo=os.environ.get(PREFIX + "ECHO") == "1",
        grace_seconds=float(os.environ.get(PREFIX + "GRACE_SECONDS") or 5),
        patience_seconds=float(os.environ.get(PREFIX + "PATIENCE_SECONDS") or 900),
    )


def connect(where: Place) -> Client:
    """The client with the run's own token; it waits for a server that restarts."""
    bundle = os.environ.get("ATELIER_CA_BUNDLE") or None
    return Client(
        config.server_url(),
        config.run_token,
        PooledTransport(bundle),
        patience=where.patience_seconds,
        first_patience=where.patience_seconds,
    )


def fetch(client: Client, where: Place) -> Job:
    """Asks the server what to run."""
    told = client.call("GET", f"/runs/{segment(where.run_id)}/job", params={"task": where.task or None})
    command = told.get("command") or None
    if isinstance(command, list) and told.get("use_shell_command"):
        command = " ".join(command)
    return Job(
        command=command,
        script=told.get("script") or "",
        arguments=[str(argument) for argument in told.get("arguments") or []],
        env={str(name): str(value) for name, value in (told.get("env") or {}).items()},
        snapshot_id=told.get("snapshot_id"),
        snapshot_path=_api_path(told.get("snapshot_url")),
        log_path=os.environ.get(PREFIX + "LOG_PATH") or told.get("log_path") or DRIVER_LOG,
        distributed=told.get("distributed"),
    )


def _api_path(url: str | None) -> str | None:
    """The part of an address below the API's root: the server may know itself by another name than we do."""
    if not url:
        return None
    return url.split("/api/v1", 1)[1] if "/api/v1" in url else url
