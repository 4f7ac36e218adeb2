"""Metrics: what is logged is what is read back, also through forks, cut lines and refusals."""

from __future__ import annotations

import json
import math
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from atelier import spool
from atelier.errors import UserError
from atelier.sending import close_all
from azureml.core import Experiment, Run
from tests.sdk.conftest import Line
from tests.stack import Stack, wait_for

pytestmark = [pytest.mark.xdist_group("stack"), pytest.mark.timeout(120)]
MATRIX = {
    "schema_type": "confusion_matrix",
    "schema_version": "v1",
    "data": {"class_labels": ["0", "1"], "matrix": np.array([[5, 1], [2, 7]])},
}


def test_every_kind_comes_back_in_the_shape_of_v1(experiment: Experiment):
    with experiment.start_logging() as run:
        run.log("one", np.float32(0.5))
        for step in range(3):
            run.log("many", step * 2, step=step)
        run.log("text", "liblinear")
        run.log("yes", np.bool_(True))
        run.log_list("list", np.arange(3))
        run.log_list("one in a list", [7])
        run.log_row("single row", x=1, y="a")
        for k in range(2):
            run.log_row("rows", angle=k, value=k / 2)
        run.log_table("table", {"a": [1, 2], "b": ["x", "y"]})
        run.log_confusion_matrix("confusion", MATRIX)
    metrics = run.get_metrics()
    assert metrics == {
        "one": 0.5,
        "many": [0, 2, 4],
        "text": "liblinear",
        "yes": True,
        "list": [0, 1, 2],
        "one in a list": [7],
        "single row": {"x": 1, "y": "a"},
        "rows": {"angle": [0, 1], "value": [0.0, 0.5]},
        "table": {"a": [1, 2], "b": ["x", "y"]},
        "confusion": f"aml://artifactId/ExperimentRun/dcid.{run.id}/confusion",
    }
    populated = run.get_metrics("confusion", populate=True)
    assert populated["confusion"]["data"]["matrix"] == [[5, 1], [2, 7]] and list(populated) == ["confusion"]


def test_numbers_that_json_has_no_word_for_come_back(experiment: Experiment):
    with experiment.start_logging() as run:
        for value in (1.0, math.nan, math.inf, -math.inf):
            run.log("loss", value)
    loss = run.get_metrics()["loss"]
    assert loss[0] == 1.0 and math.isnan(loss[1]) and loss[2:] == [math.inf, -math.inf]


def test_images_of_one_name_in_one_second_are_kept_apart(experiment: Experiment, tmp_path: Path):
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    figure = Figure()
    figure.subplots().plot([1, 2])
    with experiment.start_logging() as run:
        for _ in range(3):
            run.log_image("a/b: plot?", plot=figure)
    values = run.get_metrics()["a/b: plot?"]
    assert len(set(values)) == 3 and all(value.endswith(".png") for value in values)
    path = values[0].split("/dcid." + run.id + "/")[1]
    run.download_file(path, tmp_path / "back.png")
    assert "/" not in path and (tmp_path / "back.png").read_bytes().startswith(b"\x89PNG")


def test_metrics_of_children_are_read_with_recursive(experiment: Experiment):
    with experiment.start_logging() as run:
        run.log("top", 1)
        with run.child_run("fold") as child:
            child.log("auc", 0.8)
    assert run.get_metrics(recursive=True) == {run.id: {"top": 1}, child.id: {"auc": 0.8}}
    assert run.get_metrics() == {"top": 1}


def test_many_points_arrive_in_order(experiment: Experiment):
    run = experiment.start_logging()
    for i in range(50_000):
        run.log("loss", i, step=i)
        run.log("half", i / 2 if i != 7 else math.nan)
    run.complete()
    whole, by_name = run.get_metrics(), run.get_metrics("loss") | run.get_metrics("half")
    assert by_name["loss"] == whole["loss"] == list(range(50_000)) and type(by_name["loss"][0]) is int
    assert math.isnan(by_name["half"].pop(7)) and math.isnan(whole["half"].pop(7))
    assert by_name["half"] == whole["half"] and by_name["half"][-1] == 49_999 / 2


def test_a_long_list_and_a_long_table_arrive_whole(experiment: Experiment):
    with experiment.start_logging() as run:
        run.log_list("list", range(25_000))
        run.log_table("table", {"x": list(range(12_000)), "y": [0.5] * 12_000})
    metrics = run.get_metrics()
    assert metrics["list"] == list(range(25_000)) and metrics["table"]["x"] == list(range(12_000))


def test_a_forked_process_sends_its_own_points_and_not_its_parents(experiment: Experiment):
    run = experiment.start_logging()
    run.log("parent", 1)
    child = os.fork()
    if child == 0:
        run.log("child", 2)
        close_all()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    run.log("parent", 3)
    run.complete()
    assert run.get_metrics() == {"parent": [1, 3], "child": 2}


def test_the_workers_of_multiprocessing_deliver_before_they_end(experiment: Experiment):
    run = experiment.start_logging()
    run.log("loss", 0)
    workers = [multiprocessing.get_context("fork").Process(target=run.log, args=(f"worker {i}", i)) for i in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    run.complete()
    assert run.get_metrics() == {"loss": 0, "worker 0": 0, "worker 1": 1, "worker 2": 2}


def test_while_the_server_is_away_points_wait_on_disk_and_then_arrive_in_order(
    experiment: Experiment, line: Line, tmp_path: Path
):
    run = experiment.start_logging()
    folder = tmp_path / "spool" / run.id
    run.log("loss", 0)
    run.flush()
    line.cut = True
    for i in range(1, 5):
        run.log("loss", i)
        wait_for(lambda i=i: len(spool.waiting(folder)) >= i, 20, "a batch on disk")
    line.cut = False
    run.log("loss", 5)
    run.complete()
    assert run.get_metrics()["loss"] == [0, 1, 2, 3, 4, 5]
    assert spool.waiting(folder) == []


def test_a_spooled_batch_has_the_form_that_the_agent_delivers(experiment: Experiment, line: Line, tmp_path: Path):
    run = experiment.start_logging()
    line.cut = True
    run.log("loss", 1.5, step=3)
    folder = tmp_path / "spool" / run.id
    (file,) = wait_for(lambda: spool.waiting(folder), 20, "a batch on disk")
    body = json.loads(file.read_text())
    assert file.name.endswith(f"-{body['batch']}.json") and file.name.split("-")[0].isdigit()
    assert body["series"] == [
        {"name": "loss", "kind": "scalar", "columns": {"": [1.5]}, "steps": [3], "times": body["series"][0]["times"]}
    ]
    line.cut = False
    copy = tmp_path / "copy" / run.id
    spool.keep(copy, body["batch"], file.read_bytes())
    assert spool.deliver(run._client, copy) == 1  # as the agent does, beside the script
    run.complete()
    assert run.get_metrics() == {"loss": 1.5}, "the same batch from two places counts once"


def test_flush_says_where_the_points_are_when_the_server_stays_away(experiment: Experiment, line: Line, tmp_path: Path):
    run = experiment.start_logging()
    line.cut = True
    run.log("loss", 1)
    with pytest.raises(Exception, match=rf"{tmp_path}.*atelier spool"):
        run.flush(timeout_seconds=0.5)
    line.cut = False
    run.complete()
    assert run.get_metrics() == {"loss": 1}


def test_what_the_server_refuses_is_told_and_takes_nothing_else_with_it(
    experiment: Experiment, capsys: pytest.CaptureFixture[str]
):
    run = experiment.start_logging()
    run.log("loss", 1)
    run.flush()
    for i in range(20):
        run.log("good", i)
        run.log("text", "x" * 300 if i == 7 else str(i))
        run.log_row("rows", x=i, note="y" * 300 if i == 3 else "short")
    with pytest.raises(UserError, match="text"):
        run.flush()
    assert "refused" in capsys.readouterr().err
    run.complete()
    metrics = run.get_metrics()
    assert metrics["loss"] == 1 and metrics["good"] == list(range(20))
    assert metrics["text"] == [str(i) for i in range(20) if i != 7]
    assert metrics["rows"]["x"] == [i for i in range(20) if i != 3]


def test_a_spool_that_cannot_be_written_keeps_the_points_in_memory(
    experiment: Experiment, line: Line, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "spool").write_text("a file where the folder should be")
    run = experiment.start_logging()
    line.cut = True
    run.log("loss", 1)
    wait_for(lambda: "wait in memory" in capsys.readouterr().err, 20, "the sentence")
    line.cut = False
    run.log("loss", 2)
    run.complete()
    assert run.get_metrics() == {"loss": [1, 2]}


def test_a_number_that_needs_more_than_64_bits_is_told_where_it_is_logged(experiment: Experiment):
    with experiment.start_logging() as run:
        with pytest.raises(UserError, match="64 bits"):
            run.log("n", 10**40)
        run.log("n", 2**63 - 1)
        run.log("odd text", "a\ud800b")
    assert run.get_metrics() == {"n": 2**63 - 1, "odd text": "a?b"}


def test_points_logged_just_before_the_end_of_a_process_arrive(stack: Stack, signed_in: Path):
    script = signed_in / "last.py"
    script.write_text(
        "from azureml.core import Experiment, Workspace\n"
        "run = Experiment(Workspace.from_config(), 'last').start_logging()\n"
        "for i in range(1000): run.log('loss', i)\n"
        "print(run.id)\n"
    )
    done = stack.run_script(script, folder=signed_in)
    assert done.returncode == 0, done.stderr
    run = Run.get(_workspace(), done.stdout.strip())
    assert run.get_metrics()["loss"] == list(range(1000))
    assert run.get_status() == "Completed", "a run that was not completed by hand ends with its process"


def test_a_script_that_fails_leaves_its_run_failed_with_the_traceback(stack: Stack, signed_in: Path):
    script = signed_in / "bad.py"
    script.write_text(
        "from azureml.core import Experiment, Workspace\n"
        "run = Experiment(Workspace.from_config(), 'last').start_logging()\n"
        "print(run.id, flush=True)\n"
        "raise ValueError('no such column: Diabetes')\n"
    )
    done = stack.run_script(script, folder=signed_in)
    assert done.returncode == 1
    run = Run.get(_workspace(), done.stdout.strip())
    error = run.get_details()["error"]["error"]
    assert run.get_status() == "Failed" and error["message"] == "ValueError: no such column: Diabetes"
    assert "bad.py" in error["details"]


def _workspace():
    from azureml.core import Workspace

    return Workspace.from_config()


def test_importing_the_sdk_loads_nothing_heavy():
    code = (
        "import sys, azureml.core; "
        "print([m for m in ('urllib3', 'requests', 'numpy', 'pandas', 'yaml', 'pathspec', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd="sdk", timeout=60)
    assert done.stdout == "[]\n", done.stdout + done.stderr
