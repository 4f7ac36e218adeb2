"""Files that people keep with a workspace, through the API."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.storage import default_storage

from studio.workspace import storage
from tests import builders, people
from tests.api.conftest import Api
from tests.api.test_artifacts import body_of
from tests.api.test_permissions import token_of

pytestmark = pytest.mark.django_db
FILES = "/workspaces/lab/datastore/files"


def test_a_file_is_kept_listed_read_in_part_and_replaced(api: Api) -> None:
    made = api.ok("PUT", f"{FILES}/diabetes/ä b.csv", b"a,b\n1,2\n")
    assert made["path"] == "diabetes/ä b.csv" and made["size"] == 8 and made["created_by"] == "carl"
    api.ok("PUT", f"{FILES}/diabetes2.csv", b"other")
    assert [one["path"] for one in api.ok("GET", FILES)["items"]] == ["diabetes/ä b.csv", "diabetes2.csv"]
    assert [one["path"] for one in api.ok("GET", f"{FILES}?prefix=diabetes/")["items"]] == ["diabetes/ä b.csv"]
    answer = api.send("GET", f"{FILES}/diabetes/ä b.csv", HTTP_RANGE="bytes=4-6")
    assert (answer.status_code, body_of(answer)) == (206, b"1,2")
    assert "sandbox" in answer["Content-Security-Policy"] and "attachment" in answer["Content-Disposition"]
    assert "overwrite=True" in api.refused(409, "PUT", f"{FILES}/diabetes2.csv?overwrite=0", b"no")
    assert api.ok("PUT", f"{FILES}/diabetes2.csv", b"newer")["size"] == 5
    assert body_of(api.send("GET", f"{FILES}/diabetes2.csv")) == b"newer"


def test_a_content_goes_with_the_last_file_that_names_it(api: Api, django_capture_on_commit_callbacks: Any) -> None:
    first = api.ok("PUT", f"{FILES}/a.bin", b"kept twice")
    api.ok("PUT", f"{FILES}/b.bin", b"kept twice")
    with django_capture_on_commit_callbacks(execute=True):
        assert api.send("DELETE", f"{FILES}/a.bin").status_code == 204
    assert storage.read(first["sha256"]) == b"kept twice"
    with django_capture_on_commit_callbacks(execute=True):
        api.ok("PUT", f"{FILES}/b.bin", b"another")
    assert not default_storage.exists(storage.name_of(first["sha256"]))
    api.refused(404, "DELETE", f"{FILES}/a.bin")


def test_names_that_leave_the_folder_and_too_much_are_refused_before_anything_is_kept(api: Api, settings: Any) -> None:
    for name in ("../x", "a//b", "a/../b", "C:/x", "a\\b"):
        api.refused(400, "PUT", f"{FILES}/{name}", b"x")
    settings.LIMITS = {"datastore_files": 1, "datastore_bytes": 1024**2}
    api.ok("PUT", f"{FILES}/one", b"x")
    assert "more than the limit of 1" in api.refused(413, "PUT", f"{FILES}/two", b"x")
    assert "limit of 1.0 MB" in api.refused(413, "PUT", f"{FILES}/one", b"x" * 2_000_000)
    assert [one["size"] for one in api.ok("GET", FILES)["items"]] == [1]


def test_a_run_reads_the_datastore_of_its_workspace_and_writes_nothing_there(
    api: Api, lab: Any, stranger: User
) -> None:
    api.ok("PUT", f"{FILES}/a", b"x")
    job = Api(token_of(builders.run(lab, kind="script", definition={"script": "a.py"})))
    assert body_of(job.send("GET", f"{FILES}/a")) == b"x"
    job.refused(403, "PUT", f"{FILES}/a", b"y")
    job.refused(403, "DELETE", f"{FILES}/a")
    Api(people.bearer(stranger)).refused(404, "GET", f"{FILES}/a")
