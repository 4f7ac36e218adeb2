"""Files of runs: up, down, in bundles, in ranges; logs that grow."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from hypothesis import given
from hypothesis import strategies as st

from runs.actions import logs
from runs.execution import sweep
from runs.models import Artifact, LogChunk
from runs.paths import check_path
from studio.errors import Invalid
from studio.workspace import storage
from tests.api.conftest import Api

pytestmark = pytest.mark.django_db


def body_of(response: Any) -> bytes:
    return b"".join(response.streaming_content) if response.streaming else response.content


def bundle(files: dict[str, bytes], **changes: Any) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            for key, value in changes.items():
                setattr(entry, key, value)
            archive.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def kept(sha256: str) -> bool:
    return Path(default_storage.path(storage.name_of(sha256))).exists()


def test_an_artifact_comes_back_as_it_was_sent(api: Api) -> None:
    run, data = api.start()["id"], bytes(range(256)) * 5000
    stored = api.ok("PUT", f"/runs/{run}/artifacts/outputs/model é.pkl", data)
    assert stored == {"path": "outputs/model é.pkl", "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    response = api.send("GET", f"/runs/{run}/artifacts/outputs/model é.pkl")
    assert body_of(response) == data and response["Content-Length"] == str(len(data))
    items = api.ok("GET", f"/runs/{run}/artifacts")["items"]
    assert [(item["path"], item["content_type"]) for item in items] == [
        ("outputs/model é.pkl", "application/octet-stream")
    ]


def test_a_files_type_is_that_of_its_endings(api: Api) -> None:
    run = api.start()["id"]
    types = {
        "a.csv": "text/csv", "v1.2/model": "application/octet-stream", "a.2024.PNG": "image/png", "a.tar.gz": "application/x-tar",
        ".hidden.json": "application/json", "none": "application/octet-stream", "a.tgz": "application/x-tar",
    }  # fmt: skip
    for path in types:
        api.ok("PUT", f"/runs/{run}/artifacts/{path}", path.encode())
    items = api.ok("GET", f"/runs/{run}/artifacts")["items"]
    assert {item["path"]: item["content_type"] for item in items} == types


def test_an_empty_artifact_is_an_artifact(api: Api) -> None:
    run = api.start()["id"]
    assert api.ok("PUT", f"/runs/{run}/artifacts/outputs/empty", b"")["size"] == 0
    assert body_of(api.send("GET", f"/runs/{run}/artifacts/outputs/empty")) == b""


def test_a_second_upload_replaces_the_first_and_its_content_goes(
    api: Api, django_capture_on_commit_callbacks: Any
) -> None:
    run = api.start()["id"]
    old = api.ok("PUT", f"/runs/{run}/artifacts/a.txt", b"old of this test")["sha256"]
    with django_capture_on_commit_callbacks(execute=True):
        new = api.ok("PUT", f"/runs/{run}/artifacts/a.txt", b"new of this test")["sha256"]
    assert body_of(api.send("GET", f"/runs/{run}/artifacts/a.txt")) == b"new of this test"
    assert Artifact.objects.count() == 1
    assert kept(new) and not kept(old)


@pytest.mark.parametrize("size", [10, 3 * storage.PIECE + 1], ids=["small", "long"])
def test_a_content_that_is_there_is_not_written_again_unless_it_was_cut_short(api: Api, size: int) -> None:
    run, data = api.start()["id"], os.urandom(size)
    sha256 = api.ok("PUT", f"/runs/{run}/artifacts/a", data)["sha256"]
    assert sha256 == hashlib.sha256(data).hexdigest()
    file = Path(default_storage.path(storage.name_of(sha256)))
    first = file.stat().st_ino
    api.ok("PUT", f"/runs/{run}/artifacts/b", data)
    assert file.stat().st_ino == first
    os.truncate(file, size // 2)  # what a power cut may leave
    api.ok("PUT", f"/runs/{run}/artifacts/c", data)
    assert file.read_bytes() == data
    assert body_of(api.send("GET", f"/runs/{run}/artifacts/b")) == data
    assert not list(Path(default_storage.location).glob(f"content/*/{sha256}.*")), "nothing is left beside it"


def test_a_long_body_that_passes_the_limit_is_refused_and_gone(api: Api, settings: Any) -> None:
    settings.LIMITS = {"artifact_bytes": 2 * storage.PIECE}
    run, incoming = api.start()["id"], Path(default_storage.location, "incoming")
    before = set(incoming.glob("*"))
    said = api.refused(413, "PUT", f"/runs/{run}/artifacts/long", bytes(2 * storage.PIECE + 1))
    assert "larger than the limit of 2 MB" in said and not Artifact.objects.exists()
    assert set(incoming.glob("*")) == before


def test_what_changed_on_its_way_is_refused(api: Api) -> None:
    run = api.start()["id"]
    said = api.refused(400, "PUT", f"/runs/{run}/artifacts/a", b"x", HTTP_X_CONTENT_SHA256="0" * 64)
    assert "changed on its way" in said and not Artifact.objects.exists()


def test_a_range_is_served_and_one_outside_is_refused(api: Api) -> None:
    run, data = api.start()["id"], b"0123456789" * 100_000
    api.ok("PUT", f"/runs/{run}/artifacts/big", data)

    def ask(header: str) -> Any:
        return api.send("GET", f"/runs/{run}/artifacts/big", HTTP_RANGE=header)

    part = ask("bytes=10-19")
    assert (part.status_code, body_of(part), part["Content-Range"]) == (206, b"0123456789", "bytes 10-19/1000000")
    assert body_of(ask("bytes=999990-")) == b"0123456789"
    assert body_of(ask("bytes=-3")) == b"789"
    assert len(body_of(ask("bytes=5-900000"))) == 899_996
    assert ask("bytes=1000000-").status_code == 416
    assert ask("bytes=0-1,5-6").status_code == 200
    etag = ask("bytes=0-0")["ETag"]
    assert api.send("GET", f"/runs/{run}/artifacts/big", HTTP_IF_NONE_MATCH=etag).status_code == 304


def test_what_people_upload_never_runs_in_our_origin(api: Api) -> None:
    run = api.start()["id"]
    api.ok("PUT", f"/runs/{run}/artifacts/page.html", b"<script>alert(1)</script>")
    response = api.send("GET", f"/runs/{run}/artifacts/page.html")
    assert response["Content-Disposition"].startswith("attachment")
    assert "sandbox" in response["Content-Security-Policy"] and response["X-Content-Type-Options"] == "nosniff"


def test_a_bundle_makes_each_of_its_files_an_artifact(api: Api) -> None:
    run = api.start()["id"]
    files = {f"outputs/{i}.txt": f"number {i}".encode() for i in range(600)}
    items = api.ok("PUT", f"/runs/{run}/artifacts-bundle", bundle(files))["items"]
    assert len(items) == 600 and Artifact.objects.count() == 600
    assert body_of(api.send("GET", f"/runs/{run}/artifacts/outputs/77.txt")) == b"number 77"
    archive = zipfile.ZipFile(io.BytesIO(body_of(api.send("GET", f"/runs/{run}/artifacts-zip?prefix=outputs/"))))
    assert {name: archive.read(name) for name in archive.namelist()} == files
    assert len(api.ok("GET", f"/runs/{run}/artifacts?prefix=outputs/7")["items"]) == 11


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (bundle({"good": b"1", "../bad": b"2"}), "could leave the folder"),
        (bundle({"link": b""}, type=tarfile.SYMTYPE, linkname="/etc/passwd"), "link or device"),
        (b"this is no tar archive at all" * 40, "no uncompressed tar"),
        (bundle({"a": b"x" * 2000})[:1500], "no uncompressed tar"),
    ],
)
def test_a_bundle_with_something_wrong_leaves_nothing(api: Api, body: bytes, said: str) -> None:
    run = api.start()["id"]
    assert said in api.refused(400, "PUT", f"/runs/{run}/artifacts-bundle", body)
    assert not Artifact.objects.exists()


def test_uploads_that_a_killed_server_left_go_after_a_day_and_those_under_way_stay(api: Api) -> None:
    folder = Path(default_storage.location) / "incoming"
    folder.mkdir(parents=True, exist_ok=True)
    old, young = folder / "old", folder / "young"
    for file, hours in ((old, 25), (young, 23)):
        file.write_bytes(b"half")
        os.utime(file, (time.time() - hours * 3600,) * 2)
    sweep.sweep()
    assert not old.exists() and young.exists()


def test_limits_of_artifacts_are_kept(api: Api, settings: Any) -> None:
    settings.LIMITS = {"artifact_bytes": 10, "bundle_files": 2}
    run = api.start()["id"]
    api.ok("PUT", f"/runs/{run}/artifacts/a", b"0123456789")
    assert "larger" in api.refused(413, "PUT", f"/runs/{run}/artifacts/b", b"0123456789a")
    assert "at most 2 files" in api.refused(
        413, "PUT", f"/runs/{run}/artifacts-bundle", bundle({"1": b"", "2": b"", "3": b""})
    )
    long = "a/" * 2500 + "b"
    assert "5,000" in api.refused(400, "PUT", f"/runs/{run}/artifacts/{long}", b"")
    api.ok("PUT", f"/runs/{run}/artifacts/{long[2:]}", b"")


def test_a_run_without_that_file_says_so(api: Api) -> None:
    run = api.start()["id"]
    assert "no file 'nope'" in api.refused(404, "GET", f"/runs/{run}/artifacts/nope")
    assert "no artifact" in api.refused(400, "GET", f"/runs/{run}/artifacts-zip?prefix=x")


@pytest.mark.once
@given(st.text(max_size=60))
def test_no_accepted_path_leaves_its_folder(path: str) -> None:
    try:
        check_path(path)
    except Invalid:
        return
    root = Path("/srv/root")
    assert root in (root / path).parents
    assert str(root / path) == f"/srv/root/{path}"  # nothing is normalised away: the name is the file's


@pytest.mark.parametrize(
    "path", ["", "/a", "a//b", "a/../b", ".", "a/.", "..", "a\\b", "C:/x", "a\x00b", "a\nb", "a/", "\ud800"]
)
def test_a_path_that_is_none_is_refused(path: str) -> None:
    with pytest.raises(Invalid):
        check_path(path)


# -- logs -------------------------------------------------------------------------------------------------------------


def read_log(api: Api, run: str, query: str = "") -> tuple[bytes, str, str]:
    response = api.send("GET", f"/runs/{run}/logs/azureml-logs/70_driver_log.txt{query}")
    return response.content, response["X-Log-Size"], response["X-Log-Complete"]


def write_log(api: Api, run: str, offset: int, data: bytes) -> int:
    return int(api.ok("PUT", f"/runs/{run}/logs/azureml-logs/70_driver_log.txt?offset={offset}", data)["size"])


def test_a_log_grows_by_chunks_and_a_chunk_that_comes_twice_changes_nothing(api: Api) -> None:
    run = api.start()["id"]
    assert write_log(api, run, 0, b"hello ") == 6
    assert write_log(api, run, 6, b"world\n") == 12
    assert write_log(api, run, 0, b"hello ") == 12
    assert write_log(api, run, 3, b"lo world\nmore\n") == 17
    assert read_log(api, run) == (b"hello world\nmore\n", "17", "0")
    assert read_log(api, run, "?offset=6&limit=5")[0] == b"world"
    assert read_log(api, run, "?offset=-5")[0] == b"more\n"
    assert read_log(api, run, "?offset=17")[0] == b""
    assert read_log(api, run, "?offset=99")[0] == b""


def test_a_gap_is_refused_with_the_size_that_there_is(api: Api) -> None:
    run = api.start()["id"]
    write_log(api, run, 0, b"12345")
    path = f"/runs/{run}/logs/azureml-logs/70_driver_log.txt?offset=9"
    assert "has 5 bytes" in api.refused(409, "PUT", path, b"x")
    assert api.send("PUT", path, b"x").json()["error"]["field"] == "5"


def test_the_log_of_a_job_that_is_tried_again_follows_that_of_the_first_attempt_whole(api: Api) -> None:
    run = api.start()["id"]
    write_log(api, run, 0, b"a long first attempt, cut off in mid-li")
    logs.begin_again(run, "The node was lost. Tried again (1 of 2).", but="azureml-logs/20_image_build_log.txt")
    assert write_log(api, run, 0, b"short\n") == 6
    assert write_log(api, run, 0, b"short\n") == 6
    assert api.ok("GET", f"/runs/{run}/logs")["items"][0]["attempt_size"] == 6
    refused = api.send("PUT", f"/runs/{run}/logs/azureml-logs/70_driver_log.txt?offset=9", b"x").json()["error"]
    assert refused["field"] == "6" and "has 6 bytes" in refused["message"]
    whole = b"a long first attempt, cut off in mid-li\n--- The node was lost. Tried again (1 of 2).\nshort\n"
    assert read_log(api, run)[0] == whole
    logs.begin_again(run, "Tried again (2 of 2).", but="")
    assert write_log(api, run, 0, b"short\n") == 6
    logs.close_all(run)
    assert read_log(api, run)[0] == whole + b"--- Tried again (2 of 2).\nshort\n"


def test_ranks_that_are_tried_again_are_merged_line_by_line_after_what_was_cut_off(api: Api) -> None:
    run = api.start()["id"]

    def write(rank: int, data: bytes) -> None:
        api.ok("PUT", f"/runs/{run}/logs/azureml-logs/70_driver_log_{rank}.txt?offset=0", data)

    write(0, b"first\nin the midd")
    write(1, b"whole\n")
    logs.begin_again(run, "Tried again (1 of 1).", but="")
    write(1, b"second\n")
    write(0, b"third\n")
    assert read_log(api, run)[0].decode().splitlines() == [
        *("[0] first", "[1] whole", "[0] in the midd", "--- Tried again (1 of 1).", "[1] second", "[0] third")
    ]


def test_an_open_log_is_among_the_artifacts_and_closing_makes_it_one(api: Api) -> None:
    run = api.start()["id"]
    for i in range(300):
        write_log(api, run, i * 2, b"x\n")
    path = "azureml-logs/70_driver_log.txt"
    assert api.ok("GET", f"/runs/{run}/artifacts")["items"][0]["path"] == path
    assert body_of(api.send("GET", f"/runs/{run}/artifacts/{path}")) == b"x\n" * 300
    logs.close_all(run)
    logs.close_all(run)
    assert not LogChunk.objects.exists()
    assert read_log(api, run, "?offset=10&limit=4") == (b"x\nx\n", "600", "1")
    assert body_of(api.send("GET", f"/runs/{run}/artifacts/{path}")) == b"x\n" * 300
    assert api.ok("GET", f"/runs/{run}/logs")["items"] == [
        {"path": path, "size": 600, "attempt_size": 600, "complete": True}
    ]
    assert write_log(api, run, 600, b"too late") == 600


def test_the_whole_log_that_the_agent_sent_is_the_one_that_is_kept(api: Api) -> None:
    run = api.start()["id"]
    write_log(api, run, 0, b"half of")
    api.ok("PUT", f"/runs/{run}/artifacts/azureml-logs/70_driver_log.txt", b"half of a log\n")
    logs.close_all(run)
    assert read_log(api, run) == (b"half of a log\n", "14", "1")


def test_a_log_has_a_limit(api: Api, settings: Any) -> None:
    settings.LIMITS = {"log_bytes": 8, "log_chunk_bytes": 6}
    run = api.start()["id"]
    write_log(api, run, 0, b"123456")
    address = f"/runs/{run}/logs/azureml-logs/70_driver_log.txt?offset="
    assert "larger" in api.refused(413, "PUT", address + "6", b"789")
    assert "at most" in api.refused(413, "PUT", address + "0", b"1234567")
