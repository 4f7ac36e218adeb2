"""Outputs + Logs, Images, Snapshot: what is shown of files, and that none of them runs or leaves its folder."""

from __future__ import annotations

import io
import re
import zipfile

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runs.models import Artifact
from runs.pages.filetree import first_file, tree_of
from runs.pages.tabs.outputs import logs
from runs.pages.tabs.outputs.ansi import Style, line_html
from runs.queries.files import RunFile
from runs.states import State
from tests import builders
from tests.pages import rich
from tests.pages.conftest import body, text

DRIVER = "azureml-logs/70_driver_log.txt"


class Held(RunFile):
    """A file whose bytes are in memory."""

    def __new__(cls, data: bytes) -> Held:
        made = object.__new__(cls)
        object.__setattr__(made, "data", data)
        return made

    def __init__(self, data: bytes) -> None:
        super().__init__("x.log", len(data), "text/plain", None)

    def read(self, offset: int = 0, limit: int | None = None) -> bytes:
        end = self.size if limit is None else offset + limit
        return self.data[offset:end]


# -- logs -----------------------------------------------------------------------------------------------------------


def test_the_scripts_own_log_opens_first_in_colours_and_escaped(page, lab):
    html = text(page(rich.rich_run(lab), "outputs"))
    assert f'<h2 class="mono">{DRIVER}</h2>' in html
    assert '<span class="a-f-green">epoch 1</span> loss 0.912' in html
    assert "&lt;b&gt;not bold&lt;/b&gt;" in html and "done with 0.100" in html


def test_a_growing_log_is_followed_from_where_the_page_stands(page, lab):
    run = builders.run(lab, state=State.RUNNING)
    log = rich.live_log(run, DRIVER, b"one\ntwo\nhal")
    html = text(page(run, "outputs"))
    assert "two" in html and "hal</code>" not in html
    query = re.search(r'hx-get="[^"]*\?(part=tail[^"]+)"', html)[1].replace("&amp;", "&")
    address = f"/w/lab/runs/{run.id}/outputs/?{query}"
    again = page(run, f"outputs/?{query}")
    assert again.status_code == 204, address
    rich.LogChunk.objects.create(log=log, offset=11, data=b"f\nfour\n")
    rich.Log.objects.filter(pk=log.pk).update(size=18)
    tail = text(page(run, f"outputs/?{query}"))
    assert 'id="L3"' in tail and "half" in tail and "four" in tail and "two" not in tail and "hx-get" in tail


def test_a_log_that_has_ended_is_read_to_its_last_line_and_no_more_asked_for(page, lab):
    run = builders.run(lab, state=State.COMPLETED)
    rich.artifact(run, DRIVER, b"one\nlast without end", "text/plain")
    html = text(page(run, "outputs"))
    assert "last without end" in html and "part=tail" not in html


def test_a_failed_runs_link_leads_to_the_line(page, lab):
    run = builders.run(lab, state=State.FAILED)
    lines = [f"line {i}" for i in range(60_000)]
    lines[20_000] = "ValueError: this one"
    rich.artifact(run, DRIVER, "\n".join(lines).encode(), "text/plain")
    html = text(page(run, "outputs", file=DRIVER, find="ValueError: this one"))
    assert re.search(r'<li id="L20001" value="20001" class="bad found"><span id="found">', html)


def test_earlier_lines_follow_without_a_gap(page, lab):
    run = builders.run(lab)
    rich.artifact(run, DRIVER, b"".join(b"line %d\n" % i for i in range(60_000)), "text/plain")
    last = text(page(run, "outputs"))
    first_shown = int(re.search(r'<li id="L(\d+)"', last)[1])
    before = re.search(r"before=(\d+)", last)[1]
    earlier = text(page(run, "outputs", file=DRIVER, before=before))
    assert f'<li id="L{first_shown - 1}"' in earlier and f'<li id="L{first_shown}"' not in earlier
    assert 'id="L60000"' in last


def test_a_log_is_searched_whole_and_the_hits_lead_to_their_lines(page, lab):
    run = builders.run(lab)
    lines = [f"line {i}" for i in range(50_000)] + ["needle in HAY"]
    rich.artifact(run, DRIVER, "\n".join(lines).encode(), "text/plain")
    html = text(page(run, "outputs", file=DRIVER, q="Needle"))
    assert "line=50001#L50001" in html and "needle in HAY" in html
    assert 'id="L50001"' in text(page(run, "outputs", file=DRIVER, line=50001))
    assert "No line holds" in text(page(run, "outputs", file=DRIVER, q="absent"))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=30), max_size=60),
    st.integers(5, 80),
    st.booleans(),
)
def test_windows_of_a_log_hold_each_line_once_with_its_number(lines, size, final):
    data = "".join(f"{line}\n" for line in lines).encode()
    file, at, found = Held(data), 0, []
    while at < file.size:
        part = logs.window(file, at, min(file.size, at + size), whole_last=final)
        if part.end <= at:  # a line longer than the window: a wider one takes it
            part = logs.window(file, at, file.size, whole_last=final)
        found += [line.number for line in part.lines]
        at = part.end
    assert found == list(range(1, len(lines) + 1))


@settings(max_examples=200, deadline=None)
@given(st.text())
def test_whatever_a_terminal_line_holds_its_html_has_our_spans_only(line):
    html, _ = line_html(line.replace("\n", ""), Style())
    plain = re.sub(r'<span class="[a-z0-9 -]+">|</span>', "", html)
    assert "<" not in plain and ">" not in plain and "\x1b" not in plain


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("\x1b[1;31mboth\x1b[0m off", '<span class="a-f-red a-bold">both</span> off'),
        ("\x1b[38;5;196mred of 256\x1b[0m", '<span class="a-f-red">red of 256</span>'),
        ("\x1b[38;5;22mdark green\x1b[0m", '<span class="a-f-green">dark green</span>'),
        ("\x1b[38;5;12mnamed\x1b[0m", '<span class="a-f-blue">named</span>'),
        ("\x1b[38;5;240mgrey\x1b[0m", '<span class="a-f-black">grey</span>'),
        ("\x1b[38;2;250;180;10mrgb\x1b[0m", '<span class="a-f-yellow">rgb</span>'),
        ("\x1b[48;2;1;2;3;4mx", '<span class="a-b-black a-underline">x</span>'),
        ("\x1b[38;5mtorn", "torn"),
        ("10%\r50%\r100%", "100%"),
        ("title \x1b]0;window\x07done", "title done"),
        ("\x1b[2Kcleared\x1b[1A", "cleared"),
        ("a\x00b\x08c", "abc"),
        ("\x1b[<script>", "&lt;script&gt;"),
    ],
)
def test_escape_codes_are_read_or_dropped(line, expected):
    html = line_html(line, Style())[0]
    assert html.replace("[&lt;", "&lt;") == expected


def test_a_colour_goes_on_in_the_next_line():
    _, style = line_html("\x1b[32mgreen", Style())
    assert line_html("still", style)[0] == '<span class="a-f-green">still</span>'


# -- previews and downloads -------------------------------------------------------------------------------------------


def test_files_are_previewed_by_their_kind(page, lab):
    run = rich.rich_run(lab)

    def shown(path: str) -> str:
        html = text(page(run, "outputs", file=path))
        return html[html.index('class="card flush file"') :]

    assert '<th scope="col">age</th>' in shown("outputs/patients.csv") and "first 200 rows" in shown(
        "outputs/patients.csv"
    )
    assert "<h1>Report</h1>" in shown("outputs/report.md") and "<table>" in shown("outputs/report.md")
    assert "folds" in shown("outputs/metrics.json") and 'class="source"' in shown("outputs/metrics.json")
    assert "binary file" in shown("outputs/model.pkl")
    assert "<img" in shown("ROC_20.png") and "<img" in shown("outputs/plots/tree.svg")
    assert '<iframe class="preview-document" sandbox=""' in shown("outputs/report.html")


@pytest.mark.parametrize("path", ["outputs/report.html", "outputs/plots/tree.svg", DRIVER, "ROC_20.png"])
def test_what_a_script_wrote_is_served_sandboxed(page, lab, path):
    answer = page(rich.rich_run(lab), "outputs/raw", file=path)
    policy = answer["Content-Security-Policy"]
    assert policy.startswith("sandbox;") and "allow-scripts" not in policy and "default-src 'none'" in policy
    assert answer["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "path", ["evil.xhtml", "evil.xml", "evil.js", "evil.pdf", "evil", "evil.svgz", "evil.HTML.exe"]
)
def test_any_other_kind_is_a_download(page, lab, path):
    run = builders.run(lab)
    rich.artifact(run, path, b"<script>alert(1)</script>", "text/html")
    answer = page(run, "outputs/raw", file=path)
    assert (
        answer["Content-Disposition"].startswith("attachment") and answer["Content-Type"] == "application/octet-stream"
    )


def test_a_large_file_is_capped_and_shows_more_on_request(page, lab):
    run = builders.run(lab)
    rich.artifact(run, "outputs/long.py", b"".join(b"x%d = 1\n" % i for i in range(30_000)), "text/plain")
    html = text(page(run, "outputs", file="outputs/long.py"))
    more = re.search(r"show=(\d+)", html)[1]
    assert "Show more" in html and "x29999" not in html
    assert "x29999" in text(page(run, "outputs", file="outputs/long.py", show=more))


def test_json_on_one_long_line_is_laid_out_before_it_is_capped(page, lab):
    run = builders.run(lab)
    rich.artifact(run, "outputs/rows.json", orjson.dumps([{"row": i} for i in range(20_000)]), "application/json")
    html = text(page(run, "outputs", file="outputs/rows.json"))
    assert html.count('>"row"<') > 1000 and "Show more" in html
    rich.artifact(run, "outputs/torn.json", b"[1, 2", "application/json")
    assert "[1, 2" in text(page(run, "outputs", file="outputs/torn.json"))


def test_a_download_is_the_file_and_a_range_a_part_of_it(page, lab):
    run = rich.rich_run(lab)
    whole = page(run, "outputs/raw", file="outputs/metrics.json", download=1)
    assert whole["Content-Disposition"] == 'attachment; filename="metrics.json"' and b"folds" in body(whole)
    part = page(run, "outputs/raw", file=DRIVER, headers={"Range": "bytes=0-3"})
    assert part.status_code == 206 and body(part) == rich.LOG[:4]
    assert page(run, "outputs/raw", file=DRIVER, headers={"Range": "bytes=999999-"}).status_code == 416


def test_all_files_and_a_folder_come_as_a_zip_growing_logs_included(page, lab):
    run = rich.rich_run(lab, state=State.RUNNING)
    rich.live_log(run, "logs/live.log", b"first ", b"second\n")
    with zipfile.ZipFile(io.BytesIO(body(page(run, "outputs/zip")))) as archive:
        assert archive.testzip() is None and archive.read("logs/live.log") == b"first second\n"
        assert "outputs/model.pkl" in archive.namelist() and len(archive.namelist()) == 16
    with zipfile.ZipFile(io.BytesIO(body(page(run, "outputs/zip", prefix="outputs/")))) as archive:
        assert all(name.startswith("outputs/") for name in archive.namelist())


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "outputs/../../x", "nope.txt"])
def test_no_path_leaves_the_run(page, lab, path):
    run = rich.rich_run(lab)
    assert page(run, "outputs/raw", file=path).status_code in (400, 404)
    html = text(page(run, "outputs", file=path))
    assert "has no file" in html and "root:" not in html
    assert page(run, "snapshot/file", file=path).status_code in (400, 404)


def test_an_address_with_a_nul_leads_nowhere_on_either_database(page, lab):
    run = rich.rich_run(lab)
    for tab in ("outputs", "outputs/raw", "snapshot/file"):
        assert page(run, tab, file="a\x00b").status_code == 404


def test_a_file_of_another_run_is_not_there(page, lab, elsewhere):
    run, other = builders.run(lab), builders.run(elsewhere)
    rich.artifact(other, "outputs/secret.txt", b"secret")
    assert page(run, "outputs/raw", file="outputs/secret.txt").status_code == 404
    assert page(other, "outputs/raw", file="outputs/secret.txt").status_code == 404
    assert Artifact.objects.count() == 1


def test_paths_become_a_tree_that_is_open_where_the_chosen_file_lies():
    root = tree_of([(f"deep/a/{i}", 1) for i in range(30)] + [("outputs/b", 2), ("c", 3)], "deep/a/7")
    assert root.folders["deep"].open and root.folders["deep"].folders["a"].open and root.folders["outputs"].open
    assert root.folders["deep"].count == 30 and root.files == [("c", "c", 3)]
    assert (
        first_file(["outputs/x", "azureml-logs/70_driver_log.txt", "user_logs/std_log.txt"]) == "user_logs/std_log.txt"
    )
    assert first_file(["a.txt", "outputs/x"]) == "outputs/x" and first_file([]) == ""


# -- images -------------------------------------------------------------------------------------------------------------


def test_images_come_newest_first_and_a_name_logged_often_has_a_slider(page, lab):
    html = text(page(rich.rich_run(lab), "images"))
    assert html.index("ROC_20.png") < html.index("label+distribution_1.png")
    assert html.count('type="range"') == 1 and "3 images" in html
    assert [int(step) for step in re.findall(r'data-step="(\d+)"', html)] == [1, 5, 20]


def test_an_image_is_seen_in_full_with_its_neighbours(page, lab):
    html = text(page(rich.rich_run(lab), "images", name="ROC", at=1))
    assert "ROC_5.png" in html and "at=2" in html and "at=0" in html


# -- snapshot -----------------------------------------------------------------------------------------------------------


def test_the_snapshot_opens_at_the_script_highlighted(page, lab):
    html = text(page(rich.rich_run(lab), "snapshot"))
    assert '<h2 class="mono">train.py</h2>' in html and '<span class="k">def</span>' in html and "util" in html


def test_a_snapshots_file_and_zip_are_downloaded(page, lab):
    run = rich.rich_run(lab)
    assert body(page(run, "snapshot/file", file="util/data.py")) == b"ROWS = 442\n"
    with zipfile.ZipFile(io.BytesIO(body(page(run, "snapshot/zip")))) as archive:
        assert set(archive.namelist()) == set(rich.FILES)


def test_two_snapshots_are_compared_file_by_file(page, lab):
    changed = {**rich.FILES, "train.py": rich.TRAIN.replace(b"range(20)", b"range(50)"), "new.py": b"x = 1\n"}
    del changed["conda.yml"]
    old, new = rich.rich_run(lab), rich.rich_run(lab, snapshot=rich.snapshot(lab, changed), seed=1)
    html = text(page(new, "snapshot", **{"with": old.id, "file": "train.py"}))
    assert re.findall(r'class="change (\w+)"', html) == ["removed", "added", "changed"]
    assert "range(20)" in html and "range(50)" in html and 'class="gd"' in html and 'class="gi"' in html


def test_a_comparison_opens_at_a_file_that_both_have(page, lab):
    here = builders.run(lab, snapshot=rich.snapshot(lab, {"train.py": b"rate = 1\n"}))
    there = builders.run(lab, snapshot=rich.snapshot(lab, {"a.bin": bytes(99), "train.py": b"rate = 2\n"}))
    html = text(page(here, "snapshot", **{"with": there.id}))
    assert "rate = 1" in html and "rate = 2" in html and "a.bin" in html


def test_the_same_snapshot_has_no_differences(page, lab):
    one, two = rich.rich_run(lab), rich.rich_run(lab, seed=1)
    assert "same files" in text(page(two, "snapshot", **{"with": one.id}))


def test_a_strangers_snapshot_can_t_be_compared_with(page, lab, elsewhere):
    run, other = rich.rich_run(lab), rich.rich_run(elsewhere, seed=2)
    assert "no such run" in text(page(run, "snapshot", **{"with": other.id}))
