"""The demo experiment, submitted as a user's shell would: as a process here, and in a container of a cluster."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from scripts.bridge import engine_get
from tests.stack import ROOT, WORKSPACE, Stack, answer_of, wait_for

pytestmark = [pytest.mark.xdist_group("stack"), pytest.mark.timeout(600)]


def submit_demo(stack: Stack, folder: Path, *arguments: str) -> str:
    """Submit the demo's own script with a config.json of the stack's; the run's id once it has Completed."""
    from shutil import copytree

    from tests.stack import CONFIG

    demo = folder / "demo"
    copytree(ROOT / "demo", demo)
    (demo / "config.json").write_text(json.dumps(CONFIG))
    done = subprocess.run(
        [sys.executable, "submit.py", *arguments],
        cwd=demo,
        env=stack.user_environment(),
        capture_output=True,
        text=True,
        timeout=580,
        check=False,
    )
    assert done.returncode == 0, answer_of(done) + stack.log("worker")
    found = re.search(r"^Submitted (\S+)$", done.stdout, re.M)
    assert found, answer_of(done)
    return found.group(1)


def get(stack: Stack, path: str) -> Any:
    """What the API answers to the owner."""
    request = urllib.request.Request(f"{stack.url}/api/v1{path}", headers={"Authorization": f"Bearer {stack.token}"})
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)


def assert_everything_is_there(stack: Stack, run: str) -> None:
    """Each kind of thing that the demo leaves, as the API has it."""
    record = get(stack, f"/runs/{run}")
    assert record["status"] == "Completed" and record["display_name"] == "Diabetes progression"
    metrics = get(stack, f"/runs/{run}/metrics")["runs"][run]
    kinds = {name: metric["kind"] for name, metric in metrics.items()}
    assert kinds["AUC by rate"] == "scalar" and kinds["label counts"] == "list"
    assert kinds["rates"] == "row" and kinds["weights"] == "table"
    assert kinds["ROC"] == kinds["Label distribution"] == "image"
    assert kinds["Confusion matrix"] == "confusion_matrix" and kinds["Accuracy table"] == "accuracy_table"
    assert 0.75 < metrics["AUC"]["columns"][""][0] < 0.95
    children = get(stack, f"/runs/{run}/children")["items"]
    assert len(children) == 4 and {child["status"] for child in children} == {"Completed"}
    files = {item["path"] for item in get(stack, f"/runs/{run}/artifacts")["items"]}
    assert {"outputs/model.pkl", "outputs/predictions.csv", "outputs/summary.json", "logs/progress.txt"} <= files
    models = get(stack, f"/workspaces/{WORKSPACE}/models?run_id={run}")["items"]
    assert [model["name"] for model in models] == ["diabetes-progression"]
    assert get(stack, f"/runs/{run}/explanations")["items"] and get(stack, f"/runs/{run}/fairness")["items"]


def test_the_demo_completes_as_a_process(stack: Stack, tmp_path: Path):
    assert_everything_is_there(stack, submit_demo(stack, tmp_path))


@pytest.mark.docker
def test_the_demo_completes_in_a_container_which_is_gone_afterwards(stack: Stack, tmp_path: Path):
    make = (
        "from azureml.core import Workspace\nfrom azureml.core.compute import AmlCompute, ComputeTarget\n"
        "settings = AmlCompute.provisioning_configuration(vm_size='STANDARD_D2_V2', max_nodes=1)\n"
        "ComputeTarget.create(Workspace.from_config(), 'boxes', settings).wait_for_completion()\nprint('story: ok')\n"
    )
    script = tmp_path / "make.py"
    script.write_text(make)
    made = stack.run_script(script, folder=tmp_path)
    assert made.returncode == 0, answer_of(made)
    run = submit_demo(stack, tmp_path, "--compute", "boxes")
    assert_everything_is_there(stack, run)

    def left() -> str:
        label = urllib.request.quote(json.dumps({"label": [f"atelier.run={run}"]}))
        containers = json.loads(engine_get(f"/containers/json?all=1&filters={label}")[1])
        volumes = json.loads(engine_get(f"/volumes?filters={label}")[1])["Volumes"] or []
        networks = json.loads(engine_get(f"/networks?filters={label}")[1])
        return "" if containers or volumes or networks else "nothing"

    wait_for(left, 30, f"the container, volume and network of {run} are gone")
    assert os.environ["ATELIER_BASE_IMAGE"]
