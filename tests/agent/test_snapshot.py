"""A snapshot is unpacked as it was submitted, or not at all, and never outside of its folder."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atelier import snapshots
from atelier.errors import SnapshotError
from atelier_jobs.agent.snapshot import inside, unpack


def packed(files: dict[str, bytes], executable: tuple[str, ...] = ()) -> tuple[io.BytesIO, str]:
    """A zip and its id."""
    buffer = io.BytesIO()
    lines = []
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            member = zipfile.ZipInfo(name)
            mode = "755" if name in executable else "644"
            member.external_attr = (0o100000 | int(mode, 8)) << 16
            archive.writestr(member, data)
            lines.append(f"{name}\0{mode}\0{hashlib.sha256(data).hexdigest()}\n")
    buffer.seek(0)
    return buffer, hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()


def test_files_arrive_with_their_content_and_mode(tmp_path):
    zip_file, identity = packed({"train.py": b"print(1)", "a/b/ü.sh": b"#!/bin/sh", "empty": b""}, ("a/b/ü.sh",))
    assert unpack(zip_file, identity, tmp_path) == 3
    assert (tmp_path / "train.py").read_bytes() == b"print(1)"
    assert (tmp_path / "a/b/ü.sh").stat().st_mode & 0o777 == 0o755 and (
        tmp_path / "train.py"
    ).stat().st_mode & 0o777 == 0o644


def test_the_id_is_the_one_that_the_client_computes(tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "b.py").write_text("b")
    (tmp_path / "src" / "a.sh").write_text("a")
    (tmp_path / "src" / "a.sh").chmod(0o755)
    _, identity = packed({"b.py": b"b", "a.sh": b"a"}, ("a.sh",))
    assert snapshots.listing(tmp_path / "src").id == identity


def test_other_content_than_the_id_says_is_refused(tmp_path):
    zip_file, _ = packed({"train.py": b"print(1)"})
    with pytest.raises(SnapshotError, match="does not match its id"):
        unpack(zip_file, "0" * 64, tmp_path)
    with pytest.raises(SnapshotError, match="not a zip"):
        unpack(io.BytesIO(b"hello"), "0" * 64, tmp_path)


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a/../../evil", "..\\evil", "C:\\evil", "link/evil"])
def test_no_member_leaves_the_folder(tmp_path, name):
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path)
    zip_file, identity = packed({name: b"x"})
    with pytest.raises(SnapshotError, match="out of the working folder"):
        unpack(zip_file, identity, folder)
    assert not (tmp_path / "evil").exists()


@given(st.text(min_size=1))
def test_any_name_stays_inside_or_is_refused(name):
    folder = Path("/nowhere/work")
    try:
        target = inside(folder, name)
    except SnapshotError:
        return
    assert target.resolve().is_relative_to(folder) and target != folder
