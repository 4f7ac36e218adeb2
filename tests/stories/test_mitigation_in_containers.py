"""The four mitigations as containers of a cluster; their data, models and explanations travel through the server alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from studio.containers import containers
from tests.stack import ROOT, Stack, answer_of, wait_for
from tests.stories.test_demo import get
from tests.stories.test_stories import DATA, HERE

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("stack"), pytest.mark.timeout(900)]
CLUSTER = """
from azureml.core import Workspace
from azureml.core.compute import AmlCompute, ComputeTarget

settings = AmlCompute.provisioning_configuration(vm_size="STANDARD_D2_V2", max_nodes=2)
ComputeTarget.create(Workspace.from_config(), "mitigators", settings).wait_for_completion()
print("story: ok")
"""


def test_mitigations_run_in_containers_and_meet_in_one_dashboard(stack: Stack, tmp_path: Path):
    script = tmp_path / "make.py"
    script.write_text(CLUSTER)
    made = stack.run_script(script, folder=tmp_path)
    assert made.returncode == 0, answer_of(made)
    done = stack.run_script(
        HERE / "scripts/mitigate.py",
        folder=tmp_path,
        seconds=880,
        STORY_DATA=str(DATA),
        STORY_COMPUTE="mitigators",
        STORY_SECONDS="800",
        # The demo's own: whoever has run its test has the image.
        STORY_REQUIREMENTS=str(ROOT / "demo/src/requirements.txt"),
    )
    assert done.returncode == 0 and "story: ok" in done.stdout, answer_of(done) + stack.log("worker")
    children = re.search(r"^children: (.+)$", done.stdout, re.M)[1].split()
    assert len(children) == 4
    for child in children:
        assert get(stack, f"/runs/{child}")["properties"]["AzureML.DerivedImageName"].startswith("azureml/azureml_")
        wait_for(lambda run=child: not containers.names({"atelier.run": run}), 30, f"the container of {child} is gone")
