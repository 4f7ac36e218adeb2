"""A cluster that is deleted in use, a run that can never fit, and one that waits its turn: each says so."""

import json
import tempfile
import time
from pathlib import Path

from atelier.errors import AtelierError
from azureml.core import Environment, Experiment, ScriptRunConfig, Workspace
from azureml.core.compute import AmlCompute, ComputeTarget
from azureml.core.compute_target import ComputeTargetException
from azureml.core.runconfig import MpiConfiguration

ws = Workspace.from_config()
folder = Path(tempfile.mkdtemp())
(folder / "wait.py").write_text("import time\nprint('up', flush=True)\ntime.sleep(300)\n")
env = Environment("as-it-is")
env.python.user_managed_dependencies = True
experiment = Experiment(ws, "faults")
config = AmlCompute.provisioning_configuration("STANDARD_D2_V2", max_nodes=1, idle_seconds_before_scaledown=0)


def submit(target, job=None):
    return experiment.submit(
        ScriptRunConfig(
            str(folder), script="wait.py", environment=env, compute_target=target, distributed_job_config=job
        )
    )


def until(look, what, seconds=60):
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline, what()
        time.sleep(0.1)


def error_of(run):
    return json.dumps(run.get_details().get("error") or {})


cluster = ComputeTarget.create(ws, "short-lived", config)
cluster.wait_for_completion()
first = submit(cluster)
until(lambda: first.get_status() == "Running", first.get_details)
second = submit(cluster)
until(lambda: second.get_status() in ("Provisioning", "Queued"), second.get_details)
large = submit(cluster, MpiConfiguration(node_count=2))
large.wait_for_completion(raise_on_error=False)
assert large.get_status() == "Failed" and "needs 2 nodes and short-lived has at most 1" in error_of(large), error_of(
    large
)

cluster.delete()
for run in (first, second):
    run.wait_for_completion(raise_on_error=False)
    assert run.get_status() == "Failed" and "short-lived was deleted" in error_of(run), run.get_details()


def gone():
    try:
        ComputeTarget(ws, "short-lived")
    except ComputeTargetException:
        return True
    return False


until(gone, lambda: ComputeTarget(ws, "short-lived").get_status().serialize())
try:
    submit("short-lived")
except AtelierError as error:
    assert "There is no compute target 'short-lived'" in str(error), error
else:
    raise AssertionError("a run for a target that is gone was accepted")
print("story: ok")
