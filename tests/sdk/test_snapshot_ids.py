"""The content id of a folder, its zip and its limits."""

from __future__ import annotations

import hashlib
import io
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atelier import git, snapshots
from atelier.errors import SnapshotError

HEX = st.text("0123456789abcdef", min_size=64, max_size=64)
FILES = st.lists(
    st.tuples(st.text(min_size=1).filter(lambda t: t.isprintable()), st.sampled_from(["644", "755"]), HEX),
    unique_by=lambda file: file[0],
)


@settings(max_examples=25, deadline=None)
@given(files=FILES, order=st.randoms())
def test_the_id_does_not_depend_on_the_order_of_files(files: list[tuple[str, str, str]], order):
    mixed = list(files)
    order.shuffle(mixed)
    assert snapshots.content_id(mixed) == snapshots.content_id(files)


def test_the_id_is_the_hash_of_the_canonical_listing(tmp_path: Path):
    (tmp_path / "b.txt").write_bytes(b"two")
    (tmp_path / "a.sh").write_bytes(b"one")
    (tmp_path / "a.sh").chmod(0o700)
    one, two = hashlib.sha256(b"one").hexdigest(), hashlib.sha256(b"two").hexdigest()
    text = f"a.sh\x00755\x00{one}\nb.txt\x00644\x00{two}\n"
    assert snapshots.listing(tmp_path).id == hashlib.sha256(text.encode()).hexdigest()


def test_a_changed_byte_name_or_mode_is_another_snapshot(tmp_path: Path):
    file = tmp_path / "train.py"
    file.write_text("1")
    ids = {snapshots.listing(tmp_path).id}
    file.write_text("2")
    ids.add(snapshots.listing(tmp_path).id)
    file.chmod(0o755)
    ids.add(snapshots.listing(tmp_path).id)
    file.rename(tmp_path / "other.py")
    ids.add(snapshots.listing(tmp_path).id)
    assert len(ids) == 4


def test_the_zip_holds_content_and_modes_and_is_the_same_twice(tmp_path: Path):
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "äöü 日本.py").write_text("print('hi')")
    (tmp_path / "run.sh").write_text("echo")
    (tmp_path / "run.sh").chmod(0o755)
    zips = []
    for _ in range(2):
        out = io.BytesIO()
        snapshots.write_zip(snapshots.listing(tmp_path), out)
        zips.append(out.getvalue())
    archive = zipfile.ZipFile(io.BytesIO(zips[0]))
    modes = {entry.filename: oct(entry.external_attr >> 16) for entry in archive.infolist()}
    assert zips[0] == zips[1]
    assert modes == {"run.sh": "0o100755", "src/äöü 日本.py": "0o100644"}
    assert archive.read("src/äöü 日本.py") == b"print('hi')"


@pytest.fixture
def limits() -> Iterator[None]:
    before = (snapshots.Limits.max_bytes, snapshots.Limits.max_files)
    yield
    snapshots.Limits.max_bytes, snapshots.Limits.max_files = before


def test_too_large_a_folder_is_told_with_the_largest_file_before_anything_is_read(tmp_path: Path):
    with (tmp_path / "big.bin").open("wb") as file:
        file.truncate(301 * 1024 * 1024)  # sparse: takes no room
    with pytest.raises(SnapshotError, match=r"Your total snapshot size exceeds the limit of 300\.0 MB.*big\.bin"):
        snapshots.listing(tmp_path)


def test_the_documented_override_raises_the_limit(tmp_path: Path, limits: None):
    import azureml._restclient.snapshots_client

    (tmp_path / "a.bin").write_bytes(b"0" * 100)
    azureml._restclient.snapshots_client.SNAPSHOT_MAX_SIZE_BYTES = 99
    with pytest.raises(SnapshotError, match="exceeds the limit"):
        snapshots.listing(tmp_path)
    azureml._restclient.snapshots_client.SNAPSHOT_MAX_SIZE_BYTES = 100
    assert snapshots.listing(tmp_path).size == 100


def test_too_many_files_are_told(tmp_path: Path):
    for i in range(2001):
        (tmp_path / str(i)).touch()
    with pytest.raises(SnapshotError, match="2000 files"):
        snapshots.listing(tmp_path)


@pytest.mark.parametrize("name", ["back\\slash.py", "line\nbreak.py", b"not-utf8-\xff.py"])
def test_a_name_that_not_every_system_can_unpack_is_refused_by_name(name: str | bytes, tmp_path: Path):
    path = bytes(tmp_path) + b"/" + (name if isinstance(name, bytes) else name.encode())
    with open(path, "w"):  # noqa: PTH123 - pathlib has no byte paths
        pass
    with pytest.raises(SnapshotError, match="Rename it"):
        snapshots.listing(tmp_path)


def test_a_folder_that_is_none_is_told(tmp_path: Path):
    with pytest.raises(SnapshotError, match="nowhere"):
        snapshots.listing(tmp_path / "nowhere")


def test_git_is_recorded_without_the_password_in_the_address(tmp_path: Path):
    def run(*words: str) -> str:
        named = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        return subprocess.run(["git", *named, *words], cwd=tmp_path, check=True, capture_output=True, text=True).stdout

    run("init", "-q", "-b", "trunk")
    (tmp_path / "train.py").write_text("1")
    run("add", "train.py")
    run("commit", "-q", "-m", "first")
    run("remote", "add", "origin", "https://ann:secret@example.org/lab/code.git")
    commit = run("rev-parse", "HEAD").strip()
    (tmp_path / "src").mkdir()
    assert git.properties(tmp_path / "src") == {
        "azureml.git.repository_uri": "https://example.org/lab/code.git",
        "mlflow.source.git.repoURL": "https://example.org/lab/code.git",
        "azureml.git.branch": "trunk",
        "mlflow.source.git.branch": "trunk",
        "azureml.git.commit": commit,
        "mlflow.source.git.commit": commit,
        "azureml.git.dirty": "False",
    }
    (tmp_path / "train.py").write_text("2")
    assert git.properties(tmp_path)["azureml.git.dirty"] == "True"


def test_outside_a_repository_there_is_nothing_to_record(tmp_path: Path):
    assert git.properties(tmp_path) == {}
