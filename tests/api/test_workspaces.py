"""Workspaces and experiments through the API, and what is deleted with them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.storage import default_storage

from runs.models import Experiment, Run
from studio.workspace import storage
from tests import builders
from tests.api.conftest import Api

pytestmark = pytest.mark.django_db


def test_a_caller_learns_who_it_is(api: Api) -> None:
    me = api.ok("GET", "/me")
    assert me["user"] == "carl" and me["workspaces"] == [{"name": "lab", "role": "Contributor"}]
    assert me["server_version"]


def test_a_new_workspace_is_its_makers(api: Api, as_user: Callable[[User], Api], stranger: User) -> None:
    made = api.ok("POST", "/workspaces", {"name": "mine", "resource_group": "rg", "subscription_id": "s"})
    assert made["role"] == "Owner" and made["resource_group"] == "rg" and made["location"] == "local"
    assert api.ok("GET", "/workspaces/mine") == made
    assert {item["name"] for item in api.ok("GET", "/workspaces")["items"]} == {"lab", "mine"}
    assert "taken" in api.refused(409, "POST", "/workspaces", {"name": "mine"})
    assert api.ok("POST", "/workspaces", {"name": "mine", "exist_ok": True}) == made
    other = as_user(stranger)
    assert "taken" in other.refused(409, "POST", "/workspaces", {"name": "mine", "exist_ok": True})
    assert "2 to 32" in api.refused(400, "POST", "/workspaces", {"name": "x"})


def test_an_experiment_is_made_once_and_described(api: Api) -> None:
    made = api.ok("POST", "/workspaces/lab/experiments", {"name": "trials é", "tags": {"a": "1"}, "description": "d"})
    assert api.ok("POST", "/workspaces/lab/experiments", {"name": "trials é", "description": "other"}) == made
    api.start("trials é")
    assert api.ok("GET", "/workspaces/lab/experiments/trials é")["runs"] == 1
    changed = api.ok("PATCH", "/workspaces/lab/experiments/trials é", {"tags": {"b": None}})
    assert changed["tags"] == {"b": None} and changed["description"] == "d"
    assert "no experiment" in api.refused(404, "GET", "/workspaces/lab/experiments/nope")


def test_an_archived_experiment_is_left_out_until_it_is_written_to(api: Api) -> None:
    api.start("old")
    api.ok("POST", "/workspaces/lab/experiments/old/archive")
    assert api.ok("GET", "/workspaces/lab/experiments")["items"] == []
    assert len(api.ok("GET", "/workspaces/lab/experiments?archived=1")["items"]) == 1
    api.start("old")
    assert api.ok("GET", "/workspaces/lab/experiments/old")["archived_at"] is None
    api.ok("POST", "/workspaces/lab/experiments/old/archive")
    assert api.ok("POST", "/workspaces/lab/experiments/old/activate")["archived_at"] is None


def test_experiments_are_paged_by_name(api: Api) -> None:
    for name in ("b", "a", "c"):
        api.ok("POST", "/workspaces/lab/experiments", {"name": name})
    first = api.ok("GET", "/workspaces/lab/experiments?limit=2")
    assert [item["name"] for item in first["items"]] == ["a", "b"]
    second = api.ok("GET", f"/workspaces/lab/experiments?limit=2&cursor={first['next']}")
    assert [item["name"] for item in second["items"]] == ["c"] and second["next"] is None
    assert [item["name"] for item in api.ok("GET", "/workspaces/lab/experiments?name=b")["items"]] == ["b"]


def test_a_run_is_deleted_with_all_below_it_and_with_its_files(
    api: Api, django_capture_on_commit_callbacks: Any
) -> None:
    parent = api.start()["id"]
    child = api.start(parent_id=parent)["id"]
    other = api.start()["id"]
    api.log(child, "loss", [1.0])
    alone = api.ok("PUT", f"/runs/{child}/artifacts/a", b"in this run alone")["sha256"]
    for run in (child, other):
        shared = api.ok("PUT", f"/runs/{run}/artifacts/b", b"in two runs")["sha256"]
    assert "cancel it" in api.refused(409, "DELETE", f"/runs/{parent}")
    for run in (child, parent, other):
        api.ok("POST", f"/runs/{run}/end", {"status": "Completed"})
    with django_capture_on_commit_callbacks(execute=True):
        assert api.ok("DELETE", f"/runs/{parent}") == {"deleted": 2}
    assert [run.pk for run in Run.objects.all()] == [other]
    assert not Path(default_storage.path(storage.name_of(alone))).exists()
    assert Path(default_storage.path(storage.name_of(shared))).exists()


def test_an_experiment_is_deleted_with_its_runs_when_all_have_ended(api: Api, lab: Any) -> None:
    run = api.start("short-lived")["id"]
    assert "cancel it first" in api.refused(409, "DELETE", "/workspaces/lab/experiments/short-lived")
    api.ok("POST", f"/runs/{run}/end", {"status": "Completed"})
    builders.run(lab)
    assert api.ok("DELETE", "/workspaces/lab/experiments/short-lived") == {"deleted_runs": 1}
    assert Run.objects.count() == 1 and Experiment.objects.count() == 1
