"""The hot paths in transactions of their own, as they run in production: all of a request is kept, or none of it."""

from __future__ import annotations

import threading
import uuid
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import DataError, close_old_connections, connection

from runs.actions import metrics, state
from runs.models import MetricBatch, MetricChunk, MetricSeries, Run, RunEvent, raw
from studio.errors import Conflict, NotFound
from tests.api.conftest import Api
from tests.api.test_metrics import entry, post, whole

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_run_is_made_written_to_and_ended(api: Api) -> None:
    run = api.start(tags={"a": None}, properties={"b": "1"})
    assert post(api, run["id"], entry("loss", {"": [1.0, 2.0]}), entry("row", {"x": [1], "y": ["z"]}, "row")) == 4
    batch = str(uuid.uuid4())
    assert post(api, run["id"], entry("loss", {"": [3.0]}), batch=batch) == 1
    assert post(api, run["id"], entry("loss", {"": [3.0]}), batch=batch) == 0
    assert whole(api, run["id"])["loss"]["columns"][""] == [1.0, 2.0, 3.0]
    assert api.ok("POST", f"/runs/{run['id']}/end", {"status": "Completed"})["status"] == "Completed"
    assert api.start(id=run["id"])["status"] == "Completed"
    assert Run.objects.count() == 1 and RunEvent.objects.count() == 2


def test_hundreds_of_small_batches_are_merged_on_the_way(api: Api) -> None:
    run = api.start()["id"]
    for i in range(150):
        post(api, run, entry("loss", {"": [float(i)]}))
    assert whole(api, run)["loss"]["columns"][""] == [float(i) for i in range(150)]
    assert MetricChunk.objects.count() < 70


def test_a_batch_that_is_refused_half_way_leaves_nothing_and_the_connection_works_on(api: Api) -> None:
    run = api.start()["id"]
    post(api, run, entry("a", {"": [1.0]}))
    key = raw.run_key(run)
    batch = str(uuid.uuid4())
    with pytest.raises(Conflict):
        metrics.append(key, batch, [entry("new", {"": [1.0]}), entry("a", {"x": [1]}, "row")])
    assert MetricSeries.objects.count() == 1 and MetricBatch.objects.count() == 1
    assert metrics.append(key, batch, [entry("new", {"": [1.0]})]) == 1


def test_metrics_of_a_run_that_was_deleted_meanwhile_are_refused_as_not_found(api: Api) -> None:
    key = raw.run_key(api.start()["id"])
    Run.objects.all().delete()
    with pytest.raises(NotFound):
        metrics.append(key, str(uuid.uuid4()), [entry("a", {"": [1.0]})])
    assert not MetricSeries.objects.exists() and not MetricBatch.objects.exists()


def test_an_end_that_comes_too_late_is_a_conflict_and_writes_no_event(api: Api) -> None:
    key = raw.run_key(api.start()["id"])
    state.end(key, "Failed", {"message": "first"})
    with pytest.raises(Conflict):
        state.end(key, "Completed")
    assert state.end(key, "Failed").error_message == "first"
    assert RunEvent.objects.count() == 2


def test_writers_at_the_same_time_lose_no_point_and_number_runs_once(api: Api, contributor: User) -> None:
    run = api.start()["id"]
    key = raw.run_key(run)
    failures: list[BaseException] = []

    def write(writer: int) -> None:
        try:
            for i in range(20):
                batch = [
                    entry("a", {"": [float(writer)]}),
                    entry("b", {"": [i]}),
                    entry("t", {"x": [i], "y": [writer]}, "row"),
                ]
                metrics.append(key, str(uuid.uuid4()), batch if writer % 2 else batch[::-1])
                api.start("numbered")
        except BaseException as error:  # noqa: BLE001 - shown by the assertion below
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    found = whole(api, run)
    assert sorted(found["a"]["columns"][""]) == sorted([float(w) for w in range(4)] * 20)
    assert sorted(zip(found["t"]["columns"]["x"], found["t"]["columns"]["y"], strict=True)) == sorted(
        (i, w) for i in range(20) for w in range(4)
    )
    numbers = sorted(Run.objects.filter(experiment__name="numbered").values_list("number", flat=True))
    assert numbers == list(range(1, 81))


def test_times_are_kept_as_the_models_keep_them(api: Api) -> None:
    run = api.start()["id"]
    api.ok("PUT", f"/runs/{run}/artifacts/a", b"1")
    api.ok("POST", f"/runs/{run}/end", {"status": "Completed"})
    shown = api.ok("GET", f"/runs/{run}")
    event = api.ok("GET", f"/runs/{run}/events")["items"][-1]
    artifact = api.ok("GET", f"/runs/{run}/artifacts")["items"][0]
    for time in (shown["created_at"], shown["ended_at"], event["at"], artifact["created_at"]):
        assert time.endswith("Z") and "+" not in time and len(time) in (20, 27)
    assert event["at"] == shown["ended_at"] == raw.iso(Run.objects.get().ended_at)


def test_batches_of_every_size_are_kept_whole(api: Api) -> None:
    # More different statements than a connection keeps prepared, some of them too long to be prepared at all.
    run = api.start()["id"]
    for size in [*range(1, 51), 1]:
        assert post(api, run, *(entry(f"m{i}", {"": [float(size)]}) for i in range(size))) == size
    found = whole(api, run)
    assert found["m0"]["columns"][""] == [*map(float, range(1, 51)), 1.0]
    assert {len(metric["columns"][""]) for metric in found.values()} == {51, *range(1, 50)}


def test_a_database_that_went_away_is_said_once_and_the_next_request_works(api: Api) -> None:
    run = api.start()["id"]
    post(api, run, entry("loss", {"": [1.0]}))
    batch: dict[str, Any] = {"batch": str(uuid.uuid4()), "series": [entry("loss", {"": [2.0]})]}
    if connection.vendor == "postgresql":
        end_this_connection()
        assert "try again" in api.refused(503, "POST", f"/runs/{run}/metrics", batch)
        close_old_connections()  # the server does it before each request, Django's test client does not
    else:
        connection.close()  # a file goes away no further than this
    assert api.ok("POST", f"/runs/{run}/metrics", batch) == {"accepted": 1}
    assert whole(api, run)["loss"]["columns"][""] == [1.0, 2.0]


def end_this_connection() -> None:
    """Have the server end our connection, and return when it has."""
    import psycopg

    pid = connection.connection.info.backend_pid
    with psycopg.connect(connection.connection.info.dsn, password=connection.settings_dict["PASSWORD"]) as other:
        other.execute("SELECT pg_terminate_backend(%s, 10000)", [pid])


def test_a_nul_that_reaches_the_database_is_refused_and_never_cut(api: Api) -> None:
    run = raw.run_key(api.start()["id"])
    with pytest.raises((DataError, ValueError, NotFound)):
        raw.run_key(run.id + "\x00more")
    assert raw.run_key(run.id) == run
