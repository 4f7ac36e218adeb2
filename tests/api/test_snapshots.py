"""Snapshots: what the server accepts as one, and what it refuses."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from hypothesis import given, settings
from hypothesis import strategies as st

from atelier import snapshots as sdk
from runs import archives
from runs.models import Snapshot
from studio.errors import StudioError
from studio.workspace import storage
from tests.api.conftest import Api

pytestmark = pytest.mark.django_db


def zipped(files: dict[str, bytes], mode: int = 0o100644) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = mode << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    return out.getvalue()


def id_of(files: dict[str, bytes], mode: str = "644") -> str:
    return archives.content_id((name, mode, hashlib.sha256(data).hexdigest()) for name, data in files.items())


FILES = {"train.py": b"print(1)\n", "data/é.csv": b"a,b\n" * 1000}


def test_a_snapshot_is_unknown_then_kept_then_comes_back(api: Api) -> None:
    identity, data = id_of(FILES), zipped(FILES)
    assert "no snapshot" in api.refused(404, "GET", f"/workspaces/lab/snapshots/{identity}")
    kept = api.ok("PUT", f"/workspaces/lab/snapshots/{identity}", data)
    assert kept["id"] == identity and kept["size"] == 4009
    assert [(file["path"], file["size"], file["mode"]) for file in kept["files"]] == [
        ("data/é.csv", 4000, "644"),
        ("train.py", 9, "644"),
    ]
    assert api.ok("GET", f"/workspaces/lab/snapshots/{identity}") == kept
    assert api.send("GET", f"/workspaces/lab/snapshots/{identity}/zip").content == data
    api.ok("PUT", f"/workspaces/lab/snapshots/{identity}", data)
    assert Snapshot.objects.count() == 1


def test_the_sdk_and_the_server_give_a_folder_the_same_id(api: Api, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.py").write_text("1")
    (tmp_path / "sub" / "run.sh").write_text("2")
    (tmp_path / "sub" / "run.sh").chmod(0o755)
    listing = sdk.listing(tmp_path)
    out = io.BytesIO()
    sdk.write_zip(listing, out)
    kept = api.ok("PUT", f"/workspaces/lab/snapshots/{listing.id}", out.getvalue())
    assert [(file["path"], file["mode"]) for file in kept["files"]] == [("a.py", "644"), ("sub/run.sh", "755")]


def test_files_that_give_another_id_are_refused(api: Api) -> None:
    assert "not " + "0" * 64 in api.refused(400, "PUT", "/workspaces/lab/snapshots/" + "0" * 64, zipped(FILES))
    assert "64 hexadecimal" in api.refused(400, "PUT", "/workspaces/lab/snapshots/abc", zipped(FILES))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (zipped({"../evil.py": b""}), "could leave the folder"),
        (zipped({"/etc/passwd": b""}), "absolute"),
        (zipped({"a\\b": b""}), "backslash"),
        (zipped({"link": b"/etc/passwd"}, mode=0o120777), "link"),
        (zipped({"a": b"", "a/b": b""}), "both a file and a folder"),
        (b"PK no zip", "no zip file"),
        (zipped(FILES)[:200], "no zip file"),
    ],
)
def test_a_zip_that_is_not_a_clean_folder_is_refused(api: Api, data: bytes, said: str) -> None:
    assert said in api.refused(400, "PUT", "/workspaces/lab/snapshots/" + "0" * 64, data)
    assert not Snapshot.objects.exists()


def test_a_zip_bomb_ends_at_the_limit_and_so_do_too_many_files(api: Api, settings: Any) -> None:
    settings.LIMITS = {"snapshot_bytes": 1024**2, "snapshot_files": 3}
    bomb = zipped({"zeros": b"\0" * (64 * 1024**2)})
    assert len(bomb) < 100_000
    said = api.refused(413, "PUT", "/workspaces/lab/snapshots/" + "0" * 64, bomb)
    assert "Your total snapshot size exceeds the limit of 1.0 MB" in said
    many = {str(i): b"" for i in range(4)}
    assert "4 files" in api.refused(413, "PUT", f"/workspaces/lab/snapshots/{id_of(many)}", zipped(many))


def test_an_archive_that_lies_about_its_sizes_is_refused(tmp_path: Path) -> None:
    data = bytearray(zipped({"a": b"x" * 1000}))
    at = data.rindex(b"PK\x01\x02")
    data[at + 24 : at + 28] = (10).to_bytes(4, "little")
    archive = tmp_path / "lying.zip"
    archive.write_bytes(bytes(data))
    with pytest.raises(StudioError):
        archives.check_zip(archive)


@settings(max_examples=60)
@given(st.binary(max_size=300), st.integers(0, 250), st.binary(min_size=1, max_size=8))
def test_no_bytes_break_the_check(noise: bytes, at: int, patch: bytes) -> None:
    good = zipped({"a.py": b"print()", "b/c": b"2"})
    for data in (noise, good[:at] + patch + good[at + len(patch) :]):
        archive = Path(default_storage.location) / "noise.zip"
        archive.parent.mkdir(parents=True, exist_ok=True)
        archive.write_bytes(data)
        try:
            members = archives.check_zip(archive)
        except StudioError:
            continue
        assert all(".." not in member.path.split("/") for member in members)


def test_a_run_says_once_which_snapshot_it_was_made_from(api: Api) -> None:
    identity, run = id_of(FILES), api.start()["id"]
    assert "no snapshot" in api.refused(404, "POST", f"/runs/{run}/snapshot", {"snapshot_id": identity})
    api.ok("PUT", f"/workspaces/lab/snapshots/{identity}", zipped(FILES))
    api.ok("POST", f"/runs/{run}/snapshot", {"snapshot_id": identity})
    api.ok("POST", f"/runs/{run}/snapshot", {"snapshot_id": identity})
    shown = api.ok("GET", f"/runs/{run}")
    assert shown["snapshot_id"] == identity and shown["properties"]["ContentSnapshotId"] == identity
    other = {"other.py": b""}
    api.ok("PUT", f"/workspaces/lab/snapshots/{id_of(other)}", zipped(other))
    assert "another snapshot" in api.refused(409, "POST", f"/runs/{run}/snapshot", {"snapshot_id": id_of(other)})


def test_a_script_that_is_not_in_its_snapshot_is_refused_at_once(api: Api) -> None:
    identity = id_of(FILES)
    api.ok("PUT", f"/workspaces/lab/snapshots/{identity}", zipped(FILES))
    body = {"experiment": "t", "kind": "script", "snapshot_id": identity, "definition": {"script": "trian.py"}}
    assert "trian.py" in api.refused(400, "POST", "/workspaces/lab/runs", body)
    body["definition"] = {"script": "train.py", "target": "nowhere"}
    assert "no compute target 'nowhere'" in api.refused(404, "POST", "/workspaces/lab/runs", body)
    body["definition"] = {"script": "train.py", "arguments": ["--rate", 0.1]}
    run = api.ok("POST", "/workspaces/lab/runs", body)
    assert (run["status"], run["compute"], run["type"]) == ("NotStarted", "local", "azureml.scriptrun")
    assert run["properties"]["ContentSnapshotId"] == identity
    assert run["id"].startswith("t_")


def test_the_last_run_takes_its_snapshot_with_it(api: Api, django_capture_on_commit_callbacks: Any) -> None:
    files = {"only here.py": b"print('here')"}
    identity = id_of(files)
    api.ok("PUT", f"/workspaces/lab/snapshots/{identity}", zipped(files))
    runs = [api.start(snapshot_id=identity)["id"] for _ in range(2)]
    sha256 = Snapshot.objects.get().zip_sha256
    for run in runs:
        assert Path(default_storage.path(storage.name_of(sha256))).exists()
        api.ok("POST", f"/runs/{run}/end", {"status": "Completed"})
        with django_capture_on_commit_callbacks(execute=True):
            api.ok("DELETE", f"/runs/{run}")
    assert not Snapshot.objects.exists()
    assert not Path(default_storage.path(storage.name_of(sha256))).exists()
