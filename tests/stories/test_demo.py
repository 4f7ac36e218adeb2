"""The demo experiment, submitted as a user's shell would: as a process here, and in a container of a cluster."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, sync_playwright

from scripts.bridge import engine_get
from tests.listening import listen
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


@pytest.fixture(scope="module")
def in_a_container(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The demo on a cluster of containers: the run's id once it has Completed."""
    folder = tmp_path_factory.mktemp("boxes")
    make = (
        "from azureml.core import Workspace\nfrom azureml.core.compute import AmlCompute, ComputeTarget\n"
        "settings = AmlCompute.provisioning_configuration(vm_size='STANDARD_D2_V2', max_nodes=1)\n"
        "ComputeTarget.create(Workspace.from_config(), 'boxes', settings).wait_for_completion()\nprint('story: ok')\n"
    )
    script = folder / "make.py"
    script.write_text(make)
    made = stack.run_script(script, folder=folder)
    assert made.returncode == 0, answer_of(made)
    return submit_demo(stack, folder, "--compute", "boxes")


@pytest.mark.docker
def test_the_demo_completes_in_a_container_which_is_gone_afterwards(stack: Stack, in_a_container: str):
    assert_everything_is_there(stack, in_a_container)

    def left() -> str:
        label = urllib.request.quote(json.dumps({"label": [f"atelier.run={in_a_container}"]}))
        containers = json.loads(engine_get(f"/containers/json?all=1&filters={label}")[1])
        volumes = json.loads(engine_get(f"/volumes?filters={label}")[1])["Volumes"] or []
        networks = json.loads(engine_get(f"/networks?filters={label}")[1])
        return "" if containers or volumes or networks else "nothing"

    wait_for(left, 30, f"the container, volume and network of {in_a_container} are gone")


@pytest.mark.docker
@pytest.mark.chromium
def test_every_tab_shows_what_the_demo_left(stack: Stack, in_a_container: str):
    def in_chromium() -> None:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=os.environ["CHROMIUM"], args=["--no-sandbox"])
            look_at_every_tab(browser.new_page(base_url=stack.url), stack.password)

    # In a thread of its own: Playwright keeps an event loop in the one it is started in.
    with ThreadPoolExecutor(1) as beside:
        beside.submit(in_chromium).result()


def look_at_every_tab(page: Page, password: str) -> None:
    """Sign in and go from tab to tab, as olga would; AssertionError or a timeout where something is missing."""
    problems: list[str] = []
    listen(page, problems)
    page.goto("/sign-in")
    page.get_by_label("Name", exact=True).fill("olga")
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name="Diabetes progression").first.click()
    page.get_by_role("heading", name="Diabetes progression").wait_for()
    shown = lambda text: page.get_by_text(text).first.wait_for()  # noqa: E731

    def tab(name: str) -> None:
        page.get_by_role("navigation", name="Run").get_by_role("link", name=name).click()
        page.wait_for_function("name => document.querySelector('#tab')?.ariaLabel === name", arg=name)

    def drawn() -> int:
        charts = page.locator(".chart[data-figure-url]")
        for place in range(charts.count()):
            charts.nth(place).scroll_into_view_if_needed()
            page.wait_for_function(
                "n => document.querySelectorAll('.chart[data-figure-url]')[n].dataset.drawn", arg=place
            )
        return charts.count()

    for text in ("Completed", "boxes", "train.py", "diabetes-progression"):
        shown(text)
    tab("Metrics")
    assert drawn() >= 6
    tab("Images")
    for name in ("Label distribution", "ROC"):
        assert (
            page.get_by_role("img", name=name).first.evaluate("image => image.decode().then(() => image.naturalWidth)")
            > 200
        )
    tab("Child Runs")
    for rate in ("1", "0.1", "0.01", "0.001"):
        page.get_by_role("link", name=f"regularisation {rate}", exact=True).first.wait_for()
    tab("Outputs + Logs")
    shown("patients to train on")
    page.get_by_role("link", name="predictions.csv").click()
    page.get_by_role("columnheader", name="score").wait_for()
    tab("Snapshot")
    page.get_by_role("link", name="train.py").click()
    shown("SGDClassifier")
    tab("Explanations")
    assert drawn() >= 1
    shown("bmi")
    tab("Fairness")
    assert drawn() >= 1
    page.get_by_role("region", name="Measures by group").wait_for()
    assert not problems, problems
