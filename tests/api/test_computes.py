"""Compute targets through the API."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from studio.compute import placing
from tests.api.conftest import Api

pytestmark = pytest.mark.django_db
CPU = {"name": "cpu", "vm_size": "STANDARD_D2_V2", "max_nodes": 2, "backend": "process"}
AT = "/workspaces/lab/computes"


def test_a_cluster_is_ready_at_once_and_empty(api: Api) -> None:
    made = api.ok("POST", AT, {**CPU, "idle_seconds_before_scaledown": 30})
    assert (made["provisioning_state"], made["allocation_state"], made["current_node_count"]) == (
        "Succeeded",
        "Steady",
        0,
    )
    assert made["scale_settings"] == {"min_node_count": 0, "max_node_count": 2, "idle_seconds": 30}
    assert made["type"] == "AmlCompute" and made["created_by"] == "carl"
    assert api.ok("GET", f"{AT}/cpu") == made
    assert [row["name"] for row in api.ok("GET", AT)["items"]] == ["cpu", "local"]
    assert [row["name"] for row in api.ok("GET", f"{AT}?type=local")["items"]] == ["local"]


def test_creating_it_again_gives_the_one_that_is_there_unless_it_is_another(api: Api) -> None:
    made = api.ok("POST", AT, CPU)
    assert api.ok("POST", AT, {**CPU, "max_nodes": 9})["creation_time"] == made["creation_time"]
    assert "already" in api.refused(409, "POST", AT, {**CPU, "vm_size": "STANDARD_D3_V2"})


def test_keywords_without_meaning_here_are_kept_and_secrets_are_not(api: Api) -> None:
    body = {**CPU, "subnet_name": "default", "admin_username": "me", "admin_user_password": "hunter2"}
    made = api.ok("POST", AT, body)
    assert made["settings"] == {"subnet_name": "default", "admin_username": "me"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "9lives"}, "can't name a compute target"),
        ({"name": "local"}, "always there"),
        ({"vm_size": "STANDARD_D2V2"}, "near it are STANDARD_D2_V2"),
        ({"vm_size": None}, "vm_size is missing"),
        ({"max_nodes": None}, "max_nodes is missing"),
        ({"max_nodes": 101}, "from 0 to 100"),
        ({"min_nodes": 3}, "can't be below the minimum"),
        ({"vm_priority": "cheap"}, "'dedicated' or 'lowpriority'"),
        ({"type": "AksCompute"}, "create an AmlCompute or a ComputeInstance"),
        ({"backend": "cloud"}, "it is one of process, docker"),
        ({"tags": "x"}, "wrong type"),
        ({"idle_seconds_before_scaledown": -1}, "idle_seconds_before_scaledown"),
        ({"vm_size": "STANDARD_NC6"}, "STANDARD_NC6 has 1 GPU; this machine has none"),
    ],
)
def test_what_is_wrong_is_refused_with_a_sentence(api: Api, change: dict, words: str) -> None:
    assert words in api.refused(400, "POST", AT, {**CPU, **change})


def test_scale_settings_are_changed_one_at_a_time(api: Api) -> None:
    api.ok("POST", AT, CPU)
    changed = api.ok("PATCH", f"{AT}/cpu", {"idle_seconds_before_scaledown": 5})
    assert changed["scale_settings"] == {"min_node_count": 0, "max_node_count": 2, "idle_seconds": 5}
    assert "can't be changed" in api.refused(400, "PATCH", f"{AT}/cpu", {"vm_size": "STANDARD_D3_V2"})


def test_nodes_and_events_are_listed(api: Api, lab) -> None:
    api.ok("POST", AT, CPU)
    placing.place("a", lab.pk, "cpu", nodes=2)
    nodes = api.ok("GET", f"{AT}/cpu/nodes")["items"]
    assert [(node["name"], node["state"], node["run_id"]) for node in nodes] == [
        ("cpu-1", "running", "a"),
        ("cpu-2", "running", "a"),
    ]
    counts = api.ok("GET", f"{AT}/cpu")["node_state_counts"]
    assert counts == {"idle": 0, "preparing": 0, "running": 2, "leaving": 0, "unusable": 0, "preempted": 0}
    assert api.ok("GET", f"{AT}/cpu/events?limit=1")["items"][0]["kind"] == "assigned"


def test_a_deleted_target_is_gone_when_nothing_runs_on_it(api: Api, django_capture_on_commit_callbacks: object) -> None:
    api.ok("POST", AT, CPU)
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
        assert api.send("DELETE", f"{AT}/cpu").status_code == 202
    assert "no compute target 'cpu'" in api.refused(404, "GET", f"{AT}/cpu")
    assert "can't be deleted" in api.refused(409, "DELETE", f"{AT}/local")


def test_the_table_of_sizes_is_there(api: Api) -> None:
    sizes = {row["name"]: row for row in api.ok("GET", "/vm-sizes")["items"]}
    assert sizes["STANDARD_NC6"]["gpus"] == 1


def test_a_reader_looks_and_a_stranger_finds_nothing(api: Api, reader: User, stranger: User) -> None:
    api.ok("POST", AT, CPU)
    from tests import people

    look, other = Api(people.bearer(reader)), Api(people.bearer(stranger))
    assert look.ok("GET", f"{AT}/cpu")["name"] == "cpu"
    for method, path, body in (("POST", AT, CPU), ("PATCH", f"{AT}/cpu", {}), ("DELETE", f"{AT}/cpu", None)):
        assert "Contributor" in look.refused(403, method, path, body)
        other.refused(404, method, path, body)
    other.refused(404, "GET", f"{AT}/cpu")
