"""From submit to the first line of the script, each way to an image: watched on the run's page, read in its logs."""

from __future__ import annotations

import pytest

from tests.faults.conftest import Registry
from tests.faults.test_bad_input import conda
from tests.faults.watched import BUILD_SECONDS, Watched
from tests.stack import wait_for

pytestmark = [pytest.mark.docker, pytest.mark.registry, pytest.mark.timeout(300)]
PIP = conda("python=3.11", {"pip": ["idna==3.10"]})
SHOW = "import idna; print(idna.__version__)"


def image_of(live: Watched, run_id: str) -> str:
    """The image's name, once the run has Completed."""
    return str(live.completes(run_id)["properties"]["AzureML.DerivedImageName"])


def test_first_build_then_found_here_then_in_the_workspaces_registry_then_in_the_global_one(
    live: Watched, workspace_registry: Registry, global_registry: Registry
):
    workspace_registry.start()
    first = live.job(SHOW, python=PIP)
    live.shows(first, "Builds azureml/azureml_", BUILD_SECONDS)
    image = image_of(live, first)
    log = live.file_of(first, "build")
    assert "Not in the workspace registry 127.0.0.1:5000." in log and "-- resolving the packages" in log
    assert " + idna==3.10" in log and "Kept in the workspace registry 127.0.0.1:5000 as sha256:" in log
    agent, prepare = (live.file_of(first, name, node_of(live, first)) for name in ("agent", "prepare"))
    assert "The agent has started on local" in agent and "The script has ended: exit code 0." in agent
    assert "Unpacked the snapshot" in prepare and "1 files" in prepare
    assert live.log(first) == "3.10\n"

    here = live.job(SHOW, python=PIP)
    assert image_of(live, here) == image and f"Found {image}:" in live.run_page(here)

    live.forget(image)
    there = live.job(SHOW, python=PIP)
    assert image_of(live, there) == image
    log = live.file_of(there, "build")
    assert "Found in the workspace registry 127.0.0.1:5000." in log and "Step 1/" not in log

    workspace_registry.kill()
    global_registry.data.parent.mkdir(exist_ok=True)
    workspace_registry.data.rename(global_registry.data)
    global_registry.start()
    live.forget(image)
    elsewhere = live.job(SHOW, python=PIP)
    assert image_of(live, elsewhere) == image
    log = live.file_of(elsewhere, "build")
    assert "Found in the global registry 127.0.0.1:5001." in log and "Step 1/" not in log


def node_of(live: Watched, run_id: str) -> str:
    """The node that a run's logs are named after."""
    names = [log["path"] for log in live.client.call("GET", f"/runs/{run_id}/logs")["items"]]
    return next(name for name in names if "/55_" in name).removeprefix("azureml-logs/55_azureml-execution-")[:-4]


def test_conda_from_a_local_channel_and_a_dockerfile_whose_second_run_says_whose_build_it_waits_for(live: Watched):
    greets = live.job("import greeting; print(greeting.VERSION)", python=conda("python=3.11", "greeting=1.0"))
    first = live.dockerfile(
        "RUN echo shared && sleep 4", "ENV GREETING=hello", source="import os; print(os.environ['GREETING'])"
    )
    live.shows(first, "Builds azureml/azureml_", BUILD_SECONDS)
    second = live.dockerfile("RUN echo shared && sleep 4", "ENV GREETING=hello")
    live.shows(second, f"that the run {first} started.")
    assert image_of(live, second) == image_of(live, first) and live.log(first) == "hello\n"
    assert (
        "RUN echo shared" in live.file_of(first, "build")
        and live.file_of(second, "build").count("RUN echo shared") == 1
    )
    image_of(live, greets)
    assert "conda channel: file://" in live.file_of(greets, "build") and live.log(greets) == "1.0\n"


def test_a_cluster_grows_from_none_to_two_and_back_before_everybodys_eyes(live: Watched):
    with live.cluster("grows", max_nodes=2) as grows:
        page = f"/w/{live.stack.workspace}/compute/{grows}/"
        assert "Nodes 0 of 2" in live.page(page)
        runs = [live.job("import time; print('up', flush=True); time.sleep(3)", target=grows) for _ in "ab"]
        wait_for(lambda: "Nodes 2 of 2" in live.page(page), BUILD_SECONDS, "two nodes")
        for run_id in runs:
            live.completes(run_id)
            assert "Placed on grows-" in live.run_page(run_id)
            assert "The agent has started on grows-" in live.file_of(run_id, "agent", node_of(live, run_id))
        wait_for(lambda: "Nodes 0 of 2" in live.page(page), 60, "no node")
        assert "Scaling" in live.page(page)
