"""From a `ScriptRunConfig` to what the server is asked for: checked, the folder kept as a snapshot, git recorded."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from atelier import git, snapshots
from atelier.errors import UnsupportedError, UserError
from atelier.ignore import ignore_file
from atelier.run.record import tag_texts
from atelier.runconfig import ScriptRunConfig

if TYPE_CHECKING:
    from atelier.experiment import Experiment

#: Keyword arguments of v1's `Experiment.submit` that only configurations of other kinds use.
OTHER_KINDS = frozenset(
    {"pipeline_parameters", "regenerate_outputs", "pipeline_version", "continue_on_step_failure", "parent_run_id"}
)


def prepare(
    experiment: Experiment,
    config: Any,
    tags: Mapping[str, Any] | None = None,
    run_id: str | None = None,
    display_name: str | None = None,
    show_output: bool | None = None,
    **kwargs: Any,
) -> dict[str, Any]:
    """The body of POST /workspaces/{ws}/runs for `config`; the snapshot is with the server afterwards."""
    if not isinstance(config, ScriptRunConfig):
        raise UnsupportedError(
            f"Experiment.submit takes a ScriptRunConfig here, not a {type(config).__name__}. "
            "ScriptRunConfig(source_directory='.', script='train.py') runs a script."
        )
    unknown = set(kwargs) - OTHER_KINDS
    if unknown:
        raise TypeError(f"submit() got unexpected arguments: {', '.join(sorted(unknown))}.")
    if kwargs:
        raise UnsupportedError(f"{', '.join(sorted(kwargs))} belong to pipelines, which this server does not run.")
    named = tag_texts(tags or {})
    folder = Path(config.source_directory).expanduser()
    definition = config.run_config.to_definition()
    check_script(folder, config.script, definition["command"])
    kept = snapshots.upload(experiment.workspace.client, experiment.workspace.name, folder)
    if config.script is not None:
        definition["script"] = Path(config.script).as_posix()
        _check_kept(kept, folder, definition["script"])
    body = {
        "experiment": experiment.name,
        "kind": "script",
        "id": run_id or script_run_id(experiment.name),
        "display_name": display_name,
        "tags": named,
        "properties": {"ContentSnapshotId": kept.id, **git.properties(folder)},
        "snapshot_id": kept.id,
        "definition": definition,
        "compute": definition["target"],
    }
    return {key: value for key, value in body.items() if value is not None}


def check_script(folder: Path, script: str | None, command: Any) -> None:
    """Raise a sentence that names what is missing: folder, script or command."""
    if not folder.is_dir():
        raise UserError(f"The source directory {str(folder)!r} does not exist or is not a folder.")
    if script is None:
        if not command:
            raise UserError("ScriptRunConfig needs a script or a command.")
        return
    path = folder / script
    if Path(script).is_absolute() or ".." in Path(script).parts:
        raise UserError(f"The script {script!r} must be a path below the source directory {str(folder)!r}.")
    if not path.is_file():
        near = sorted(file.name for file in folder.glob("*.py"))[:5]
        there = f" There are {', '.join(near)}." if near else ""
        raise UserError(
            f"The script {script!r} does not exist in the source directory {str(folder.resolve())!r}.{there}"
        )


def _check_kept(kept: snapshots.Listing, folder: Path, script: str) -> None:
    if script not in {file.path for file in kept.files}:
        file = ignore_file(folder)
        reason = f"{file.name} leaves it out" if file else "it lies in a folder that is never kept"
        raise UserError(f"The script {script!r} is not part of the snapshot: {reason}.")


def script_run_id(experiment: str) -> str:
    """<experiment>_<epoch seconds>_<8 hex digits>, at most 256 characters."""
    tail = f"_{int(time.time())}_{uuid.uuid4().hex[:8]}"
    stem = "".join(char if char.isascii() and (char.isalnum() or char in "-_.") else "_" for char in experiment)
    return stem[: 256 - len(tail)] + tail
