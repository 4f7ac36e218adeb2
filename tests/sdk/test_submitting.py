"""Submitted scripts, watched from outside and logging from inside. The environment is the server's own Python."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from azureml.core import Environment, Experiment, Run, ScriptRunConfig
from azureml.exceptions import ActivityFailedException, UserErrorException
from azureml.widgets import RunDetails

pytestmark = [pytest.mark.xdist_group("stack"), pytest.mark.timeout(180)]
TRAIN = """
import os, sys
from azureml.core import Model, Run, ScriptRunConfig
run = Run.get_context(allow_offline=False)
print("hello", *sys.argv[1:], flush=True)
for i in range(100):
    run.log("loss", 1 / (i + 1), step=i)
os.makedirs("outputs", exist_ok=True)
with open("outputs/model.txt", "w") as f:
    f.write("weights")
model = run.register_model("in-job-" + run.experiment.name, "outputs/model.txt")
with run.child_run("fold") as child:
    child.log("auc", 0.8)
path = Model.get_model_path(model.name)
with open(path) as f:
    assert f.read() == "weights"
assert run.experiment.id and run.experiment.workspace.location
grandchild = run.submit_child(ScriptRunConfig(".", command="echo below", environment=run.get_environment()))
print("submitted", grandchild.id, flush=True)
run.tag("from", "inside")
print(run.experiment.workspace.name, model.version, Run.get_context() is run, flush=True)
run.complete()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "code"
    place.mkdir()
    (place / "train.py").write_text(TRAIN)
    (place / "fail.py").write_text("print('about to fail')\nraise ValueError('no such column: Diabetes')\n")
    (place / "kept_out.csv").write_text("x")
    (place / ".amlignore").write_text("kept_out.csv\n")
    return place


@pytest.fixture
def environment() -> Environment:
    made = Environment("own-python")
    made.python.user_managed_dependencies = True
    return made


def test_a_script_runs_logs_registers_and_is_streamed_in_v1s_layout(
    experiment: Experiment, folder: Path, environment: Environment, capsys: pytest.CaptureFixture[str]
):
    config = ScriptRunConfig(folder, script="train.py", arguments=["--rate", 0.1], environment=environment)
    run = experiment.submit(config=config, tags={"kind": "test"})
    RunDetails(run).show()
    assert f"Run {run.id} ({experiment.name}): " in capsys.readouterr().out
    details = run.wait_for_completion(show_output=True)
    assert details["status"] == "Completed", details
    shown = capsys.readouterr().out
    log = "azureml-logs/70_driver_log.txt"
    assert shown.startswith(f"RunId: {run.id}\nWeb View: {run.get_portal_url()}\n")
    assert f"\nStreaming {log}\n{'=' * (len(log) + 10)}\n\n" in shown
    assert "hello --rate 0.1\n" in shown and "lab 1 True\n" in shown
    assert shown.endswith(
        f"\nExecution Summary\n=================\nRunId: {run.id}\nWeb View: {run.get_portal_url()}\n\n"
    )

    assert run.get_metrics()["loss"] == [1 / (i + 1) for i in range(100)]
    assert run.get_tags() == {"kind": "test", "from": "inside"}
    below, fold = run.get_children()
    assert fold.get_metrics() == {"auc": 0.8} and f"submitted {below.id}\n" in shown
    assert below.wait_for_completion()["status"] == "Completed"
    names = run.get_file_names()
    assert "outputs/model.txt" in names and log in names
    assert re.fullmatch(rf"{experiment.name}_\d{{10}}_[0-9a-f]{{8}}", run.id)
    assert details["runDefinition"]["arguments"] == ["--rate", "0.1"] and details["target"] == "local"
    assert run.get_properties()["ContentSnapshotId"] == run.get_snapshot_id()
    assert run.get_environment().python.user_managed_dependencies is True
    assert "hello" in run.get_details_with_logs()["logFiles"][log]
    files = run.get_all_logs(destination=folder / "logs")
    assert str(folder / "logs" / log) in files


def test_a_failing_script_raises_its_last_line_and_prints_its_error(
    experiment: Experiment, folder: Path, environment: Environment, capsys: pytest.CaptureFixture[str]
):
    run = experiment.submit(ScriptRunConfig(folder, script="fail.py", environment=environment))
    with pytest.raises(ActivityFailedException, match="no such column: Diabetes"):
        run.wait_for_completion(show_output=True)
    shown = capsys.readouterr().out
    summary = shown[shown.index("Execution Summary") :]
    error = json.loads(summary[summary.index("Error:\n") + 7 :])
    assert "no such column: Diabetes" in error["error"]["message"] and "about to fail" in shown
    assert run.get_status() == "Failed" and not list(run.get_children())


def test_a_missing_or_ignored_script_is_told_before_anything_is_sent(experiment: Experiment, folder: Path):
    with pytest.raises(UserErrorException, match=r"trian\.py"):
        experiment.submit(ScriptRunConfig(folder, script="trian.py"))
    (folder / ".amlignore").write_text("train.py\n")
    with pytest.raises(UserErrorException, match=r"\.amlignore leaves it out"):
        experiment.submit(ScriptRunConfig(folder, script="train.py"))
    assert list(experiment.get_runs()) == []


def test_a_child_is_submitted_below_its_parent(experiment: Experiment, folder: Path, environment: Environment):
    with experiment.start_logging() as parent:
        child = parent.submit_child(ScriptRunConfig(folder, command="echo from the shell", environment=environment))
        assert child.wait_for_completion()["status"] == "Completed"
    assert [one.id for one in parent.get_children()] == [child.id] and child.parent == parent
    assert "from the shell" in child.get_details_with_logs()["logFiles"]["azureml-logs/70_driver_log.txt"]


def test_a_canceled_run_keeps_what_it_logged(experiment: Experiment, folder: Path, environment: Environment):
    (folder / "sleep.py").write_text(
        "import time\nfrom azureml.core import Run\nrun = Run.get_context()\nrun.log('tick', 1)\ntime.sleep(600)\n"
    )
    run = experiment.submit(ScriptRunConfig(folder, script="sleep.py", environment=environment))
    from tests.stack import wait_for

    wait_for(lambda: run.get_metrics().get("tick"), 60, "the first tick")
    run.cancel()
    assert run.wait_for_completion(raise_on_error=False)["status"] == "Canceled"
    assert run.get_metrics() == {"tick": 1} and isinstance(run, Run)
