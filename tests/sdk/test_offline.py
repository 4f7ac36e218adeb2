"""A script without a server: it runs all the same and says what it would log."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from azureml.core import Run
from azureml.core.run import _OfflineRun
from azureml.exceptions import RunEnvironmentException, UserErrorException


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> _OfflineRun:
    for name in ("AZUREML_RUN_ID", "AZUREML_RUN_TOKEN", "ATELIER_RUN_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    found = Run.get_context()
    assert isinstance(found, _OfflineRun)
    return found


def test_values_are_printed_as_v1_printed_them(run: _OfflineRun, capsys: pytest.CaptureFixture[str]):
    run.log("Accuracy", np.float64(0.9))
    run.upload_file("outputs/model.pkl", "model.pkl")
    assert capsys.readouterr().out == (
        "Attempted to log scalar metric Accuracy:\n0.9\nAttempted to track file outputs/model.pkl at model.pkl\n"
    )


def test_the_id_says_that_it_is_offline_and_a_server_is_not_pretended(run: _OfflineRun):
    assert run.id.startswith("OfflineRun_") and not hasattr(run, "experiment")
    with pytest.raises(AttributeError, match="no server started this script"):
        run.register_model("m")


def test_tags_properties_children_and_state_work_in_memory(run: _OfflineRun):
    run.tag("stage")
    run.set_tags({"owner": "me"})
    run.remove_tags(["stage"])
    run.add_properties({"a": "1"})
    with pytest.raises(Exception, match="properties are fixed"):
        run.add_properties({"a": "2"})
    with run.child_run("fold") as child:
        child.log_row("row", x=1)
    assert run.get_tags() == {"owner": "me"} and child.get_status() == "Completed" and child.parent is run
    assert [one.id for one in run.get_children()] == [child.id]


def test_mistakes_are_told_offline_too(run: _OfflineRun):
    with pytest.raises(UserErrorException, match="log_list"):
        run.log("loss", [1, 2])
    with pytest.raises(UserErrorException, match="different lengths"):
        run.log_table("t", {"a": [1], "b": [1, 2]})
    with pytest.raises(UserErrorException, match="schema_type"):
        run.log_confusion_matrix("c", {"data": {}})
    with pytest.raises(UserErrorException, match="2 rows of 2"):
        run.log_confusion_matrix(
            "c",
            {
                "schema_type": "confusion_matrix",
                "schema_version": "v1",
                "data": {"class_labels": [0, 1], "matrix": [[1]]},
            },
        )
    with pytest.raises(UserErrorException, match=r"path .*or plot"):
        run.log_image("i")


def test_without_permission_to_be_offline_it_is_an_error(run: _OfflineRun):
    with pytest.raises(RunEnvironmentException, match="not started by a run"):
        Run.get_context(allow_offline=False)


def test_a_whole_script_runs_without_a_server():
    import subprocess

    code = "from azureml.core import Run\nrun = Run.get_context()\nrun.log('x', 1)\nrun.complete()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd="sdk", timeout=60)
    assert (done.returncode, done.stdout) == (0, "Attempted to log scalar metric x:\n1\n"), done.stderr
