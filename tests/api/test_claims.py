"""A stream of files and metrics asks the database once a request, and nobody gets further by it than by asking anew."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.core.files.storage import default_storage

from runs.execution import run_token
from runs.models import Artifact, MetricSeries, Run
from studio.workspace import principals, storage
from studio.workspace.models import Membership, Role
from tests.api.conftest import Api

if TYPE_CHECKING:
    from django.contrib.auth.models import User

pytestmark = pytest.mark.django_db

AsUser = Callable[["User"], Api]


def kept(data: bytes) -> bool:
    return Path(default_storage.path(storage.name_of(hashlib.sha256(data).hexdigest()))).exists()


def batch(values: list[float]) -> dict[str, Any]:
    entry = {"name": "loss", "kind": "scalar", "columns": {"": values}, "times": [1.0] * len(values)}
    return {"batch": str(uuid.uuid4()), "series": [entry]}


def known(api: Api, **fields: Any) -> str:
    """A run that the server has let this caller write to."""
    run = str(api.start(**fields)["id"])
    api.ok("PUT", f"/runs/{run}/artifacts/first.txt", run.encode())
    api.ok("POST", f"/runs/{run}/metrics", batch([1.0]))
    return run


def test_a_file_of_a_stream_is_one_statement(api: Api, django_assert_num_queries: Any) -> None:
    run = known(api)
    with django_assert_num_queries(1):
        api.ok("PUT", f"/runs/{run}/artifacts/second.txt", b"second")
    assert api.send("GET", f"/runs/{run}/artifacts/second.txt").content == b"second"


def test_a_file_put_again_is_replaced_and_the_old_content_goes(
    api: Api, django_capture_on_commit_callbacks: Any
) -> None:
    run, old, new = known(api), uuid.uuid4().bytes, uuid.uuid4().bytes
    api.ok("PUT", f"/runs/{run}/artifacts/a.bin", old)
    with django_capture_on_commit_callbacks(execute=True):
        api.ok("PUT", f"/runs/{run}/artifacts/a.bin", new)
    assert api.send("GET", f"/runs/{run}/artifacts/a.bin").content == new
    assert kept(new) and not kept(old)


def test_a_batch_that_comes_again_is_ignored(api: Api) -> None:
    run, again = known(api), batch([2.0, 3.0])
    assert [api.ok("POST", f"/runs/{run}/metrics", again)["accepted"] for _ in range(2)] == [2, 0]
    assert MetricSeries.objects.get(run_id=run).count == 3


def test_a_run_deleted_meanwhile_is_not_found_and_nothing_is_left(
    api: Api, django_capture_on_commit_callbacks: Any
) -> None:
    run, data = known(api), uuid.uuid4().bytes
    Run.objects.filter(pk=run).delete()
    with django_capture_on_commit_callbacks(execute=True):
        api.refused(404, "PUT", f"/runs/{run}/artifacts/a.bin", data)
    api.refused(404, "POST", f"/runs/{run}/metrics", batch([2.0]))
    assert not kept(data)


def test_a_run_of_the_same_id_in_another_workspace_is_not_the_run_that_was_known(
    api: Api, stranger: User, as_user: AsUser, django_capture_on_commit_callbacks: Any
) -> None:
    run, data = known(api, id="same-name"), uuid.uuid4().bytes
    Run.objects.filter(pk=run).delete()
    assert as_user(stranger).start(ws="elsewhere", id="same-name")["id"] == run
    with django_capture_on_commit_callbacks(execute=True):
        api.refused(404, "PUT", f"/runs/{run}/artifacts/a.bin", data)
    api.refused(404, "POST", f"/runs/{run}/metrics", batch([2.0]))
    assert not Artifact.objects.filter(run_id=run).exists() and not MetricSeries.objects.filter(run_id=run).exists()
    assert not kept(data)


def test_a_known_run_is_no_strangers_nor_a_readers(api: Api, stranger: User, reader: User, as_user: AsUser) -> None:
    run = known(api)
    for status, caller in ((404, as_user(stranger)), (403, as_user(reader))):
        caller.refused(status, "PUT", f"/runs/{run}/artifacts/a.bin", b"a")
        caller.refused(status, "POST", f"/runs/{run}/metrics", batch([2.0]))


def test_who_lost_the_role_loses_the_known_run(api: Api, contributor: User) -> None:
    run = known(api)
    Membership.objects.filter(user=contributor).update(role=Role.READER)
    principals.forget()
    api.refused(403, "PUT", f"/runs/{run}/artifacts/a.bin", b"a")
    api.refused(403, "POST", f"/runs/{run}/metrics", batch([2.0]))


def test_a_runs_token_writes_to_its_known_run_until_it_ends(api: Api, django_assert_num_queries: Any) -> None:
    run = api.start()["id"]
    job = Api({"HTTP_AUTHORIZATION": f"Bearer {run_token.give(Run.objects.get(pk=run))}"})
    job.ok("PUT", f"/runs/{run}/artifacts/a.txt", b"a")
    with django_assert_num_queries(1):
        job.ok("PUT", f"/runs/{run}/artifacts/b.txt", b"b")
    job.ok("POST", f"/runs/{run}/metrics", batch([1.0]))
    job.refused(404, "PUT", f"/runs/{known(api)}/artifacts/a.txt", b"a")
    api.ok("POST", f"/runs/{run}/end", {"status": "Completed"})
    job.refused(401, "PUT", f"/runs/{run}/artifacts/c.txt", b"c")
    job.refused(401, "POST", f"/runs/{run}/metrics", batch([2.0]))
    api.ok("PUT", f"/runs/{run}/artifacts/c.txt", b"by its owner")


def test_a_lost_attempts_token_cannot_write_into_the_next_attempt(api: Api) -> None:
    run = api.start()["id"]
    row = Run.objects.get(pk=run)
    old = Api({"HTTP_AUTHORIZATION": f"Bearer {run_token.give(row)}"})
    old.ok("PUT", f"/runs/{run}/artifacts/a.txt", b"a")
    row.retries += 1
    run_token.give(row)
    old.refused(401, "PUT", f"/runs/{run}/artifacts/b.txt", b"b")
    old.refused(401, "POST", f"/runs/{run}/metrics", batch([2.0]))


def test_a_small_file_that_is_refused_leaves_nothing(api: Api, settings: Any) -> None:
    run, data = known(api), uuid.uuid4().bytes
    api.refused(400, "PUT", f"/runs/{run}/artifacts/a.bin", data, HTTP_X_CONTENT_SHA256="0" * 64)
    settings.LIMITS = {"artifact_bytes": 8}
    assert "limit" in api.refused(413, "PUT", f"/runs/{run}/artifacts/a.bin", data)
    assert not kept(data)


def test_a_large_file_of_a_known_run_is_streamed(api: Api, stranger: User, as_user: AsUser) -> None:
    run, large = known(api), bytes(3_000_000)
    assert api.ok("PUT", f"/runs/{run}/artifacts/large.bin", large)["size"] == len(large)
    as_user(stranger).refused(404, "PUT", f"/runs/{run}/artifacts/large.bin", large)
