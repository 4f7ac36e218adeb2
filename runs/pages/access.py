"""From an address to the thing it names, for the person who asks; what they may not see is not there."""

from __future__ import annotations

from django.http import HttpRequest

from runs.models import Experiment, Run
from studio.errors import NotFound
from studio.workspace.access import signed_in, workspace_for
from studio.workspace.models import Role, Workspace


def workspace_of(request: HttpRequest, ws: str, need: Role = Role.READER) -> Workspace:
    """The workspace of a page; NotFound for a stranger, Forbidden for a member with a lesser role."""
    return workspace_for(signed_in(request), ws, need)


def experiment_of(request: HttpRequest, ws: str, name: str, need: Role = Role.READER) -> Experiment:
    """The experiment of a page, with its workspace on it."""
    workspace = workspace_of(request, ws, need)
    experiment = Experiment.objects.filter(workspace=workspace, name=name).first()
    if experiment is None:
        raise NotFound(f"There is no experiment {name!r} in {workspace.name}.")
    experiment.workspace = workspace
    return experiment


def run_of(request: HttpRequest, ws: str, run_id: str, need: Role = Role.READER) -> Run:
    """The run of a page, with its experiment and workspace on it. Four queries, with those of the sign-in five."""
    workspace = workspace_of(request, ws, need)
    run = Run.objects.filter(workspace=workspace, pk=run_id).select_related("experiment", "snapshot").first()
    if run is None:
        raise NotFound(f"There is no run {run_id!r} in {workspace.name}.")
    run.workspace = workspace
    return run


def may_edit(workspace: Workspace) -> bool:
    """Whether the person may change things here (pages hide the forms from those who may not)."""
    return getattr(workspace, "role", Role.READER) >= Role.CONTRIBUTOR
