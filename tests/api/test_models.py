"""The model registry through the API, and running a script again."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage

from studio.workspace import storage
from studio.workspace.models import ModelUpload
from tests.api.conftest import Api
from tests.api.test_artifacts import body_of
from tests.api.test_snapshots import id_of, zipped

pytestmark = pytest.mark.django_db
MODELS = "/workspaces/lab/models"


def register(api: Api, **fields: Any) -> dict[str, Any]:
    return api.ok("POST", MODELS, {"name": "diabetes", **fields})


def with_file(api: Api, path: str = "outputs/model.pkl", data: bytes = b"model") -> str:
    run = api.start()["id"]
    api.ok("PUT", f"/runs/{run}/artifacts/{path}", data)
    return str(run)


def test_a_runs_file_becomes_a_model_and_the_next_version(api: Api) -> None:
    run = with_file(api)
    made = register(
        api, run_id=run, path="outputs/model.pkl", tags={"a": 1}, properties={"AUC": 0.8}, framework="Custom"
    )
    assert made["id"] == "diabetes:1" and made["size"] == 5 and made["is_folder"] is False
    assert (made["run_id"], made["experiment"], made["created_by"]) == (run, "trials", "carl")
    assert made["tags"] == {"a": "1"} and made["properties"] == {"AUC": "0.8"}
    assert register(api, run_id=run, path="outputs/model.pkl")["version"] == 2
    assert api.ok("GET", f"{MODELS}/diabetes/versions/1") == made
    assert [file["path"] for file in api.ok("GET", f"{MODELS}/diabetes/versions/1/files")["items"]] == ["model.pkl"]
    assert body_of(api.send("GET", f"{MODELS}/diabetes/versions/1/files/model.pkl")) == b"model"
    assert "no file 'nope'" in api.refused(404, "GET", f"{MODELS}/diabetes/versions/1/files/nope")


def test_a_folder_keeps_its_name_in_the_model(api: Api) -> None:
    run = with_file(api, "outputs/net/weights/w.bin")
    api.ok("PUT", f"/runs/{run}/artifacts/outputs/net/net.json", b"{}")
    api.ok("PUT", f"/runs/{run}/artifacts/outputs/network.txt", b"not in the folder")
    made = register(api, run_id=run, path="outputs/net/")
    assert made["is_folder"] is True
    paths = [file["path"] for file in api.ok("GET", f"{MODELS}/diabetes/versions/1/files")["items"]]
    assert paths == ["net/net.json", "net/weights/w.bin"]


def test_a_model_outlives_its_run(api: Api, django_capture_on_commit_callbacks: Any) -> None:
    run = with_file(api, data=b"outlives its run")
    register(api, run_id=run, path="outputs/model.pkl")
    api.ok("POST", f"/runs/{run}/end", {"status": "Completed"})
    with django_capture_on_commit_callbacks(execute=True):
        api.ok("DELETE", f"/runs/{run}")
    assert body_of(api.send("GET", f"{MODELS}/diabetes/versions/1/files/model.pkl")) == b"outlives its run"
    sha256 = api.ok("GET", f"{MODELS}/diabetes/versions/1/files")["items"][0]["sha256"]
    with django_capture_on_commit_callbacks(execute=True):
        api.ok("DELETE", f"{MODELS}/diabetes/versions/1")
    assert not Path(default_storage.path(storage.name_of(sha256))).exists()
    assert "no model diabetes:1" in api.refused(404, "GET", f"{MODELS}/diabetes/versions/1")
    assert register(api, run_id=with_file(api), path="outputs/model.pkl")["version"] == 2


def test_files_are_uploaded_and_then_registered(api: Api) -> None:
    upload = str(uuid.uuid4())
    api.ok("PUT", f"/workspaces/lab/model-uploads/{upload}/net/a", b"old")
    api.ok("PUT", f"/workspaces/lab/model-uploads/{upload}/net/a", b"new")
    api.ok("PUT", f"/workspaces/lab/model-uploads/{upload}/net/b", b"2")
    made = register(api, upload_id=upload, datasets=[{"scenario": "training", "name": "diabetes"}])
    assert made["size"] == 4 and made["run_id"] is None and made["datasets"][0]["name"] == "diabetes"
    assert body_of(api.send("GET", f"{MODELS}/diabetes/versions/1/files/net/a")) == b"new"
    assert not ModelUpload.objects.exists()
    assert "registered before" in api.refused(404, "POST", MODELS, {"name": "diabetes", "upload_id": upload})


def test_models_are_listed_by_what_is_said_of_them(api: Api) -> None:
    run = with_file(api)
    for name, tags in (("a", {"stage": "old"}), ("a", {"stage": "new"}), ("b", {"stage": "new", "x": None})):
        register(api, name=name, run_id=run, path="outputs/model.pkl", tags=tags, properties={"p": "1"})

    def ids(query: str) -> list[str]:
        return [model["id"] for model in api.ok("GET", f"{MODELS}?{query}")["items"]]

    assert ids("") == ["b:1", "a:2", "a:1"]
    assert ids("latest=1") == ["b:1", "a:2"]
    assert ids("name=a&tag=stage=old") == ["a:1"]
    assert ids("tag=stage=new&tag=x") == ["b:1"]
    assert ids("property=p=2") == [] and len(ids("property=p")) == 3
    assert len(ids(f"run_id={run}")) == 3
    first = api.ok("GET", f"{MODELS}?limit=2")
    assert ids(f"limit=2&cursor={first['next']}") == ["a:1"]
    assert "cursor" in api.refused(400, "GET", f"{MODELS}?cursor=zzz")


def test_tags_of_a_model_change_and_properties_are_added(api: Api) -> None:
    register(api, run_id=with_file(api), path="outputs/model.pkl", properties={"AUC": "0.8"})
    changed = api.ok("PATCH", f"{MODELS}/diabetes/versions/1", {"tags": {"b": "2"}, "properties": {"more": "x"}})
    assert changed["tags"] == {"b": "2"} and changed["properties"] == {"AUC": "0.8", "more": "x"}
    assert "set once" in api.refused(409, "PATCH", f"{MODELS}/diabetes/versions/1", {"properties": {"AUC": "1"}})


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"name": "a b", "path": "outputs/model.pkl"}, "letters"),
        ({"name": "a", "path": ""}, "path names"),
        ({"name": "a", "path": "outputs/model.pkl", "stuff": 1}, "no field"),
    ],
)
def test_what_is_no_model_is_refused(api: Api, body: dict[str, Any], said: str) -> None:
    assert said in api.refused(400, "POST", MODELS, {**body, "run_id": with_file(api)})
    assert "where the files are" in api.refused(400, "POST", MODELS, {"name": "a"})


def test_a_path_that_the_run_does_not_have_is_told_with_what_it_has(api: Api) -> None:
    run = with_file(api)
    assert "outputs/model.pkl" in api.refused(404, "POST", MODELS, {"name": "a", "run_id": run, "path": "model.pkl"})


def test_a_script_is_run_again_as_a_new_run(api: Api) -> None:
    files = {"train.py": b"print()"}
    api.ok("PUT", f"/workspaces/lab/snapshots/{id_of(files)}", zipped(files))
    body = {
        "experiment": "again",
        "kind": "script",
        "snapshot_id": id_of(files),
        "definition": {"script": "train.py", "arguments": ["--rate", 0.1]},
        "tags": {"a": "1"},
        "properties": {"azureml.git.commit": "abc", "AzureML.DerivedImageName": "old"},
        "display_name": "mine",
    }
    first = api.ok("POST", "/workspaces/lab/runs", body)
    again = api.ok("POST", f"/runs/{first['id']}/resubmit")
    assert again["id"] != first["id"] and again["status"] == "NotStarted" and again["number"] == 2
    for key in ("definition", "snapshot_id", "tags", "display_name", "experiment", "compute", "type"):
        assert again[key] == first[key]
    assert again["properties"] == {
        "azureml.git.commit": "abc",
        "azureml.resubmittedFrom": first["id"],
        "ContentSnapshotId": id_of(files),
    }
    assert "Only a submitted script" in api.refused(409, "POST", f"/runs/{api.start()['id']}/resubmit")
