"""Runs: create, read, list, change, end."""

from __future__ import annotations

from typing import Any

from runs.actions import create, delete, resubmit, state, tags
from runs.actions.create import Created, NewRun
from runs.api.routing import Call, route
from runs.limits import limit
from runs.models import Run, raw
from runs.queries import runs
from runs.queries.runs import Filters
from runs.states import CANCEL_REQUESTED
from studio.errors import Forbidden, Invalid, NotFound
from studio.workspace.models import Role

TAG = "Runs"
LIST = {
    "status": "One or more statuses, separated by commas.",
    "type": "The run type, as azureml.scriptrun.",
    "tag": "key or key=value; may be given several times.",
    "property": "key or key=value; may be given several times.",
    "order": "-created_at (default), created_at, metric:<name> or -metric:<name>.",
    "metrics": "Names separated by commas: adds the last values as metrics.",
    "archived": "1: archived runs only; all: both. Without it archived runs are left out.",
    "limit": "Items on a page: 100 unless given, at most 1,000.",
    "cursor": "The next of the page before.",
}
NEW_RUN = {
    "experiment": "text, made when it is new",
    "kind": "interactive | script",
    "parent_id": "text?",
    "id": "text?; the same id again gives the run that is there",
    "display_name": "text?",
    "description": "text?",
    "tags": "{key: text or null}?",
    "properties": "{key: text}?",
    "snapshot_id": "text?",
    "definition": "object?; the v1 runDefinition of a script run",
    "compute": "text?",
    "started_at": "time?",
}


def created_json(made: Created, workspace: str) -> dict[str, Any]:
    """The JSON of a run that was just made, without asking the database again."""
    run = made.run
    error = run.error
    status = CANCEL_REQUESTED if run.cancel_requested_at and not run.is_final else str(run.state)
    inputs, outputs = runs.data_of(run.definition)
    return {
        "id": run.pk,
        "experiment": made.experiment,
        "workspace": workspace,
        "kind": run.kind,
        "type": run.type,
        "number": run.number,
        "display_name": run.display_name,
        "description": run.description,
        "status": status,
        "parent_id": run.parent_id,
        "root_id": run.root_id,
        "created_at": raw.iso(run.created_at),
        "started_at": raw.iso(run.started_at),
        "ended_at": raw.iso(run.ended_at),
        "archived_at": raw.iso(run.archived_at),
        "submitted_by": run.submitted_by,
        "compute": run.compute,
        "tags": made.tags,
        "properties": made.properties,
        "definition": run.definition,
        "snapshot_id": made.snapshot_id,
        "error": error,
        "warnings": run.warnings,
        "cancel_requested_at": raw.iso(run.cancel_requested_at),
        "waiting_for": run.waiting_for,
        "image": run.image,
        "portal_url": runs.portal_url(workspace, run.pk),
        "inputs": inputs,
        "outputs": outputs,
    }


@route(
    "POST", "/workspaces/{ws}/runs", tag=TAG, summary="Create a run", need=Role.CONTRIBUTOR, body=NEW_RUN, gives="Run", status=201
)  # fmt: skip
def create_run(call: Call) -> Any:
    """An interactive run starts at once; a script run waits for a worker. A run's token may create runs below its own."""
    body = call.json()
    known = NewRun.__dataclass_fields__
    unknown = [key for key in body if key not in known]
    if unknown:
        raise Invalid(f"{unknown[0][:80]!r} is no field of a run; there are {', '.join(known)}.", unknown[0][:80])
    new = NewRun(**{"experiment": None, **body})
    own = call.principal.run
    if own is not None:
        if new.parent_id is None:
            raise Forbidden("A run's token can create runs below its own run only: give its id as parent_id.")
        parent = raw.run_key(str(new.parent_id))
        if parent.workspace_id != own.workspace_id or not raw.is_below(parent, own.id):
            raise raw.no_run(str(new.parent_id))
    return created_json(create.create(call.workspace_id, call.by, new), call.workspace)


def filters_of(call: Call, **fixed: Any) -> Filters:
    """The filters that lists of runs share, from the query."""
    get = call.request.GET
    archived = get.get("archived", "0")
    if archived not in ("", "0", "1", "all"):
        raise Invalid(f"archived is 0, 1 or all; {archived[:40]!r} is none of them.", "archived")
    return Filters(
        call.workspace_id,
        statuses=[part for text in get.getlist("status") for part in text.split(",") if part],
        type=call.text("type"),
        tags=[text for text in get.getlist("tag") if text],
        properties=[text for text in get.getlist("property") if text],
        archived=None if archived == "all" else archived == "1",
        **fixed,
    )


def page_of(call: Call, filters: Filters) -> dict[str, Any]:
    """One page of a list of runs."""
    names = [name for name in (call.text("metrics") or "").split(",") if name]
    if len(names) > limit("metric_names"):
        raise Invalid(f"metrics names at most {limit('metric_names')} metrics.", "metrics")
    found = runs.page(
        filters,
        order=call.text("order", "-created_at") or "",
        limit=call.number("limit", 100, 1, 1000),
        cursor=call.text("cursor"),
        metrics=names,
    )
    return {"items": found.items, "next": found.next}


@route(
    "GET",
    "/workspaces/{ws}/runs",
    tag=TAG,
    summary="List runs",
    run_token=False,
    gives="list of Run",
    query={
        "experiment": "An experiment's name.",
        "parent": "The id of a run: its direct children.",
        "include_children": "1: runs below others too; 0 (default): top-level runs.",
        **LIST,
    },
)
def list_runs(call: Call) -> Any:
    """Pages go by keyset: a page costs the same among a hundred runs and among a million."""
    experiment_id = None
    name = call.text("experiment")
    if name:
        sql = "SELECT id FROM runs_experiment WHERE workspace_id = %s AND name = %s"
        row = raw.together((sql, [call.workspace_id, name]))[0]
        if not row:
            raise NotFound(f"There is no experiment {name[:260]!r} in this workspace.", "experiment")
        experiment_id = row[0][0]
    parent: str | None = "" if not call.flag("include_children") else None
    if call.text("parent"):
        key = raw.run_key(call.text("parent") or "")
        if key.workspace_id != call.workspace_id:
            raise raw.no_run(key.id)
        parent = key.id
    return page_of(call, filters_of(call, experiment_id=experiment_id, parent=parent))


@route(
    "GET",
    "/runs/{id}/children",
    tag=TAG,
    summary="List the runs below a run",
    gives="list of Run",
    query={"recursive": "1: runs at any depth.", **LIST},
)
def list_children(call: Call) -> Any:
    """Direct children, or with recursive=1 all descendants; the same filters as the list of a workspace."""
    if not call.flag("recursive"):
        return page_of(call, filters_of(call, parent=call.run.id, experiment_id=None))
    below = (
        "r.id IN (WITH RECURSIVE below(id) AS (SELECT c.id FROM runs_run c WHERE c.parent_id = %s "
        "UNION ALL SELECT c.id FROM runs_run c JOIN below b ON c.parent_id = b.id) SELECT id FROM below)"
    )
    return page_of(
        call, filters_of(call, parent=None, extra=[("r.root_id = %s", [call.run.root_id]), (below, [call.run.id])])
    )


@route(
    "POST",
    "/runs/{id}/children",
    tag=TAG,
    summary="Create several children",
    need=Role.CONTRIBUTOR,
    body={"count": "number", "tags": "object?", "properties": "object?", "display_names": "[text]?"},
    gives="{items: [Run]}",
    status=201,
)
def create_children(call: Call) -> Any:
    """Children that have not started yet, made in one transaction."""
    body = call.json()
    ids = create.create_children(
        call.run,
        call.by,
        count=body.get("count"),
        tags=body.get("tags"),
        properties=body.get("properties"),
        display_names=body.get("display_names"),
    )
    return {"items": runs.get_many(ids)}


@route("GET", "/runs/{id}", tag=TAG, summary="One run", gives="Run")
def get_run(call: Call) -> Any:
    """The run with its tags, properties, definition and error."""
    return runs.get(call.run.id)


@route(
    "PATCH",
    "/runs/{id}",
    tag=TAG,
    summary="Change a run's name or description",
    need=Role.CONTRIBUTOR,
    body={"display_name": "text?", "description": "text?"},
    gives="Run",
)
def change_run(call: Call) -> Any:
    """What is not given stays."""
    body = call.json()
    tags.describe(call.run, **{key: body[key] for key in ("display_name", "description") if key in body})
    return runs.get(call.run.id)


@route(
    "PUT",
    "/runs/{id}/tags",
    tag=TAG,
    summary="Set and remove tags",
    need=Role.CONTRIBUTOR,
    body={"set": "{key: text or null}?", "remove": "[key]?"},
    gives="{tags}",
)
def put_tags(call: Call) -> Any:
    """All tags of the run afterwards."""
    body = call.json()
    return {"tags": tags.set_tags(call.run, body.get("set"), body.get("remove"))}


@route(
    "POST",
    "/runs/{id}/properties",
    tag=TAG,
    summary="Add properties",
    need=Role.CONTRIBUTOR,
    body={"<key>": "text"},
    gives="{properties}",
)
def post_properties(call: Call) -> Any:
    """Properties do not change: 409 when a key is there with another value."""
    return {"properties": tags.add_properties(call.run, call.json())}


@route("POST", "/runs/{id}/start", tag=TAG, summary="Start a child", need=Role.CONTRIBUTOR, gives="Run")
def start_run(call: Call) -> Any:
    """A child that was made with others begins to run."""
    state.start(call.run)
    return runs.get(call.run.id)


@route(
    "POST",
    "/runs/{id}/end",
    tag=TAG,
    summary="End a run",
    need=Role.CONTRIBUTOR,
    body={"status": "Completed | Failed | Canceled", "error": "{code, message, details}?"},
    gives="{id, status}",
)
def end_run(call: Call) -> Any:
    """The run becomes final; for a job this is what its script says, and its process decides the moment."""
    body = call.json(nul=True)  # a failing program's text is cleaned and kept
    return _short(state.end(call.run, body.get("status"), body.get("error")))


def _short(run: Run) -> dict[str, Any]:
    return {"id": run.pk, "status": str(run.status), "ended_at": raw.iso(run.ended_at), "error": run.error}


@route("POST", "/runs/{id}/cancel", tag=TAG, summary="Cancel a run", need=Role.CONTRIBUTOR, gives="{id, status}")
def cancel_run(call: Call) -> Any:
    """Asks that the run and all below it stop; 409 when it is final already."""
    return _short(state.cancel(call.run, call.by))


@route(
    "GET", "/runs/{id}/events", tag=TAG, summary="The states a run went through", gives="list of {state, at, reason}"
)
def list_events(call: Call) -> Any:
    """Oldest first; nothing is ever changed or left out."""
    rows = raw.rows("SELECT state, at, reason FROM runs_runevent WHERE run_id = %s ORDER BY id", [call.run.id])
    return {"items": [{"state": s, "at": raw.iso(at), "reason": reason} for s, at, reason in rows], "next": None}


@route(
    "DELETE",
    "/runs/{id}",
    tag=TAG,
    summary="Delete a run",
    need=Role.CONTRIBUTOR,
    run_token=False,
    gives="{deleted: how many runs}",
)
def delete_run(call: Call) -> Any:
    """With the runs below it and the files that nothing else needs; 409 while one of them is not final."""
    return {"deleted": delete.delete_run(call.run)}


@route(
    "POST",
    "/runs/{id}/resubmit",
    tag=TAG,
    summary="Submit a run again",
    need=Role.CONTRIBUTOR,
    run_token=False,
    gives="Run",
    status=201,
)
def resubmit_run(call: Call) -> Any:
    """A new run with the same snapshot, definition, compute and tags."""
    made = resubmit.resubmit(call.run, call.by)
    return runs.get(made.run.pk)
