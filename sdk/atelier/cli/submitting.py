"""`atelier submit`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from atelier.cli import output
from atelier.environment import DEFAULT_CPU_IMAGE, Environment
from atelier.errors import UserError
from atelier.experiment import Experiment
from atelier.run.watch import wait
from atelier.runconfig import MpiConfiguration, ScriptRunConfig
from atelier.workspace import Workspace


def submit(arguments: argparse.Namespace) -> int:
    """Submit, and follow when asked."""
    workspace = output.workspace_of(arguments.workspace)
    words = arguments.arguments
    script = arguments.script
    if script is None and arguments.command is None:
        raise UserError("What shall run? Say --script train.py, or --command.")
    folder = Path(arguments.folder)
    distributed = None
    if arguments.nodes > 1 or arguments.processes:
        distributed = MpiConfiguration(arguments.processes or 1, arguments.nodes)
    config = ScriptRunConfig(
        folder,
        script=script,
        arguments=words or None,
        command=arguments.command,
        compute_target=arguments.compute,
        environment=_environment(workspace, arguments),
        distributed_job_config=distributed,
        max_run_duration_seconds=arguments.max_seconds,
    )
    config.run_config.environment_variables = {
        key: value or "" for key, value in output.pairs(arguments.env, "--env", valued=True).items()
    }
    output.progress(f"Reading {folder.resolve()} and sending what the server does not have yet …")
    experiment = Experiment(workspace, arguments.experiment or folder.resolve().name or "default")
    tags = output.pairs(arguments.tag, "--tag", valued=False)
    run = experiment.submit(config, tags=tags, display_name=arguments.name)
    if not arguments.follow:
        if arguments.json:
            output.as_json({"id": run.id, "status": run.status, "portal_url": run.get_portal_url()})
        else:
            print(f"RunId: {run.id}\nWeb View: {run.get_portal_url()}")
        return 0
    details = wait(run, show_output=True, raise_on_error=False, out=sys.stderr if arguments.json else sys.stdout)
    if arguments.json:
        output.as_json({"id": run.id, "portal_url": run.get_portal_url(), **details})
    return 0 if details["status"] == "Completed" else 1


def _environment(workspace: Workspace, arguments: argparse.Namespace) -> Environment | None:
    given = [name for name in ("environment", "conda", "requirements") if getattr(arguments, name)]
    if len(given) > 1:
        raise UserError(f"--{given[0]} and --{given[1]} cannot be used together.")
    if arguments.environment:
        if arguments.image:
            raise UserError("--environment and --image cannot be used together.")
        name, _, version = arguments.environment.partition(":")
        return Environment.get(workspace, name, version or None)
    if arguments.conda or arguments.requirements or arguments.image:
        return Environment.from_docker_image(
            "submitted", arguments.image or DEFAULT_CPU_IMAGE, None, arguments.conda, arguments.requirements
        )
    return None
