"""Who I am, workspaces, experiments."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, Q

from runs.actions import delete, experiments
from runs.api.routing import Call, route
from runs.models import Experiment, ExperimentTag, raw
from studio import __version__
from studio.errors import Conflict, Invalid, NotFound
from studio.workspace import members
from studio.workspace.models import Role, Workspace

NEW_WORKSPACE = {
    "name": "text",
    "subscription_id": "text?",
    "resource_group": "text?",
    "location": "text?",
    "description": "text?",
    "exist_ok": "true: give the one that is there",
}


@route(
    "GET",
    "/me",
    tag="Workspaces",
    summary="Who I am",
    gives="{user, email, workspaces: [{name, role}], server_version}",
)
def me(call: Call) -> Any:
    """The caller and the workspaces that it is in."""
    seats = sorted(call.principal.seats.items())
    return {
        "user": call.by,
        "email": call.principal.email,
        "run": call.principal.run.id if call.principal.run else None,
        "workspaces": [{"name": name, "role": seat.role.label} for name, seat in seats],
        "server_version": __version__,
    }


def workspace_json(workspace: Workspace, role: Role) -> dict[str, Any]:
    """The wire form."""
    return {
        "name": workspace.name,
        "subscription_id": workspace.subscription_id,
        "resource_group": workspace.resource_group,
        "location": workspace.location,
        "description": workspace.description,
        "id": str(workspace.public_id),
        "created_at": raw.iso(workspace.created_at),
        "role": role.label,
        "default_datastore": "workspaceblobstore",
    }


@route("GET", "/workspaces", tag="Workspaces", summary="My workspaces", gives="list of Workspace")
def list_workspaces(call: Call) -> Any:
    """By name."""
    roles = {seat.id: seat.role for seat in call.principal.seats.values()}
    rows = Workspace.objects.filter(pk__in=roles).order_by("name")
    return {"items": [workspace_json(row, roles[row.pk]) for row in rows], "next": None}


@route(
    "POST",
    "/workspaces",
    tag="Workspaces",
    summary="Create a workspace",
    run_token=False,
    body=NEW_WORKSPACE,
    gives="Workspace",
    status=201,
)
def create_workspace(call: Call) -> Any:
    """The caller becomes its owner. With exist_ok, one that is there and that the caller is in is given."""
    body = call.json()
    texts = {key: body.get(key) or "" for key in ("subscription_id", "resource_group", "location", "description")}
    if not all(isinstance(text, str) for text in texts.values()):
        raise Invalid("subscription_id, resource_group, location and description are texts.")
    name = body.get("name")
    try:
        made = members.create_workspace(name, call.principal.user(), **texts)  # type: ignore[arg-type]
    except Conflict:
        if not body.get("exist_ok"):
            raise
        try:
            return _workspace(call, str(name))
        except NotFound:
            raise Conflict(f"The name {name!r} is taken on this server; ask its owner to add you.", "name") from None
    return workspace_json(made, Role.OWNER)


def _workspace(call: Call, name: str) -> dict[str, Any]:
    seat = call.principal.seat(name)
    return workspace_json(Workspace.objects.get(pk=seat.id), seat.role)


@route("GET", "/workspaces/{ws}", tag="Workspaces", summary="One workspace", gives="Workspace")
def get_workspace(call: Call) -> Any:
    """What v1's config.json and get_details show."""
    return _workspace(call, call.workspace)


# -- experiments ------------------------------------------------------------------------------------------------------
TAG = "Experiments"


def experiment_json(experiment: Experiment, tags: dict[str, str | None], runs: int) -> dict[str, Any]:
    """The wire form."""
    return {
        "id": str(experiment.pk),
        "name": experiment.name,
        "description": experiment.description,
        "tags": tags,
        "created_at": raw.iso(experiment.created_at),
        "archived_at": raw.iso(experiment.archived_at),
        "runs": runs,
    }


def _shown(rows: list[Experiment]) -> list[dict[str, Any]]:
    """Experiments with their tags and how many top-level runs they have: two queries."""
    keys = [row.pk for row in rows]
    tags: dict[int, dict[str, str | None]] = {key: {} for key in keys}
    for owner, key, value in ExperimentTag.objects.filter(experiment__in=keys).values_list(
        "experiment_id", "key", "value"
    ):
        tags[owner][key] = value
    counted = Experiment.objects.filter(pk__in=keys).annotate(n=Count("runs", filter=Q(runs__parent=None)))
    counts = dict(counted.values_list("pk", "n"))
    return [experiment_json(row, tags[row.pk], counts.get(row.pk, 0)) for row in rows]


@route(
    "GET",
    "/workspaces/{ws}/experiments",
    tag=TAG,
    summary="List experiments",
    query={"name": "One name.", "archived": "1: archived ones too.", "limit": "100 unless given.", "cursor": "The next of the page before."},
    gives="list of Experiment",
)  # fmt: skip
def list_experiments(call: Call) -> Any:
    """By name."""
    rows = Experiment.objects.filter(workspace=call.workspace_id).order_by("name")
    if call.text("name"):
        rows = rows.filter(name=call.text("name"))
    elif not call.flag("archived"):
        rows = rows.filter(archived_at=None)
    if call.text("cursor"):
        rows = rows.filter(name__gt=call.text("cursor"))
    count = call.number("limit", 100, 1, 1000)
    found = list(rows[: count + 1])
    following = found[count - 1].name if len(found) > count else None
    return {"items": _shown(found[:count]), "next": following}


@route(
    "POST",
    "/workspaces/{ws}/experiments",
    tag=TAG,
    summary="Get or create an experiment",
    need=Role.CONTRIBUTOR,
    run_token=False,
    body={"name": "text", "description": "text?", "tags": "object?"},
    gives="Experiment",
    status=201,
)
def post_experiment(call: Call) -> Any:
    """One that is there is given as it is."""
    body = call.json()
    made, _ = experiments.get_or_create(
        call.workspace_id, body.get("name"), description=body.get("description"), tags=body.get("tags")
    )
    return _shown([made])[0]


def _experiment(call: Call, name: str) -> Experiment:
    found = Experiment.objects.filter(workspace=call.workspace_id, name=name).first()
    if found is None:
        raise NotFound(f"There is no experiment {name[:260]!r} in this workspace.")
    return found


@route("GET", "/workspaces/{ws}/experiments/{name}", tag=TAG, summary="One experiment", gives="Experiment")
def get_experiment(call: Call, name: str) -> Any:
    """With its tags and the number of its top-level runs."""
    return _shown([_experiment(call, name)])[0]


@route(
    "PATCH",
    "/workspaces/{ws}/experiments/{name}",
    tag=TAG,
    summary="Change an experiment",
    need=Role.CONTRIBUTOR,
    run_token=False,
    body={"description": "text?", "tags": "object?, all of them"},
    gives="Experiment",
)
def change_experiment(call: Call, name: str) -> Any:
    """What is not given stays."""
    found, body = _experiment(call, name), call.json()
    experiments.change(found, **{key: body[key] for key in ("description", "tags") if key in body})
    return get_experiment(call, name)


@route(
    "DELETE",
    "/workspaces/{ws}/experiments/{name}",
    tag=TAG,
    summary="Delete an experiment",
    need=Role.CONTRIBUTOR,
    run_token=False,
    gives="{deleted_runs}",
)
def delete_experiment(call: Call, name: str) -> Any:
    """With its runs and their files; 409 while one of them is not final."""
    return {"deleted_runs": delete.delete_experiment(_experiment(call, name))}


@route(
    "POST",
    "/workspaces/{ws}/experiments/{name}/archive",
    tag=TAG,
    summary="Archive an experiment",
    need=Role.CONTRIBUTOR,
    run_token=False,
    gives="Experiment",
)
def archive_experiment(call: Call, name: str) -> Any:
    """It is left out of lists until someone writes to it."""
    experiments.archive(_experiment(call, name))
    return get_experiment(call, name)


@route(
    "POST",
    "/workspaces/{ws}/experiments/{name}/activate",
    tag=TAG,
    summary="Bring an archived experiment back",
    need=Role.CONTRIBUTOR,
    run_token=False,
    gives="Experiment",
)
def activate_experiment(call: Call, name: str) -> Any:
    """It is in lists again."""
    experiments.activate(_experiment(call, name))
    return get_experiment(call, name)
