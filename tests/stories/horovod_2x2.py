"""A small network under Horovod on 2 nodes x 2 processes, and in one process on the same batches: the same loss."""

import tempfile
from pathlib import Path

from azureml.core import Environment, Experiment, ScriptRunConfig, Workspace
from azureml.core.compute import AmlCompute, ComputeTarget
from azureml.core.runconfig import MpiConfiguration, PyTorchConfiguration

TRAIN = """
import horovod.torch as hvd
import torch
from azureml.core import Run

hvd.init()
torch.set_num_threads(1)
torch.manual_seed(0)
X = torch.randn(512, 10)
y = (X[:, :1] * X[:, 1:2] + X[:, 2:3]).detach()
model = torch.nn.Sequential(torch.nn.Linear(10, 16), torch.nn.Tanh(), torch.nn.Linear(16, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
optimizer = hvd.DistributedOptimizer(optimizer, named_parameters=model.named_parameters())
hvd.broadcast_parameters(model.state_dict(), root_rank=0)
mine = slice(hvd.rank(), None, hvd.size())
for step in range(50):
    optimizer.zero_grad()
    loss = ((model(X[mine]) - y[mine]) ** 2).mean()
    loss.backward()
    optimizer.step()
with torch.no_grad():
    whole = float(((model(X) - y) ** 2).mean())
if hvd.rank() == 0:
    run = Run.get_context()
    run.log("size", hvd.size())
    run.log("hosts", hvd.cross_size())
    run.log("loss", whole)
"""
DDP = """
import torch
import torch.distributed as dist
from azureml.core import Run

dist.init_process_group("gloo")
total = torch.tensor([dist.get_rank() + 1.0])
dist.all_reduce(total)
if dist.get_rank() == 0:
    Run.get_context().log("sum", float(total))
dist.destroy_process_group()
"""
ws = Workspace.from_config()
folder = Path(tempfile.mkdtemp())
(folder / "train.py").write_text(TRAIN)
(folder / "ddp.py").write_text(DDP)
config = AmlCompute.provisioning_configuration("STANDARD_D2_V2", max_nodes=2, idle_seconds_before_scaledown=30)
cluster = ComputeTarget.create(ws, "horovod", config)
env = Environment.get(ws, next(name for name in Environment.list(ws) if name.startswith("AzureML-PyTorch")))
experiment = Experiment(ws, "horovod")


def submit(script, job):
    return experiment.submit(
        ScriptRunConfig(str(folder), script=script, environment=env, compute_target=cluster, distributed_job_config=job)
    )


alone = submit("train.py", MpiConfiguration(process_count_per_node=1, node_count=1))
four = submit("train.py", MpiConfiguration(process_count_per_node=2, node_count=2))
ddp = submit("ddp.py", PyTorchConfiguration(communication_backend="gloo", node_count=2))
for run in (alone, four, ddp):
    run.wait_for_completion()
one, many = alone.get_metrics(), four.get_metrics()
assert (one["size"], many["size"], many["hosts"]) == (1, 4, 2), (one, many)
assert abs(one["loss"] - many["loss"]) < 1e-5, (one, many)
assert ddp.get_metrics() == {"sum": 3.0}, ddp.get_metrics()
cluster.delete()
print("story: ok")
