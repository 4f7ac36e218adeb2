"""Who may call what: every route × every sort of caller, from the table of routes itself. A new route joins by being there.

For each the answer's class is derived from what the route declares; that the route declares enough is checked too.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import User

from runs.api import urls  # noqa: F401 - registers the routes
from runs.api.openapi import document
from runs.api.routing import ROUTES, Route
from runs.models import Run
from runs.states import State
from studio.workspace import tokens
from studio.workspace.models import Role
from tests import builders, people
from tests.api.conftest import Api

pytestmark = pytest.mark.django_db
CALLERS = ("owner", "contributor", "reader", "stranger", "signed out", "own run", "other run")
IDS = [f"{route.method} {route.path}" for route in ROUTES]
# Writes that a reader may make: none. What needs no workspace is open to all who are signed in.
WRITES = ("POST", "PUT", "PATCH", "DELETE")


def token_of(run: Run) -> dict[str, str]:
    text = tokens.fresh(tokens.RUN)
    Run.objects.filter(pk=run.pk).update(token_digest=tokens.digest(text))
    return {"HTTP_AUTHORIZATION": f"Bearer {text}"}


@pytest.fixture
def world(lab: Any, owner: User, contributor: User, reader: User, stranger: User) -> dict[str, Any]:
    run = builders.run(lab, kind="script", definition={"script": "a.py"})
    other = builders.run(lab, kind="script", definition={"script": "a.py"})
    people_of = {"owner": owner, "contributor": contributor, "reader": reader, "stranger": stranger}
    headers = {name: people.bearer(user) for name, user in people_of.items()}
    headers |= {"signed out": {}, "own run": token_of(run), "other run": token_of(other)}
    return {"run": run, "headers": headers}


def address(route: Route, run: Run) -> str:
    values = {"id": run.pk if route.scope == "run" else "0" * 64, "ws": "lab", "v": "1", "path": "outputs/x"}
    return re.sub(r"\{(\w+)\}", lambda match: values.get(match[1], "1"), route.path)


def status(route: Route, world: dict[str, Any], caller: str) -> tuple[int, str]:
    body: Any = {} if isinstance(route.body, dict) else b"" if route.body is not None else None
    response = Api(world["headers"][caller]).send(route.method, address(route, world["run"]), body)
    if response.status_code < 400 or not response.content.startswith(b'{"error"'):
        return response.status_code, ""
    return response.status_code, str(response.json()["error"]["message"])


@pytest.mark.parametrize("route", ROUTES, ids=IDS)
def test_each_caller_gets_what_the_route_declares_and_no_more(route: Route, world: dict[str, Any]) -> None:
    assert status(route, world, "signed out")[0] == 401
    for caller, role in (("reader", Role.READER), ("contributor", Role.CONTRIBUTOR), ("owner", Role.OWNER)):
        code, said = status(route, world, caller)
        if route.scope and role < route.need:
            assert code == 403 and "role" in said, (caller, code, said)
        else:
            # Some routes are a job's alone: a person is told so, whatever the role.
            assert code != 401 and (code != 403 or "Only the job of this run" in said), (caller, code, said)
        if route.scope == "run" and route.method == "DELETE" and route.path == "/runs/{id}":
            assert Run.objects.filter(pk=world["run"].pk).exists()  # it still runs, so it stays
    if route.scope:
        code, said = status(route, world, "stranger")
        assert code == 404 and "that you can see" in said, (code, said)
    _check_run_tokens(route, world)


def _check_run_tokens(route: Route, world: dict[str, Any]) -> None:
    own, said = status(route, world, "own run")
    if not route.run_token:
        assert own == 403 and "token" in said
    elif route.scope == "run":
        assert own not in (401, 403), (own, said)
    other, said = status(route, world, "other run")
    if route.scope == "run" and route.run_token:
        assert other == 404 and "no run" in said, (other, said)
    Run.objects.filter(pk=world["run"].pk).update(state=State.COMPLETED)
    assert status(route, world, "own run")[0] == 401


def test_a_route_that_writes_declares_that_a_reader_may_not() -> None:
    for route in ROUTES:
        assert route.summary and route.tag and (route.view.__doc__ or "").strip(), route
        if route.method in WRITES:
            assert route.need >= Role.CONTRIBUTOR if route.scope else not route.run_token, route


def test_a_runs_token_reaches_the_runs_below_its_own(world: dict[str, Any]) -> None:
    child = builders.run(world["run"].workspace, parent=world["run"])
    grandchild = builders.run(world["run"].workspace, parent=child)
    api, other = Api(world["headers"]["own run"]), Api(world["headers"]["other run"])
    assert api.ok("GET", f"/runs/{grandchild.pk}")["parent_id"] == child.pk
    api.ok("PUT", f"/runs/{grandchild.pk}/tags", {"set": {"a": "1"}})
    other.refused(404, "GET", f"/runs/{grandchild.pk}")
    body = {"experiment": "trials", "kind": "interactive"}
    made = api.ok("POST", "/workspaces/lab/runs", {**body, "parent_id": world["run"].pk})
    assert made["root_id"] == world["run"].pk
    api.refused(403, "POST", "/workspaces/lab/runs", body)
    other.refused(404, "POST", "/workspaces/lab/runs", {**body, "parent_id": world["run"].pk})
    api.refused(404, "GET", "/workspaces/elsewhere")


def test_a_revoked_token_and_a_changed_role_count_at_once(lab: Any, reader: User) -> None:
    token, text = tokens.make(reader, "soon gone")
    api = Api({"HTTP_AUTHORIZATION": f"Bearer {text}"})
    api.ok("GET", "/workspaces/lab")
    api.refused(403, "POST", "/workspaces/lab/experiments", {"name": "a"})
    member = lab.memberships.get(user=reader)
    member.role = Role.CONTRIBUTOR
    member.save()
    api.ok("POST", "/workspaces/lab/experiments", {"name": "a"})
    member.delete()
    api.refused(404, "GET", "/workspaces/lab")
    tokens.revoke(token)
    assert "revoked" in api.refused(401, "GET", "/me")


def test_the_document_describes_every_route_and_the_page_shows_it(lab: Any, reader: User) -> None:
    paths = document()["paths"]
    assert {(m.upper(), path) for path, methods in paths.items() for m in methods} == {
        (r.method, r.path) for r in ROUTES
    }
    browser = Api({})
    browser.client.force_login(reader)
    page = browser.send("GET", "/docs")
    assert page.status_code == 200
    text = page.content.decode()
    assert all(route.path in text for route in ROUTES) and "<script>" not in text and " style=" not in text
    assert browser.send("GET", "/openapi.json").json()["openapi"] == "3.1.0"


def test_a_browsers_session_needs_the_csrf_token_to_write(lab: Any, contributor: User) -> None:
    from django.test import Client

    client = Client(enforce_csrf_checks=True)
    client.force_login(contributor)
    answer = client.post("/api/v1/workspaces/lab/experiments", {"name": "a"}, content_type="application/json")
    assert answer.status_code == 403
