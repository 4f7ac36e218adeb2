"""Explanations that are malformed, huge or meant to harm: each gets a sentence or is shown harmlessly, in bounded memory."""

from __future__ import annotations

import io
import json
import re
import struct
import tracemalloc
import zipfile

import numpy as np
import orjson
import pytest

from atelier import artifacts
from atelier.errors import InvalidRequest
from atelier.explanations import Explanations, files
from runs import charts
from runs.insights.explanations import store
from runs.models import Explanation

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.django_db]
IDENTITY = "12345678-1234-1234-1234-123456789abc"
PREFIX = f"explanations/{IDENTITY}"
MB = 1 << 20


@pytest.fixture
def mine(run, contributor, sdk_of):
    return Explanations(sdk_of(contributor), run.id)


@pytest.fixture
def base(run):
    return f"/w/lab/runs/{run.id}/explanations/"


@pytest.fixture(autouse=True)
def nothing_remembered():
    store._view.cache_clear()


def npy(array):
    out = io.BytesIO()
    np.lib.format.write_array(out, np.asarray(array))
    return out.getvalue()


def header(shape):
    """The bytes of an array file whose header says `shape`, with 48 bytes of numbers."""
    text = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".encode()
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + b"\0" * 48


def npz(**parts):
    out = io.BytesIO()
    np.savez(out, **parts)
    return out.getvalue()


def sparse(**changes):
    parts = {
        "single": True, "count": 1, "data0": [1.0, 2.0], "indices0": [0, 2], "indptr0": [0, 1, 2], "shape0": [2, 3]
    }  # fmt: skip
    return npz(**{k: np.array(v) for k, v in (parts | changes).items()})


def overlapping():
    """A small archive whose directory names the same megabyte a hundred times."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("count.npy", npy(np.zeros(MB // 8)))
        first = archive.infolist()[0]
        for i in range(100):
            entry = zipfile.ZipInfo(f"data{i}.npy")
            for name in ("header_offset", "CRC", "compress_size", "file_size"):
                setattr(entry, name, getattr(first, name))
            archive.filelist.append(entry)
            archive.NameToInfo[entry.filename] = entry
        archive._didModify = True
    return out.getvalue()


def send(mine, given, **meta):
    """Upload files by property and ask for the explanation; a file's ending says what it is."""
    names = {}
    for prop, content in given.items():
        content = content if isinstance(content, bytes) else json.dumps(content).encode()
        ending = "npz" if content[:2] == b"PK" else "npy" if content[:6] == b"\x93NUMPY" else "json"
        names[prop] = f"{prop}.{ending}"
        artifacts.upload(mine.client, mine.run_id, f"{PREFIX}/{names[prop]}", content)
    record = {"format": 1, "source": "interpret-community", "model_task": "classification", "files": names, **meta}
    artifacts.upload(mine.client, mine.run_id, f"{PREFIX}/explanation_metadata.json", orjson.dumps(record))
    body = {"id": IDENTITY, "prefix": PREFIX}
    return mine.client.call("POST", f"/runs/{mine.run_id}/explanations", json_body=body)


LOCAL = npy(np.ones((2, 3)))
BROKEN = np.ones((40, 3))
BROKEN[31, 1] = np.nan
REFUSED = {
    "importance that is not a number": ({"local_importance_values": npy(BROKEN)}, r"NaN or infinite at \[31, 1\]"),
    "infinite global importance": ({"global_importance_values": npy([1, np.inf])}, r"infinite at \[1\]"),
    "infinite sparse importance": ({"local_importance_values": sparse(data0=[1.0, np.inf])}, "NaN or infinite"),
    "truth that is not a number": ({"local_importance_values": LOCAL, "true_ys": npy([0, np.nan])}, "'true_ys' is NaN"),
    "two million features": ({"local_importance_values": npy(np.zeros((1, 2_000_000), np.int8))}, "100,000 features"),
    "a row of too many values": ({"local_importance_values": npy(np.zeros((900, 1, 2_000), np.int8))}, "for one row"),
    "sides of less than nothing": ({"local_importance_values": header((-2, -3))}, "not what follows"),
    "a billion rows of nothing": ({"local_importance_values": header((10**9, 0))[:-48]}, "is empty"),
    "a header of ten thousand brackets": ({"local_importance_values": header("(" * 9000)}, "no .npy file"),
    "a header of ten thousand signs": ({"local_importance_values": header("-" * 9000 + "1")}, "no .npy file"),
    "a negative count": ({"local_importance_values": sparse(count=-4)}, "is empty"),
    "a place outside the matrix": ({"local_importance_values": sparse(indices0=[0, 3])}, "do not fit together"),
    "negative places": ({"local_importance_values": sparse(indices0=[-1, 0])}, "do not fit together"),
    "rows that run backwards": ({"local_importance_values": sparse(indptr0=[0, 3, 2])}, "do not fit together"),
    "an archive that names the same bytes again": ({"local_importance_values": overlapping()}, "its own size"),
    "names nested a hundred thousand deep": (
        {"local_importance_values": LOCAL, "features": b"[" * 100_000 + b"]" * 100_000}, "not JSON",
    ),
    "names nested five hundred deep": (
        {"local_importance_values": LOCAL, "features": b"[" * 500 + b"]" * 500}, "deeper than 32",
    ),
    "objects nested five hundred deep": (
        {"local_importance_values": LOCAL, "features": b'{"a":' * 500 + b"1" + b"}" * 500}, "deeper than 32",
    ),
    "names that are an object": ({"local_importance_values": LOCAL, "features": {"a": 1, "b": 2, "c": 3}}, "no list"),
    "names that are lists": ({"local_importance_values": LOCAL, "features": [["a"], ["b"], ["c"]]}, "texts or numbers"),
    "two million classes": (
        {"local_importance_values": LOCAL, "classes": b"[" + b"1," * 2_000_000 + b"1]"}, "at most 1,000 things",
    ),
    "truth in pairs": ({"local_importance_values": LOCAL, "true_ys": [[1], [0]]}, "one for each row"),
    "predictions that are one number": ({"local_importance_values": LOCAL, "eval_y_predicted": 7}, "one for each row"),
    "probabilities as text": ({"local_importance_values": LOCAL, "eval_y_predicted_proba": ["x", "y"]}, "hold numbers"),
    "data that is one text": ({"local_importance_values": LOCAL, "eval_data": "all of it"}, "has no rows"),
    "ranks of another length": (
        {"local_importance_values": LOCAL, "global_importance_rank": npy(np.arange(2_000_000))}, "position once",
    ),
    "ranks that are negative": (
        {"local_importance_values": LOCAL, "global_importance_rank": npy([-1, 0, 1])}, "position once",
    ),
    "rows to draw that are negative": (
        {"local_importance_values": LOCAL, "visualization_indices": npy([-5, 0])}, "from 0 to 1",
    ),
    "rows to draw that are not numbers": (
        {"local_importance_values": LOCAL, "visualization_indices": npy([np.nan, 0])}, "whole numbers",
    ),
    "expected values for other classes": (
        {"local_importance_values": npy(np.ones((3, 2, 3))), "expected_values": npy(np.ones(2))}, "for 3 outputs",
    ),
    "terms that are no list": ({"global_importance_values": npy([1.0]), "terms": {"a": 1}}, "list of at most"),
    "a term without a name": ({"global_importance_values": npy([1.0]), "terms": [{"scores": [1]}]}, "a name"),
    "a term with ragged scores": (
        {"global_importance_values": npy([1.0]), "terms": [{"name": "a", "scores": [[1], [1, 2]]}]}, "of one length",
    ),
    "a term with too few names": (
        {"global_importance_values": npy([1.0]), "terms": [{"name": "a", "names": [1], "scores": [1, 2]}]}, "do not fit",
    ),
    "text where an array is claimed": ({"local_importance_values": [[1, 2], [3, 4]]}, "must hold numbers"),
    "NaN in JSON": ({"local_importance_values": LOCAL, "true_ys": b"[NaN, 1]"}, "not JSON"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_each_gets_a_sentence_and_no_row(mine, case):
    given, sentence = REFUSED[case]
    with pytest.raises(InvalidRequest, match=sentence) as refused:
        send(mine, given)
    assert refused.value.message.endswith(".") and len(refused.value.message) < 600
    assert not Explanation.objects.exists()


@pytest.mark.parametrize(
    "meta", [{"source": ["shap"]}, {"source": "evil"}, {"format": 2}, {"files": []}, {"files": {"features": 3}}]
)
def test_metadata_of_another_kind_gets_a_sentence(mine, meta):
    with pytest.raises(InvalidRequest) as refused:
        send(mine, {"global_importance_values": npy([1.0])}, **meta)
    assert refused.value.message.endswith(".") and not Explanation.objects.exists()


EVIL = ['<a href="https://evil.example">click</a>', "a\x00b", "%{x}</script><script>alert(1)</script>", "="]


def evil(mine):
    rng = np.random.default_rng(0)
    local = rng.normal(size=(60, 4))
    data = [[float(r), "<img src=x onerror=alert(1)>", "b\x00", None] for r in range(60)]
    term = {"name": EVIL[0], "names": EVIL[:2], "scores": [1, 2]}
    given = {
        "local_importance_values": npy(local), "features": EVIL, "eval_data": data, "terms": [term],
        "true_ys": ["<b>yes</b>", "no\x00"] * 30, "eval_y_predicted": ["<b>yes</b>"] * 60, "classes": ["<b>yes</b>", "no\x00"],
    }  # fmt: skip
    return send(mine, given, method=["a", {"b": 1}], model_task="\x00<i>", is_raw="no", top_k=-1)


def test_names_with_markup_and_nul_are_shown_as_they_are_and_run_nowhere(mine, base, browser):
    record = evil(mine)
    assert record["top"][0]["feature"] in {name.replace("\x00", "") for name in EVIL}
    form = {"name": "<u>c</u>", "on": [f"f:{EVIL[2]}"], "op": ["ne"], "value": ["<p>"]}
    browser.post(f"{base}cohort", form)
    page = browser.get(f"{base}?p=3&p=4&x=f1&colour=truth&top=4").content.decode()
    for tag in ('<a href="https://evil', "<script>alert", "<img src=x", "<b>yes", "<u>c", "\x00"):
        assert tag not in page, tag
    assert "&lt;a href=&quot;https://evil.example&quot;&gt;click&lt;/a&gt;" in page
    for query in ("kind=importance", "kind=importance&chart=swarm", "kind=explorer&x=f1&y=f2&colour=truth", "kind=term&term=0",
                  "kind=explorer&plot=histogram&x=f1&colour=prediction", "kind=waterfall&row=3", "kind=dependence&feature=1"):  # fmt: skip
        answer = browser.get(f"{base}figure?{query}&e={IDENTITY}&top=4")
        assert answer.status_code == 200, (query, answer.content)
        assert b"<" not in answer.content.replace(b"<br>", b"").replace(b"<extra>", b"").replace(b"</extra>", b""), (
            query
        )
        assert charts.checked(orjson.loads(answer.content))["data"]
    table = browser.get(f"{base}csv?table=importance&e={IDENTITY}").content.decode()
    assert "\n'=," in table, "a spreadsheet would run it as a formula"


def test_missing_and_infinite_data_is_shown_since_the_data_may_be_so(mine, base, browser):
    data = np.array([[np.nan, np.inf, 1e308], [np.nan, -np.inf, -1e308], [np.nan, 0, 1e-308]] * 20)
    send(mine, {"local_importance_values": npy(np.ones((60, 3)) * np.arange(3)), "eval_data": npy(data)})
    assert browser.get(f"{base}?p=0&top=3").status_code == 200
    for i in range(3):
        for query in (f"kind=explorer&plot=histogram&x=f{i}", f"kind=explorer&x=f{i}&colour=f{i}", "kind=importance&chart=swarm",
                      "kind=importance&chart=box"):  # fmt: skip
            answer = browser.get(f"{base}figure?{query}&e={IDENTITY}")
            assert answer.status_code == 200, (query, answer.content)
            assert charts.checked(orjson.loads(answer.content))["data"]


def peak(call):
    """Megabytes that `call` had at most beside what was there."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1] / MB
    finally:
        tracemalloc.stop()


def test_fifty_megabytes_are_taken_and_shown_in_bounded_memory(mine, base, browser):
    rows, width = 6_400, 1_000
    given = {
        "local_importance_values": npy(np.random.default_rng(0).normal(size=(rows, width))),
        "eval_data": npy(np.zeros((rows, width), np.float32)),
        "true_ys": npy(np.arange(rows) % 2), "eval_y_predicted": npy(np.arange(rows) % 2),
    }  # fmt: skip
    assert len(given["local_importance_values"]) > 48 * MB
    for prop, content in list(given.items()):
        artifacts.upload(mine.client, mine.run_id, f"{PREFIX}/{prop}.npy", content)
    assert (
        peak(lambda: send(mine, {"true_ys": given.pop("true_ys")}, files={p: f"{p}.npy" for p in (*given, "true_ys")}))
        < 150
    )
    given.clear()
    store._view.cache_clear()
    assert peak(lambda: browser.get(f"{base}?chart=box&top=50&p=0")) < 200
    page = browser.get(base).content.decode()
    assert "4000 of 6400 rows" in page, re.findall(r'class="note[^<]*<[^<]*', page)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("empty lists", lambda: b"[" + b"[]," * (10 * MB) + b"[]]", "more than 3,000,000 values"),
        ("too large", lambda: b'"' + b"x" * (50 * MB) + b'"', "at most 32 MB"),
        ("empty rows of an array", lambda: b'[{"$":"array","shape":[3000000,0],"dtype":"<f8","data":""}]', "60 explained"),
        ("rows of one byte", lambda: orjson.dumps(files.encode(np.zeros((2_000_000, 2), np.int8))), "more than 3,000,000"),
    ],
    ids=lambda v: v if isinstance(v, str) and " " in v else None,
)  # fmt: skip
def test_text_that_would_be_gigabytes_is_refused_before_it_is_read(mine, name, content, sentence):
    given = content()
    artifacts.upload(mine.client, mine.run_id, f"{PREFIX}/eval_data.json", given)
    local = {"local_importance_values": npy(np.ones((60, 3)))}
    named = {"eval_data": "eval_data.json", "local_importance_values": "local_importance_values.npy"}

    def refused():
        with pytest.raises(InvalidRequest, match=sentence):
            send(mine, local, files=named)

    assert peak(refused) < 100
    assert not Explanation.objects.exists()


def test_a_page_of_a_hundred_thousand_features_stays_usable(mine, base, browser):
    import time

    rng = np.random.default_rng(0)
    send(mine, {
        "local_importance_values": npy(rng.normal(size=(45, 100_000)).astype(np.float32)),
        "global_importance_values": npy(rng.random(100_000)), "eval_data": npy(np.zeros((45, 100_000), np.int8)),
    })  # fmt: skip
    browser.get(base)
    for address in (f"{base}?p=3&top=50", f"{base}figure?e={IDENTITY}&kind=importance&chart=swarm&top=50"):
        start = time.process_time()
        answer = browser.get(address)
        assert answer.status_code == 200 and time.process_time() - start < 2, address
        assert len(answer.content) < MB
