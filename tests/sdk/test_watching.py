"""What is shown of a run: log pieces cut within a character, and the notebook's widget."""

from __future__ import annotations

import io
import os
import pty
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atelier import progress
from atelier.run.watch import SHOWN, _whole_characters
from atelier.widgets import as_html, as_text

DATA = {
    "run_id": "r",
    "experiment": "<e>",
    "name": "<script>alert(1)</script>",
    "status": "Failed",
    "start_time": None,
    "end_time": None,
    "run_url": 'http://x/"onclick="y',
    "metrics": {"loss": [1, 2], "<m>": "<v>", "table": {"a": [1]}},
    "error": "<b>bad</b>",
    "child_runs": [{"run_id": "c", "name": "<c>", "status": "Running"}],
}


@given(text=st.text(max_size=30), cut=st.integers(0, 200))
def test_a_log_cut_within_a_character_is_shown_without_its_broken_end(text: str, cut: int):
    data = text.encode(errors="replace")
    piece = data[: min(cut, len(data))]
    whole = _whole_characters(piece)
    assert data.startswith(whole) and len(piece) - len(whole) < 4
    whole.decode()


def test_bytes_that_begin_no_character_are_not_held_back():
    for data in (b"\xff", b"\x80\x80\x80\x80", b"abc\xff", b"\xc0"):
        assert _whole_characters(data) == data


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("azureml-logs/70_driver_log.txt", True),
        ("azureml-logs/20_image_build_log.txt", True),
        ("user_logs/std_log.txt", True),
        ("user_logs/std_log_0.txt", True),
        ("user_logs/std_log_3.txt", False),
        ("logs/progress.txt", False),
    ],
)
def test_the_logs_that_v1_streamed_are_streamed(name: str, shown: bool):
    assert bool(SHOWN.match(name)) is shown


def test_a_widget_escapes_everything_that_users_name():
    page = as_html(DATA)
    for raw in ("<script>", "<m>", "<v>", "<b>bad", "<c>", '"onclick'):
        assert raw not in page
    assert "2 (last of 2)" in page and "columns a" in page


def test_text_names_the_state_the_page_and_the_error():
    text = as_text(DATA)
    assert "Failed" in text and "loss: 2 (last of 2)" in text and "error: <b>bad</b>" in text


def test_progress_is_one_line_of_a_terminal_that_is_wiped_and_a_file_never_sees_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(progress, "APPEARS", 0.0)
    monkeypatch.setattr(progress, "CHANGES", 0.0)
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        with progress.Progress("Uploading a", 4000) as shown:
            source = progress.Counted(io.BytesIO(bytes(4000)), shown)
            source.read(1000)
            source.seek(0)  # a request that is repeated
            source.read(3000)
        written = ""
        while not written.endswith(" \r"):  # the wiping
            written += os.read(ours, 10_000).decode()
    os.close(ours)
    assert "Uploading a: 1.0 kB of 4.0 kB (25%)" in written and "3.0 kB of 4.0 kB (75%)" in written
    assert "\n" not in written

    with (tmp_path / "log.txt").open("w") as file:
        monkeypatch.setattr(sys, "stderr", file)
        with progress.Progress("Uploading a", 4000) as shown:
            shown.add(4000)
            assert not shown.visible
    assert (tmp_path / "log.txt").read_text() == ""


def test_sizes_are_said_for_people():
    assert [progress.readable(size) for size in (0, 999, 1000, 3_400_000, 10**19)] == [
        "0 bytes",
        "999 bytes",
        "1.0 kB",
        "3.4 MB",
        "10000000.0 TB",
    ]
