"""The model registry over the wire."""

from __future__ import annotations

from typing import Any

from runs.actions import models as actions
from runs.actions.models import NewModel
from runs.api import files
from runs.api.routing import Call, route, run_for
from runs.models import raw
from runs.queries import cursors, models
from studio.errors import Invalid, NotFound
from studio.workspace.models import ModelVersion, Role

TAG = "Models"
NEW = {
    "name": "text",
    "run_id": "text?; with path: an artifact of the run, or a folder of them",
    "path": "text?",
    "upload_id": "text?; in place of run_id: files sent before",
    "description": "text?",
    "tags": "object?",
    "properties": "object?",
    "framework": "text?",
    "framework_version": "text?",
    "datasets": "[{scenario, name}]?",
    "sample_input": "any?",
}


def as_dict(version: ModelVersion, name: str | None = None) -> dict[str, Any]:
    """The wire form."""
    name = name or version.model.name
    return {
        "id": f"{name}:{version.version}",
        "name": name,
        "version": version.version,
        "description": version.description,
        "tags": version.tags,
        "properties": version.properties,
        "framework": version.framework,
        "framework_version": version.framework_version,
        "run_id": version.run_id or None,
        "experiment": version.experiment or None,
        "datasets": version.datasets,
        "sample_input": version.sample_input,
        "created_at": raw.iso(version.created_at),
        "created_by": version.created_by,
        "size": version.size,
        "is_folder": version.is_folder,
    }


@route(
    "GET",
    "/workspaces/{ws}/models",
    tag=TAG,
    summary="List models",
    query={
        "name": "One name.",
        "tag": "key or key=value; may be given several times.",
        "property": "key or key=value; may be given several times.",
        "run_id": "Those of one run.",
        "latest": "1: the greatest version of each name.",
        "limit": "100 unless given.",
        "cursor": "The next of the page before.",
    },
    gives="list of Model",
)
def list_models(call: Call) -> Any:
    """Newest first."""
    get = call.request.GET
    count = call.number("limit", 100, 1, 1000)
    before = None
    if call.text("cursor"):
        before = cursors.decode(call.text("cursor") or "", "models", (int,))[0]
    found = models.listed(
        call.workspace_id,
        name=call.text("name"),
        run_id=call.text("run_id"),
        latest=call.flag("latest"),
        tags=[text for text in get.getlist("tag") if text],
        properties=[text for text in get.getlist("property") if text],
        before=before,
        limit=count + 1,
    )
    following = cursors.encode("models", found[count - 1].pk) if len(found) > count else None
    return {"items": [as_dict(row) for row in found[:count]], "next": following}


@route(
    "POST",
    "/workspaces/{ws}/models",
    tag=TAG,
    summary="Register a model",
    need=Role.CONTRIBUTOR,
    body=NEW,
    gives="Model",
    status=201,
)
def register(call: Call) -> Any:
    """The next version of the name. A run's token registers for its own run and for those below it."""
    body = call.json()
    unknown = [key for key in body if key not in NEW]
    if unknown:
        raise Invalid(f"{unknown[0][:80]!r} is no field of a model; there are {', '.join(NEW)}.", unknown[0][:80])
    run_id, path, upload_id = body.pop("run_id", None), body.pop("path", None), body.pop("upload_id", None)
    new = NewModel(**{"name": None, **body})
    own = call.principal.run
    run = None
    if run_id is not None:
        run = run_for(call.principal, str(run_id))
        if run.workspace_id != call.workspace_id:
            raise raw.no_run(str(run_id))
    elif own is not None:
        run = own.key
    if upload_id is not None:
        return as_dict(actions.register_upload(call.workspace_id, call.by, upload_id, new, run), new.name)
    if run_id is None or run is None:
        raise Invalid("Say where the files are: run_id with path, or upload_id.", "run_id")
    return as_dict(actions.register_from_run(call.by, run, path, new), new.name)


@route(
    "PUT",
    "/workspaces/{ws}/model-uploads/{upload_id}/{path}",
    tag=TAG,
    summary="Send a file for a model",
    need=Role.CONTRIBUTOR,
    body="bytes, streamed",
    gives="{path, size, sha256}",
)
def upload(call: Call, upload_id: str, path: str) -> Any:
    """upload_id is a UUID that the client makes; what is not registered within a day is forgotten."""
    file = actions.upload(call.workspace_id, upload_id, path, call.stream)
    return {"path": file.path, "size": file.size, "sha256": file.sha256}


@route("GET", "/workspaces/{ws}/models/{name}/versions/{v}", tag=TAG, summary="One version", gives="Model")
def get_model(call: Call, name: str, v: int) -> Any:
    """What was registered."""
    return as_dict(actions.find(call.workspace_id, name, v))


@route(
    "PATCH",
    "/workspaces/{ws}/models/{name}/versions/{v}",
    tag=TAG,
    summary="Change a version",
    need=Role.CONTRIBUTOR,
    run_token=False,
    body={"description": "text?", "tags": "object?, all of them", "properties": "object?, added"},
    gives="Model",
)
def change_model(call: Call, name: str, v: int) -> Any:
    """Properties are added and never changed."""
    version, body = actions.find(call.workspace_id, name, v), call.json()
    actions.change(version, **{key: body.get(key) for key in ("description", "tags", "properties")})
    return as_dict(version)


@route(
    "DELETE",
    "/workspaces/{ws}/models/{name}/versions/{v}",
    tag=TAG,
    summary="Delete a version",
    need=Role.CONTRIBUTOR,
    run_token=False,
    gives="{deleted}",
)
def delete_model(call: Call, name: str, v: int) -> Any:
    """With its files; its number is not used again."""
    actions.delete(actions.find(call.workspace_id, name, v))
    return {"deleted": 1}


@route(
    "GET",
    "/workspaces/{ws}/models/{name}/versions/{v}/files",
    tag=TAG,
    summary="The files of a version",
    gives="list of {path, size, sha256}",
)
def list_files(call: Call, name: str, v: int) -> Any:
    """By path."""
    rows = actions.find(call.workspace_id, name, v).files.order_by("path").values("path", "size", "sha256")
    return {"items": list(rows), "next": None}


@route(
    "GET",
    "/workspaces/{ws}/models/{name}/versions/{v}/files/{path}",
    tag=TAG,
    summary="Download a file of a version",
    gives="bytes; one Range and If-None-Match are understood",
)
def get_file(call: Call, name: str, v: int, path: str) -> Any:
    """As it was registered."""
    file = actions.find(call.workspace_id, name, v).files.filter(path=path).first()
    if file is None:
        raise NotFound(f"The model has no file {path[:200]!r}.", "path")
    return files.serve(call.request, file.sha256, file.size, path, "application/octet-stream")
