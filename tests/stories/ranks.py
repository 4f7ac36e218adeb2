"""Several ranks, on `local` or on a cluster of containers (the image in STORY_IMAGE): MPI, PyTorch and TensorFlow
variables, a rank that fails, a cancel that reaches all, and on a cluster the way from no node to two and back."""

import json
import os
import sys
import tempfile
import time
from pathlib import Path

from azureml.core import Environment, Experiment, ScriptRunConfig, Workspace
from azureml.core.compute import AmlCompute, ComputeTarget
from azureml.core.runconfig import MpiConfiguration, PyTorchConfiguration, TensorflowConfiguration

TELL = """
import json, os, sys
from azureml.core import Run
mpi = os.environ.get("OMPI_COMM_WORLD_RANK")
tf = json.loads(os.environ.get("TF_CONFIG", "null"))
rank = int(mpi or os.environ.get("RANK") or (tf["task"]["index"] if tf else 0))
print("I am", rank, flush=True)
run = Run.get_context()
run.log(f"rank {rank}", rank)
if rank == 0:
    run.log("size", int(os.environ.get("OMPI_COMM_WORLD_SIZE") or os.environ.get("WORLD_SIZE") or len(tf["cluster"]["worker"])))
if sys.argv[1:] == ["fail"] and rank == 1:
    raise RuntimeError("rank 1 gives up")
if sys.argv[1:]:
    import time
    time.sleep(300)
"""
ws = Workspace.from_config()
folder = Path(tempfile.mkdtemp())
(folder / "tell.py").write_text(TELL)
env = Environment("as-it-is")
env.python.user_managed_dependencies = True
experiment = Experiment(ws, "ranks")
target, cluster = sys.argv[1], None
if target != "local":
    env.docker.base_image = os.environ["STORY_IMAGE"]
    config = AmlCompute.provisioning_configuration("STANDARD_D2_V2", max_nodes=2, idle_seconds_before_scaledown=3)
    cluster = ComputeTarget.create(ws, target, config)
    cluster.wait_for_completion(show_output=True)
    assert cluster.get_status().current_node_count == 0


def submit(job, *arguments):
    return experiment.submit(
        ScriptRunConfig(
            str(folder),
            script="tell.py",
            arguments=list(arguments),
            environment=env,
            compute_target=target,
            distributed_job_config=job,
        )
    )


mpi = submit(MpiConfiguration(process_count_per_node=2, node_count=2))
torch = submit(PyTorchConfiguration(communication_backend="gloo", process_count=2, node_count=2))
tf = submit(TensorflowConfiguration(worker_count=2, parameter_server_count=0))
for run, size in ((mpi, 4), (torch, 2), (tf, 2)):
    run.wait_for_completion()
    metrics = run.get_metrics()
    assert metrics == {"size": size, **{f"rank {i}": i for i in range(size)}}, metrics
names = mpi.get_file_names()
assert {f"azureml-logs/70_driver_log_{rank}.txt" for rank in range(4)} <= set(names), names
merged = Path(tempfile.mkdtemp(), "log")
mpi.download_file("azureml-logs/70_driver_log.txt", str(merged))
assert sorted(merged.read_text().split("\n")) == ["", *(f"[{rank}] I am {rank}" for rank in range(4))], (
    merged.read_text()
)

bad = submit(MpiConfiguration(node_count=2), "fail")
bad.wait_for_completion(raise_on_error=False)
error = json.dumps(bad.get_details()["error"])
assert (
    bad.get_status() == "Failed"
    and "Rank 1 on " in error
    and "RuntimeError: rank 1 gives up (tell.py, line 13)" in error
), error

slow = submit(PyTorchConfiguration(communication_backend="gloo", process_count=2, node_count=1), "wait")
while set(slow.get_metrics()) != {"size", "rank 0", "rank 1"}:
    time.sleep(0.2)
slow.cancel()
began = time.monotonic()
while slow.get_status() not in ("Canceled", "Failed", "Completed"):
    time.sleep(0.1)
assert slow.get_status() == "Canceled" and time.monotonic() - began < 20

if cluster:
    deadline = time.monotonic() + 60
    while cluster.get_status().current_node_count and time.monotonic() < deadline:
        time.sleep(0.5)
    assert cluster.get_status().current_node_count == 0, cluster.get_status().serialize()
    cluster.delete()
print("story: ok")
