"""The rank timeline of a distributed run."""

from __future__ import annotations

import datetime as dt

import pytest

from runs.models import RunRank
from runs.pages.views.ranks import bars, stragglers
from runs.states import State
from tests import builders

NOW = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)


def at(seconds):
    return NOW + dt.timedelta(seconds=seconds)


def rank(number, start=0, end=None, **more):
    fields = {"node": "cpu-1", "role": "worker", "exit_code": 0 if end is not None else None, **more}
    return RunRank(rank=number, started_at=at(start), ended_at=None if end is None else at(end), **fields)


def test_the_first_failure_is_told_apart_from_those_that_ended_with_it():
    rows = [
        rank(0, 0, 11, exit_code=None, signal="SIGTERM", error_type="Signal", error_message="was ended"),
        rank(1, 0, 10, exit_code=1, error_type="RuntimeError", error_message="RuntimeError: x"),
    ]
    drawn = bars(rows, at(11))
    assert [bar.tone for bar in drawn] == ["idle", "bad"]
    assert drawn[1].words == "failed first: RuntimeError: x"
    assert drawn[0].words == "ended by SIGTERM, with the others"


def test_a_bar_spans_the_ranks_time_on_a_common_scale():
    drawn = bars([rank(0, 0, 10), rank(1, 5, 10)], at(10))
    assert [(bar.x, bar.width) for bar in drawn] == [(0.0, 600.0), (300.0, 300.0)]


def test_a_straggler_is_named_with_how_late_it_was():
    rows = [rank(0, 0, 20), rank(1, 0, 20), rank(2, 0, 31), rank(3, 9, 20)]
    assert stragglers(rows, at(31)) == {2: "ended 11.0 s after the middle rank", 3: "began 9.0 s after the middle rank"}


def test_ranks_a_moment_apart_are_no_stragglers():
    assert stragglers([rank(0, 0, 100), rank(1, 1, 101)], at(101)) == {}


@pytest.fixture
def distributed(lab):
    run = builders.run(
        lab, state=State.RUNNING, kind="script", definition={"communicator": "OpenMpi", "script": "t.py"}
    )
    one = rank(0)
    one.run = run
    one.save()
    return run


def test_details_of_a_distributed_run_ask_for_the_timeline(client, reader, distributed):
    client.force_login(reader)
    page = client.get(f"/w/lab/runs/{distributed.pk}/").content.decode()
    assert f'hx-get="/w/lab/runs/{distributed.pk}/ranks"' in page
    assert f'hx-get="/w/lab/runs/{distributed.pk}/usage"' in page


def test_the_timeline_is_a_page_of_its_own_and_a_part_that_lives_while_the_run_does(client, reader, distributed):
    client.force_login(reader)
    address = f"/w/lab/runs/{distributed.pk}/ranks"
    assert "<html" in client.get(address).content.decode()
    part = client.get(address, headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in part
    assert "every 3s" in part
    type(distributed).objects.filter(pk=distributed.pk).update(state=State.COMPLETED, ended_at=NOW)
    assert "every 3s" not in client.get(address, headers={"HX-Request": "true"}).content.decode()


def test_a_stranger_sees_no_ranks(client, stranger, distributed):
    client.force_login(stranger)
    assert client.get(f"/w/lab/runs/{distributed.pk}/ranks").status_code == 404


def test_a_run_that_a_rank_brought_down_opens_with_rank_host_and_line(client, reader, distributed):
    message = "Rank 1 on cpu-2 failed first: RuntimeError: x (train.py, line 5)"
    details = 'Traceback (most recent call last):\n  File "train.py", line 5\nRuntimeError: x'
    type(distributed).objects.filter(pk=distributed.pk).update(
        state=State.FAILED, ended_at=NOW, error_code="UserError", error_message=message, error_details=details
    )
    client.force_login(reader)
    assert message in client.get(f"/w/lab/runs/{distributed.pk}/").content.decode()
