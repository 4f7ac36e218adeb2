"""Environments: listed, registered, looked up by name and version; their builds and the builds' logs."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse

from runs.api.routing import Call, route
from studio.compute import engines, targets
from studio.environments import asked, logs, queries, register
from studio.environments.models import Build
from studio.errors import Invalid, NotFound
from studio.workspace.models import Role, Workspace

TAG = "Environments"
NEW = {"definition": "object; an environment as it stands in a run's definition, with its name"}

BUILD = {
    "definition": "object?; an environment as it stands in a run's definition",
    "name": "text?; a registered one instead",
    "version": "text?; of it, the latest unless given",
    "compute": "text?; the target whose runs will use it; without it, where a new cluster's runs would",
}


def _workspace(call: Call) -> Workspace:
    return Workspace.objects.get(pk=call.workspace_id)


def _build(call: Call, build_id: str) -> Build:
    if not build_id.isdigit() or len(build_id) > 18:
        raise NotFound(f"There is no build {build_id[:20]!r}.")
    return queries.build(_workspace(call), int(build_id))


@route(
    "GET", "/workspaces/{ws}/environments", tag=TAG, summary="Environments of a workspace", gives="{items}",
)  # fmt: skip
def list_environments(call: Call) -> Any:
    """The latest version of each, curated ones included."""
    return {"items": [record.as_json() for record in register.listed(_workspace(call))], "next": None}


@route(
    "POST", "/workspaces/{ws}/environments", tag=TAG, summary="Register an environment", need=Role.CONTRIBUTOR,
    run_token=False, body=NEW, gives="Environment", status=201,
)  # fmt: skip
def register_environment(call: Call) -> Any:
    """The next version; the same content as the latest gives the latest. A registry's password is kept encrypted."""
    return register.register(_workspace(call), call.json().get("definition"), call.by).as_json()


@route(
    "GET", "/workspaces/{ws}/environments/{name}", tag=TAG, summary="One environment", gives="Environment",
    query={"version": "The version; the latest unless given."},
)  # fmt: skip
def get_environment(call: Call, name: str) -> Any:
    """A version of an environment."""
    return register.get(_workspace(call), name, call.text("version")).as_json()


@route(
    "GET", "/workspaces/{ws}/environments/{name}/versions", tag=TAG, summary="Versions of an environment", gives="{items}",
)  # fmt: skip
def list_versions(call: Call, name: str) -> Any:
    """Newest first."""
    return {"items": [record.as_json() for record in register.versions(_workspace(call), name)], "next": None}


@route(
    "GET", "/workspaces/{ws}/builds", tag=TAG, summary="Builds of environments", gives="{items}",
    query={"limit": "How many, at most 1,000."},
)  # fmt: skip
def list_builds(call: Call) -> Any:
    """Those that runs of this workspace started or waited for, newest first."""
    found = queries.builds(_workspace(call))[: call.number("limit", 100, 1, 1000)]
    return {"items": [queries.build_json(build) for build in found], "next": None}


@route(
    "POST", "/workspaces/{ws}/builds", tag=TAG, summary="Build an environment", need=Role.CONTRIBUTOR, run_token=False,
    body=BUILD, gives="Build",
)  # fmt: skip
def start_build(call: Call) -> Any:
    """Before any run needs it: the build that goes on, a new one, or the one that made what is there (Succeeded)."""
    workspace, body = _workspace(call), call.json()
    definition = body.get("definition")
    if isinstance(name := body.get("name"), str) and definition is None:
        definition = register.get(workspace, name, str(body.get("version") or "")).definition
    if not isinstance(definition, dict):
        raise Invalid("Give the definition of an environment, or the name of a registered one.", "definition")
    target = str(body.get("compute") or "")
    backend = targets.get(workspace, target).backend if target else engines.default_backend()
    found = asked.build_now(workspace, definition, backend, call.by)
    if found.state == "failed":
        raise Invalid(found.message, "definition")
    return asked.as_json(workspace, found, definition, backend)


@route("GET", "/workspaces/{ws}/builds/{build}", tag=TAG, summary="One build", gives="Build")
def get_build(call: Call, build: str) -> Any:
    """A build as it is now."""
    return queries.build_json(_build(call, build))


@route(
    "GET", "/workspaces/{ws}/builds/{build}/log", tag=TAG, summary="The log of a build", gives="bytes",
    query={"offset": "Where to begin, in bytes."},
)  # fmt: skip
def get_build_log(call: Call, build: str) -> Any:
    """Bytes from `offset` on; X-Log-Size says how many there are by now, X-Log-Complete whether more will come."""
    log = logs.build_log(_build(call, build).pk, call.number("offset", 0, 0, 10**12))
    response = HttpResponse(log.data, content_type="text/plain; charset=utf-8")
    response["X-Log-Size"] = str(log.size)
    response["X-Log-Complete"] = "1" if log.complete else "0"
    return response
