"""Runs through the API: created, read, changed, ended."""

from __future__ import annotations

import uuid

import pytest
from django.contrib.auth.models import User

from runs.models import Run
from tests import builders
from tests.api.conftest import Api

pytestmark = pytest.mark.django_db


def test_an_interactive_run_runs_at_once_and_ends_when_told(api: Api) -> None:
    run = api.start(tags={"stage": "draft", "plain": None}, properties={"git": "abc"}, display_name="first")
    assert run["status"] == "Running" and run["number"] == 1 and run["submitted_by"] == "carl"
    assert run["tags"] == {"stage": "draft", "plain": None} and run["properties"] == {"git": "abc"}
    assert api.ok("GET", f"/runs/{run['id']}") == run
    ended = api.ok("POST", f"/runs/{run['id']}/end", {"status": "Completed"})
    assert ended["status"] == "Completed"
    again = api.ok("GET", f"/runs/{run['id']}")
    assert again["ended_at"] >= again["started_at"]
    states = [event["state"] for event in api.ok("GET", f"/runs/{run['id']}/events")["items"]]
    assert states == ["Running", "Completed"]


def test_a_failed_run_keeps_its_error_and_a_long_one_is_cut(api: Api) -> None:
    run = api.start()
    error = {"code": "UserError", "message": "x" * 5000, "details": "Traceback\x00 …"}
    api.ok("POST", f"/runs/{run['id']}/end", {"status": "Failed", "error": error})
    kept = api.ok("GET", f"/runs/{run['id']}")["error"]
    assert kept["code"] == "UserError" and len(kept["message"]) == 3000 and kept["message"].endswith("…")
    assert kept["details"] == "Traceback� …"


def test_an_end_is_not_changed_but_may_be_said_twice(api: Api) -> None:
    run = api.start()
    api.ok("POST", f"/runs/{run['id']}/end", {"status": "Failed"})
    api.ok("POST", f"/runs/{run['id']}/end", {"status": "Failed"})
    assert "ended as Failed" in api.refused(409, "POST", f"/runs/{run['id']}/end", {"status": "Completed"})


def test_the_same_id_again_gives_the_run_that_is_there(api: Api) -> None:
    identity = str(uuid.uuid4())
    first = api.start(id=identity, tags={"a": "1"})
    assert api.start(id=identity) == first
    assert Run.objects.count() == 1
    assert "taken" in api.refused(
        409, "POST", "/workspaces/lab/runs", {"experiment": "other", "kind": "interactive", "id": identity}
    )


def test_runs_of_an_experiment_are_numbered(api: Api) -> None:
    assert [api.start()["number"], api.start()["number"], api.start("another")["number"]] == [1, 2, 1]


def test_a_child_shares_its_parents_root(api: Api) -> None:
    parent = api.start()
    child = api.start(parent_id=parent["id"])
    grandchild = api.start(parent_id=child["id"])
    assert (grandchild["parent_id"], grandchild["root_id"]) == (child["id"], parent["id"])
    direct = api.ok("GET", f"/runs/{parent['id']}/children")["items"]
    everyone = api.ok("GET", f"/runs/{parent['id']}/children?recursive=1&order=created_at")["items"]
    assert [run["id"] for run in direct] == [child["id"]]
    assert [run["id"] for run in everyone] == [child["id"], grandchild["id"]]


def test_children_are_made_together_and_start_one_by_one(api: Api) -> None:
    parent = api.start()
    body = {"count": 3, "tags": {"fold": None}, "display_names": ["a", "b", "c"]}
    children = api.ok("POST", f"/runs/{parent['id']}/children", body)["items"]
    assert [child["display_name"] for child in children] == ["a", "b", "c"]
    assert {child["status"] for child in children} == {"NotStarted"}
    assert [child["number"] for child in children] == [2, 3, 4]
    started = api.ok("POST", f"/runs/{children[0]['id']}/start")
    assert started["status"] == "Running" and started["started_at"]


def test_tags_change_and_properties_do_not(api: Api) -> None:
    run = api.start(properties={"seed": "1"})["id"]
    tags = api.ok("PUT", f"/runs/{run}/tags", {"set": {"a": "1", "b": None}})["tags"]
    assert tags == {"a": "1", "b": None}
    assert api.ok("PUT", f"/runs/{run}/tags", {"set": {"a": 2}, "remove": ["b", "never"]})["tags"] == {"a": "2"}
    assert api.ok("POST", f"/runs/{run}/properties", {"seed": 1, "more": "x"})["properties"] == {
        "seed": "1",
        "more": "x",
    }
    assert "set once" in api.refused(409, "POST", f"/runs/{run}/properties", {"seed": "2", "new": "y"})
    assert api.ok("GET", f"/runs/{run}")["properties"] == {"seed": "1", "more": "x"}


def test_a_run_has_at_most_fifty_tags_and_properties(api: Api) -> None:
    run = api.start(tags={f"t{i}": "" for i in range(50)})["id"]
    assert "50" in api.refused(413, "PUT", f"/runs/{run}/tags", {"set": {"one more": ""}})
    assert len(api.ok("PUT", f"/runs/{run}/tags", {"set": {"t1": "x"}})["tags"]) == 50
    properties = {f"p{i}": "" for i in range(51)}
    assert "50" in api.refused(413, "POST", f"/runs/{run}/properties", properties)


def test_names_and_descriptions_are_edited(api: Api) -> None:
    run = api.start()["id"]
    changed = api.ok("PATCH", f"/runs/{run}", {"display_name": "better", "description": "# Why\n\nBecause."})
    assert changed["display_name"] == "better" and changed["description"] == "# Why\n\nBecause."
    assert api.ok("PATCH", f"/runs/{run}", {"description": ""})["display_name"] == "better"


def test_canceling_ends_interactive_runs_and_asks_jobs_to_stop(api: Api, lab: object) -> None:
    parent = api.start()["id"]
    child = api.start(parent_id=parent)["id"]
    assert api.ok("POST", f"/runs/{parent}/cancel")["status"] == "Canceled"
    assert api.ok("GET", f"/runs/{child}")["status"] == "Canceled"
    job = builders.run(lab, kind="script")  # type: ignore[arg-type]
    assert api.ok("POST", f"/runs/{job.pk}/cancel")["status"] == "CancelRequested"
    assert api.ok("GET", f"/runs/{job.pk}")["status"] == "CancelRequested"
    assert "already" in api.refused(409, "POST", f"/runs/{parent}/cancel")


def test_a_jobs_script_says_how_it_ended_and_the_worker_moves_it(api: Api, lab: object) -> None:
    job = builders.run(lab, kind="script")  # type: ignore[arg-type]
    error = {"code": "UserError", "message": "it broke"}
    assert api.ok("POST", f"/runs/{job.pk}/end", {"status": "Failed", "error": error})["status"] == "Running"
    job.refresh_from_db()
    assert (job.state, job.said_status, job.error_message) == ("Running", "Failed", "it broke")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"kind": "interactive"}, "experiment"),
        ({"experiment": "a/b", "kind": "interactive"}, "slash"),
        ({"experiment": "..", "kind": "interactive"}, "can't name"),
        ({"experiment": " ", "kind": "interactive"}, "empty"),
        ({"experiment": "x" * 257, "kind": "interactive"}, "256"),
        ({"experiment": "a\u0007b", "kind": "interactive"}, "U+0007"),
        ({"experiment": "t", "kind": "magic"}, "neither"),
        ({"experiment": "t", "kind": "interactive", "id": "../x"}, "id"),
        ({"experiment": "t", "kind": "interactive", "tags": {"k" * 101: "v"}}, "100"),
        ({"experiment": "t", "kind": "interactive", "tags": {"k": "v" * 1001}}, "1,000"),
        ({"experiment": "t", "kind": "interactive", "tags": ["k"]}, "object"),
        ({"experiment": "t", "kind": "interactive", "tags": {"k": {"a": 1}}}, "text"),
        ({"experiment": "t", "kind": "interactive", "description": "x" * 5001}, "5,000"),
        ({"experiment": "t", "kind": "interactive", "started_at": "yesterday"}, "time"),
        ({"experiment": "t", "kind": "interactive", "stuff": 1}, "no field"),
        ({"experiment": "t", "kind": "script"}, "definition"),
        ({"experiment": "t", "kind": "script", "definition": {}}, "script"),
        ({"experiment": "t", "kind": "interactive", "description": "a\u0000b"}, "NUL"),
    ],
)
def test_what_can_not_be_kept_is_refused_and_nothing_is_written(api: Api, body: dict, said: str) -> None:
    assert said in api.refused(400, "POST", "/workspaces/lab/runs", body)
    assert not Run.objects.exists()


def test_a_body_that_is_not_json_is_refused_with_a_sentence(api: Api) -> None:
    assert "not JSON" in api.refused(400, "POST", "/workspaces/lab/runs", b"{")
    assert "object" in api.refused(400, "POST", "/workspaces/lab/runs", [1])


def test_an_unknown_run_and_an_unknown_method_say_so(api: Api) -> None:
    assert "no run 'nope'" in api.refused(404, "GET", "/runs/nope")
    assert "PUT is not possible" in api.refused(405, "PUT", "/runs/nope")


def test_a_token_must_be_known(lab: object) -> None:
    assert "not known" in Api({"HTTP_AUTHORIZATION": "Bearer atp_wrong"}).refused(401, "GET", "/runs/x")
    assert "Bearer" in Api({"HTTP_AUTHORIZATION": "Basic eA=="}).refused(401, "GET", "/runs/x")
    assert "token" in Api({}).refused(401, "GET", "/runs/x")


def test_a_signed_in_browser_may_read_the_api(reader: User, api: Api) -> None:
    run = api.start()["id"]
    browser = Api({})
    browser.client.force_login(reader)
    assert browser.ok("GET", f"/runs/{run}")["id"] == run
