"""Distributed runs on the server's side: who failed first, the merged log, the jobs of the nodes."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import transaction

from runs.actions import merged_log, ranks
from runs.actions.logs import append
from runs.execution.gang_verdict import RankEnded, first_failure, line_of, words
from runs.execution.verdict import Asked, Ended, verdict
from runs.models import Log, RunRank
from runs.states import State
from studio.errors import Invalid
from tests import builders

NOW = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
TRACEBACK = """Traceback (most recent call last):
  File "/job/work/fail_on_rank_1.py", line 5, in <module>
    raise RuntimeError("rank 1 gives up")
RuntimeError: rank 1 gives up"""


def ended(rank, seconds=0, **more):
    return RankEnded(rank, f"cpu-{rank + 1}", ended_at=NOW + dt.timedelta(seconds=seconds), **{"exit_code": 0, **more})


def raised(rank, seconds=0):
    return ended(
        rank, seconds, exit_code=1, error_type="RuntimeError", error_message="RuntimeError: rank 1 gives up",
        error_traceback=TRACEBACK,
    )  # fmt: skip


def stopped(rank, seconds=0, signal="SIGTERM"):
    return ended(rank, seconds, exit_code=None, signal=signal, error_type="Signal", error_message="was ended")


def culprit(*ranks):
    found = first_failure(ranks)
    return found.rank if found else None


def test_a_run_that_a_rank_brought_down_names_rank_host_and_line():
    jobs = [Ended(0, "cpu-1", reported=True, exit_code=1, error_type="ExitCode", error_message="mpirun says much")]
    found = verdict(Asked(), jobs, [stopped(0, 1), raised(1)])
    assert (found.state, found.code) == (State.FAILED, "UserError")
    assert found.message == ("Rank 1 on cpu-2 failed first: RuntimeError: rank 1 gives up (fail_on_rank_1.py, line 5)")
    assert found.details == TRACEBACK


def test_of_several_that_raised_the_first_one_speaks():
    assert culprit(raised(3, 2), raised(1, 1), stopped(0, 0)) == 1


def test_a_crash_in_native_code_comes_before_those_that_were_ended_with_it():
    assert culprit(stopped(0, 0), stopped(2, 1, "SIGSEGV")) == 2


def test_ranks_that_ended_well_accuse_nobody():
    assert first_failure([ended(0), ended(1)]) is None
    assert verdict(Asked(), [Ended(reported=True, exit_code=0)], [ended(0)]).state == State.COMPLETED


def test_a_parameter_server_ended_with_the_workers_does_no_harm():
    jobs = [Ended(0, reported=True, exit_code=0), Ended(1, reported=True, exit_code=0)]
    assert verdict(Asked(), jobs, [ended(0), stopped(1)]).state == State.COMPLETED


def test_the_line_is_the_users_own_and_not_the_librarys():
    text = 'Traceback:\n  File "/w/train.py", line 7, in f\n  File "/env/lib/python3.11/site-packages/torch/x.py", line 9, in g\nE: x'
    assert line_of(text) == "train.py, line 7"
    assert line_of("no traceback") == ""


def test_a_rank_without_words_is_named_all_the_same():
    assert words(RankEnded(2, "cpu-1", exit_code=3))[1] == "Rank 2 on cpu-1 failed first: it ended with exit code 3."


# -- reports -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def run(lab):
    return builders.run(lab)


def told(event, rank=1, at="2026-01-01T12:00:00Z", **more):
    return {"event": event, "rank": rank, "local_rank": 1, "role": "worker", "at": at, **more}


def test_a_ranks_start_and_end_are_kept_once(run):
    ranks.report(run, "cpu-1", told("started"))
    error = {"type": "RuntimeError", "message": "RuntimeError: x", "traceback": "t"}
    for _ in range(2):
        ranks.report(run, "cpu-1", told("finished", at="2026-01-01T12:01:00Z", exit_code=1, signal="", error=error))
    ranks.report(run, "cpu-1", told("finished", at="2026-01-01T13:00:00Z", exit_code=0))
    row = RunRank.objects.get()
    assert (row.exit_code, row.error_message, row.local_rank) == (1, "RuntimeError: x", 1)
    assert row.started_at and row.ended_at and (row.ended_at - row.started_at).total_seconds() == 60


@pytest.mark.parametrize(
    "facts", [{"event": "paused"}, {"rank": -1}, {"rank": "0"}, {"rank": True}, {"at": "yesterday"}, {"at": None}]
)
def test_a_report_that_makes_no_sense_is_refused(run, facts):
    with pytest.raises(Invalid):
        ranks.report(run, "cpu-1", {**told("started"), **facts})


# -- the merged log ----------------------------------------------------------------------------------------------------


def write(run, rank, data):
    append(run.pk, f"azureml-logs/70_driver_log_{rank}.txt", data)


def merged(run):
    log = Log.objects.get(run=run, path=merged_log.MERGED)
    return b"".join(bytes(data) for data in log.chunks.order_by("offset").values_list("data", flat=True))


def test_lines_of_the_ranks_are_merged_as_they_come_each_with_its_rank(run):
    write(run, 0, b"zero\n")
    write(run, 1, b"one\ntwo\n")
    write(run, 0, b"three\n")
    assert merged(run) == b"[0] zero\n[1] one\n[1] two\n[0] three\n"


def test_a_line_that_comes_in_pieces_is_merged_whole(run):
    for piece in (b"be", b"gin", b"ning\nnext"):
        write(run, 0, piece)
    assert merged(run) == b"[0] beginning\n"
    with transaction.atomic():
        merged_log.finish(run.pk)
    assert merged(run) == b"[0] beginning\n[0] next\n"


def test_a_progress_bar_without_line_ends_does_not_wait_for_ever(run):
    for _ in range(5):
        write(run, 0, b"x" * 20_000)
    assert len(merged(run)) > 65_536


def test_the_logs_of_other_files_are_not_merged(run):
    append(run.pk, "logs/progress.txt", b"x\n")
    assert Log.objects.filter(run=run).count() == 1
