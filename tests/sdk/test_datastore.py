"""The default datastore as notebooks use it: uploads, downloads, and a script that fetches its data."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from atelier.errors import NotFoundError, UserError
from azureml.core import Environment, Experiment, ScriptRunConfig, Workspace

pytestmark = [pytest.mark.xdist_group("stack"), pytest.mark.timeout(180)]
SCRIPT = """
import sys
from azureml.core import Run
store = Run.get_context().experiment.workspace.get_default_datastore()
print(store.download(".", prefix=sys.argv[1]), "fetched:", open(sys.argv[1] + "/a.csv").read())
try:
    store.upload_files([__file__], target_path="from-a-run")
except Exception as error:
    print("refused:", error)
"""


@pytest.fixture
def place() -> str:
    """A folder of the datastore for one test alone."""
    return f"data-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with two files, one of them large enough to be streamed."""
    folder = tmp_path / "data"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.csv").write_text("a,b\n1,2\n")
    (folder / "deep" / "large.bin").write_bytes(bytes(range(256)) * 20_000)
    return folder


def test_a_folder_makes_the_round_trip(ws: Workspace, data: Path, place: str, tmp_path: Path):
    store = ws.get_default_datastore()
    reference = store.upload(src_dir=str(data), target_path=place, overwrite=True, show_progress=True)
    assert reference.path_on_datastore == place and reference.datastore is store
    assert store.download(tmp_path / "back", prefix=place) == 2
    assert (tmp_path / "back" / place / "deep" / "large.bin").read_bytes() == bytes(range(256)) * 20_000
    assert store.download(tmp_path / "back", prefix=place) == 0, "what is there stays"
    assert store.download(tmp_path / "back", prefix=f"{place}/a.csv", overwrite=True) == 1
    assert store.delete_files(place) == 2 and store.files(place) == []


def test_files_keep_their_names_or_their_paths_below_a_root(
    ws: Workspace, data: Path, place: str, capsys: pytest.CaptureFixture[str]
):
    store = ws.get_default_datastore()
    store.upload_files([data / "a.csv"], target_path=place, overwrite=True)
    store.upload_files([data / "a.csv", data / "deep" / "large.bin"], relative_root=data, target_path=place)
    assert [one["path"] for one in store.files(place)] == [f"{place}/a.csv", f"{place}/deep/large.bin"]
    out = capsys.readouterr().out
    assert f"{place}/a.csv is there already" in out and "Uploaded 1 of 2 files" in out


def test_what_cannot_be_uploaded_or_found_is_told_before_anything_is_sent(ws: Workspace, data: Path, place: str):
    store = ws.get_default_datastore()
    for files, more, words in (
        ([data / "a.csv", data / "none.csv"], {}, "no file"),
        ([data / "a.csv", data / "deep" / "a.csv"], {}, "would both be"),
        ([data / "a.csv"], {"relative_root": data / "deep"}, "not below relative_root"),
        (str(data / "a.csv"), {}, "a list of paths"),
    ):
        with pytest.raises(UserError, match=words):
            store.upload_files(files, target_path=place, **more)  # type: ignore[arg-type]
    assert store.files(place) == []
    with pytest.raises(NotFoundError, match=f"no file or folder '{place}'"):
        store.download(".", prefix=place)
    with pytest.raises(NotImplementedError, match="get_default_datastore"):
        store.path(place).as_mount()


def test_a_script_fetches_its_data_and_keeps_its_own_files_with_its_run(
    ws: Workspace, experiment: Experiment, data: Path, place: str, tmp_path: Path
):
    ws.get_default_datastore().upload_files([data / "a.csv"], target_path=place)
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "train.py").write_text(SCRIPT)
    environment = Environment("user-managed")
    environment.python.user_managed_dependencies = True
    run = experiment.submit(
        ScriptRunConfig(tmp_path / "src", script="train.py", arguments=[place], environment=environment)
    )
    run.wait_for_completion()
    log = run.get_details_with_logs()["logFiles"]["azureml-logs/70_driver_log.txt"]
    assert "1 fetched: a,b\n1,2" in log and "refused:" in log and "personal token" in log
