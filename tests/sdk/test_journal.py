"""A killed script loses no point: what it had in memory is in its journal, and arrives once."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from atelier import journal, sending
from atelier.journal import Journal, read


def entries(start: int, count: int) -> list[tuple]:
    return [("scalar", "tick", number, None, 1.5) for number in range(start, start + count)]


def only(folder: Path) -> Path:
    (file,) = folder.glob(f"*{journal.ENDING}")
    return file


def test_what_did_not_arrive_is_read_back_in_order_and_under_its_batch(tmp_path):
    kept = Journal(tmp_path)
    for entry in entries(0, 6):
        kept.add(entry)
    kept.taken("a", 2)
    kept.arrived("a")
    kept.taken("b", 3)
    left = read(only(tmp_path))
    assert left[0] == ("b", entries(2, 3)) and left[1][1] == entries(5, 1)
    assert read(only(tmp_path)) == left, "reading again gives the same ids"
    kept.back("b")
    assert [points for _, points in read(only(tmp_path))] == [entries(2, 4)]


def test_a_journal_of_which_all_arrived_leaves_nothing(tmp_path):
    kept = Journal(tmp_path)
    kept.add(entries(0, 1)[0])
    kept.taken("a", 1)
    kept.arrived("a")
    kept.close()
    assert list(tmp_path.iterdir()) == []


def test_a_long_journal_begins_anew_when_all_arrived(tmp_path):
    kept = Journal(tmp_path, long=1000)
    for number in range(200):
        kept.add(entries(number, 1)[0])
        kept.taken(str(number), 1)
        kept.arrived(str(number))
    kept.add(entries(7, 1)[0])
    assert only(tmp_path).stat().st_size < 2000 and [points for _, points in read(only(tmp_path))] == [entries(7, 1)]


def test_what_killed_processes_left_becomes_batches_of_the_spool(tmp_path):
    for run in ("run-1", "run-2"):
        kept = Journal(tmp_path / run)
        for entry in entries(0, 3):
            kept.add(entry)
        kept.taken("6f1c1d0e-7c3e-4d59-9d1a-0d5c5b9c7a11", 2)
    assert sending.recover(tmp_path) == 4 and sending.recover(tmp_path) == 0
    bodies = [json.loads(file.read_bytes()) for file in sorted((tmp_path / "run-1").glob("*.json"))]
    assert [body["series"][0]["columns"][""] for body in bodies] == [[0, 1], [2]]
    assert bodies[0]["batch"] == "6f1c1d0e-7c3e-4d59-9d1a-0d5c5b9c7a11" and not list(
        tmp_path.rglob(f"*{journal.ENDING}")
    )


@given(st.lists(st.sampled_from(["add", "take", "arrive", "back", "torn"]), max_size=30))
def test_whatever_happened_every_point_is_either_arrived_or_read_back(steps):
    with tempfile.TemporaryDirectory() as folder:
        kept = Journal(Path(folder))
        queue: list[tuple] = []
        away: dict[str, list[tuple]] = {}
        arrived: list[tuple] = []
        for number, step in enumerate(steps):
            if step == "add":
                queue += entries(number, 1)
                kept.add(queue[-1])
            elif step == "take" and queue and not away:
                away[str(number)], queue = queue[:2], queue[2:]
                kept.taken(str(number), len(away[str(number)]))
            elif step == "arrive" and away:
                batch, points = away.popitem()
                arrived += points
                kept.arrived(batch)
            elif step == "back" and away:
                batch, points = away.popitem()
                queue = points + queue
                kept.back(batch)
        if steps and steps[-1] == "torn":
            with only(Path(folder)).open("ab") as file:
                file.write(b'["scalar", "ti')
        left = [point for _, points in read(only(Path(folder))) for point in points]
        assert left == [point for points in away.values() for point in points] + queue
