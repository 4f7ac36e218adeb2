"""Runs: life, tags, properties, files, children, snapshots, models."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

import pytest

from azureml.core import Experiment, Model, Run, Workspace
from azureml.exceptions import UserErrorException, WebserviceException

pytestmark = [pytest.mark.xdist_group("stack"), pytest.mark.timeout(120)]


def test_an_interactive_run_lives_from_running_to_completed(experiment: Experiment):
    run = experiment.start_logging(display_name="by hand", tags={"a": 1})
    assert run.get_status() == "Running" and run.display_name == "by hand" and run.get_tags() == {"a": "1"}
    run.complete()
    details = run.get_details()
    assert details["runId"] == run.id and details["status"] == "Completed"
    assert details["startTimeUtc"] <= details["endTimeUtc"]
    assert run.get_detailed_status()["status"] == "Completed"
    assert run.wait_for_completion()["status"] == "Completed"


def test_a_context_manager_fails_the_run_with_what_was_raised(experiment: Experiment):
    with pytest.raises(ZeroDivisionError), experiment.start_logging() as run:
        _ = 1 / 0
    assert run.get_status() == "Failed"
    assert run.get_details()["error"]["error"]["message"] == "ZeroDivisionError: division by zero"


def test_fail_takes_a_sentence_and_waiting_raises_it(experiment: Experiment):
    run = experiment.start_logging()
    run.fail("the sensor was off", error_code="Sensor")
    with pytest.raises(Exception, match="the sensor was off"):
        run.wait_for_completion()
    assert run.wait_for_completion(raise_on_error=False)["status"] == "Failed"


def test_tags_change_and_properties_do_not(experiment: Experiment):
    with experiment.start_logging() as run:
        run.tag("stage", "draft")
        run.tag("mark")
        run.set_tags({"stage": "final", "n": 3})
        run.remove_tags(["n"])
        run.add_properties({"reviewed": "yes"})
        run.add_properties({"reviewed": "yes"})
        with pytest.raises(UserErrorException, match="reviewed"):
            run.add_properties({"reviewed": "no"})
    assert run.get_tags() == {"stage": "final", "mark": None}
    assert run.get_properties()["reviewed"] == "yes"


def test_name_and_description_are_set_on_the_run(experiment: Experiment):
    with experiment.start_logging() as run:
        run.display_name = "Fold *1*"
        run.description = "The **first** fold."
    again = Run(experiment, run.id)
    assert (again.display_name, again.name, again.description) == ("Fold *1*", "Fold *1*", "The **first** fold.")


def test_files_of_every_kind_go_up_and_come_down(experiment: Experiment, tmp_path: Path):
    folder = tmp_path / "source"
    (folder / "sub").mkdir(parents=True)
    names = ["plain.txt", "sub/with space.txt", "sub/ünïcode #1?.txt", "empty"]
    for name in names:
        (folder / name).write_text("" if name == "empty" else name)
    with experiment.start_logging() as run:
        run.upload_folder("outputs/all", folder)
        run.upload_file("outputs/stream.bin", io.BytesIO(b"\x00\x01"))
        run.upload_file(name="outputs/plain.txt", path_or_stream=str(folder / "plain.txt"))
        run.upload_files(["a/1", "a/2"], [folder / "plain.txt", folder / "empty"])
    expected = {f"outputs/all/{name}" for name in names} | {"outputs/stream.bin", "outputs/plain.txt", "a/1", "a/2"}
    assert set(run.get_file_names()) == expected
    run.download_files("outputs/all", tmp_path / "kept")
    run.download_files(prefix="outputs/all", output_directory=str(tmp_path / "bare"), append_prefix=False)
    for name in names:
        content = "" if name == "empty" else name
        assert (tmp_path / "kept" / "outputs" / "all" / name).read_text() == content
        assert (tmp_path / "bare" / name).read_text() == content
    (tmp_path / "into").mkdir()
    run.download_file("outputs/stream.bin", output_file_path=str(tmp_path / "into"), _validate_checksum=True)
    assert (tmp_path / "into" / "stream.bin").read_bytes() == b"\x00\x01"


def test_many_small_files_come_back_byte_for_byte(experiment: Experiment, tmp_path: Path):
    folder = tmp_path / "many"
    folder.mkdir()
    for i in range(300):
        (folder / f"{i:03}.bin").write_bytes(os.urandom(i))
    with experiment.start_logging() as run:
        run.upload_folder("many", folder)
    run.download_files("many", tmp_path / "back", append_prefix=False)
    assert {f.name: f.read_bytes() for f in (tmp_path / "back").iterdir()} == {
        f.name: f.read_bytes() for f in folder.iterdir()
    }


def test_names_that_leave_the_runs_folder_are_refused(experiment: Experiment, tmp_path: Path):
    file = tmp_path / "x"
    file.touch()
    with experiment.start_logging() as run:
        for name in ("../x", "a/../../x", "", "/"):
            with pytest.raises(UserErrorException, match="below the run's folder"):
                run.upload_file(name, file)
        with pytest.raises(UserErrorException, match="nowhere"):
            run.upload_file("x", tmp_path / "nowhere")
        with pytest.raises(UserErrorException, match="no files below"):
            run.download_files("nothing/here")
        with pytest.raises(UserErrorException, match=r"gone\.txt"):
            run.download_file("gone.txt", tmp_path / "gone.txt")
    assert not (tmp_path / "gone.txt").exists()


def test_outputs_named_at_the_start_are_uploaded_at_the_end(experiment: Experiment, tmp_path: Path):
    folder = tmp_path / "results"
    run = experiment.start_logging(outputs=str(folder))
    folder.mkdir()
    (folder / "model.txt").write_text("m")
    run.complete()
    assert run.get_file_names() == ["outputs/model.txt"]


def test_children_are_found_and_filtered(experiment: Experiment):
    with experiment.start_logging() as run:
        with run.child_run("a") as a, a.child_run("a.a") as grandchild:
            grandchild.tag("deep")
        tagged = run.create_children(tag_key="fold", tag_values=["1", "2"])
        (plain,) = run.create_children(count=1)
        for child in (*tagged, plain):
            child.complete()
    assert {child.id for child in run.get_children()} == {a.id, plain.id, *(child.id for child in tagged)}
    assert grandchild.id in {child.id for child in run.get_children(recursive=True)}
    assert [child.id for child in run.get_children(tags={"fold": "2"})] == [tagged[1].id]
    assert [child.id for child in run.get_children(recursive=True, tags="deep")] == [grandchild.id]
    assert grandchild.parent == a and a.parent == run and run.parent is None


def test_runs_are_listed_newest_first_and_filtered(experiment: Experiment):
    made = []
    for i in range(3):
        with experiment.start_logging(tags={"i": i}, properties={"p": str(i % 2)}) as run:
            made.append(run)
    assert [run.id for run in experiment.get_runs()] == [run.id for run in reversed(made)]
    assert [run.id for run in experiment.get_runs(tags={"i": 1})] == [made[1].id]
    assert len(list(experiment.get_runs(properties={"p": "0"}))) == 2
    assert [run.id for run in Run.list(experiment, status="Running")] == []


def test_runs_are_read_into_pandas(experiment: Experiment):
    for i in range(3):
        with experiment.start_logging(tags={"fold": i}) as run:
            run.log("auc", i / 10)
    frame = experiment.to_pandas(limit=2, metrics=["auc"])
    assert list(frame["metrics.auc"]) == [0.2, 0.1] and list(frame["tags.fold"]) == ["2", "1"]
    assert list(frame["status"]) == ["Completed"] * 2 and (frame["seconds"] >= 0).all()
    assert str(frame["created_at"].dtype).endswith("UTC]") and frame["id"][0] == run.id


def test_a_run_of_another_experiment_is_told_apart(experiment: Experiment, ws: Workspace):
    with experiment.start_logging() as run:
        pass
    with pytest.raises(UserErrorException, match=experiment.name):
        Run(Experiment(ws, "other"), run.id)
    with pytest.raises(UserErrorException, match="nobody"):
        Run(experiment, "nobody")
    assert ws.get_run(run.id) == run


def test_a_snapshot_is_kept_once_and_comes_back(experiment: Experiment, tmp_path: Path):
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "train.py").write_text("print(1)")
    with experiment.start_logging(snapshot_directory=tmp_path / "src") as first:
        pass
    with experiment.start_logging() as second:
        kept = second.take_snapshot(tmp_path / "src" / "train.py")
    assert first.get_snapshot_id() == second.get_snapshot_id() == kept
    path = first.restore_snapshot(path=tmp_path)
    assert path == str(tmp_path / f"{kept}.zip") and zipfile.ZipFile(path).read("train.py") == b"print(1)"
    with experiment.start_logging() as bare, pytest.raises(UserErrorException, match="take_snapshot"):
        bare.restore_snapshot()


def test_a_model_is_registered_from_a_run_and_from_here(
    experiment: Experiment, ws: Workspace, tmp_path: Path, monkeypatch
):
    name = f"model-{experiment.name}"
    (tmp_path / "model.pkl").write_bytes(b"weights")
    (tmp_path / "folder" / "deep").mkdir(parents=True)
    (tmp_path / "folder" / "deep" / "part").write_text("1")
    (tmp_path / "folder" / "top").write_text("2")
    with experiment.start_logging() as run:
        run.upload_file("outputs/model.pkl", tmp_path / "model.pkl")
        first = run.register_model(name, "outputs/model.pkl", tags={"a": "b"}, properties={"AUC": 0.8}, description="d")
    second = Model.register(ws, model_path=str(tmp_path / "folder"), model_name=name, tags={"kind": "folder"})
    assert (first.id, first.version, first.run_id) == (f"{name}:1", 1, run.id) and second.version == 2
    assert first.properties == {"AUC": "0.8"} and first.tags == {"a": "b"} and first.description == "d"
    assert Model(ws, name).version == 2 and Model(ws, name, version=1) == first and Model(ws, id=f"{name}:1") == first
    assert [m.version for m in Model.list(ws, name=name)] == [2, 1]
    assert [m.version for m in Model.list(ws, name=name, tags=[["kind", "folder"]])] == [2]
    assert ws.models[name].version == 2
    monkeypatch.chdir(tmp_path)
    assert Path(first.download(tmp_path / "down")).read_bytes() == b"weights"
    with pytest.raises(UserErrorException, match="exist_ok"):
        first.download(tmp_path / "down")
    got = Path(Model.get_model_path(name, _workspace=ws))
    assert (got / "deep" / "part").read_text() == "1" and (got / "top").read_text() == "2"
    first.add_tags({"more": None})
    assert Model(ws, name, version=1).tags == {"a": "b", "more": None}
    second.delete()
    with pytest.raises(WebserviceException, match="ModelNotFound"):
        Model(ws, name, version=2)
