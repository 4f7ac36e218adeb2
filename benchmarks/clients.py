"""What a user's process pays: import, a whole no-op script, logging in a loop, reading back. Each in a process of its own."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.peers import AtelierPeer, MlflowPeer, Peer
from benchmarks.rows import Options, write_curve
from scripts.supervisor import ROOT

CONFIG = {"subscription_id": "", "resource_group": "", "workspace_name": "bench"}

ATELIER = {
    "import": "import azureml.core",
    "noop": """
from azureml.core import Experiment, Workspace
run = Experiment(Workspace.from_config(), "noop").start_logging(snapshot_directory=None)
run.log("loss", 0.5)
run.complete()
""",
    "log": """
import json, time
from azureml.core import Experiment, Workspace
run = Experiment(Workspace.from_config(), "loop").start_logging(snapshot_directory=None)
run.log("loss", 1.0, step=0)
run.flush()
began = time.perf_counter()
for step in range(1, COUNT):
    run.log("loss", 0.5, step=step)
enqueued = time.perf_counter() - began
run.flush()
delivered = time.perf_counter() - began
run.complete()
print(json.dumps({"enqueue": COUNT / enqueued, "delivered": COUNT / delivered}))
""",
    "pandas": """
import json, time
import pandas
from azureml.core import Experiment, Workspace
experiment = Experiment(Workspace.from_config(), "seeded")
began = time.perf_counter()
frame = experiment.to_pandas(limit=10_000)
assert len(frame) == 10_000, len(frame)
print(json.dumps({"pandas": time.perf_counter() - began}))
""",
    "history": """
import json, time
from azureml.core import Experiment, Run, Workspace
run = Run(Experiment(Workspace.from_config(), "load"), "RUN")
began = time.perf_counter()
values = run.get_metrics(name="curve")["curve"]
assert len(values) == POINTS, len(values)
print(json.dumps({"client_history": time.perf_counter() - began}))
""",
    "artifacts": """
import json, os, tempfile, time
from azureml.core import Experiment, Workspace
folder = tempfile.mkdtemp()
for number in range(1000):
    with open(os.path.join(folder, f"{number:04d}.bin"), "wb") as file:
        file.write(os.urandom(10_000))
run = Experiment(Workspace.from_config(), "files").start_logging(snapshot_directory=None)
began = time.perf_counter()
run.upload_folder("outputs/many", folder)
up = time.perf_counter() - began
target = tempfile.mkdtemp()
began = time.perf_counter()
run.download_files(prefix="outputs/many", output_directory=target)
down = time.perf_counter() - began
assert sum(len(files) for _, _, files in os.walk(target)) == 1000
run.complete()
print(json.dumps({"client_up": up, "client_down": down}))
""",
}
MLFLOW = {
    "import": "import mlflow",
    "noop": """
import mlflow
mlflow.set_experiment("noop")
with mlflow.start_run():
    mlflow.log_metric("loss", 0.5)
""",
    "log": """
import json, time
import mlflow
mlflow.set_experiment("loop")
with mlflow.start_run():
    mlflow.log_metric("loss", 1.0, step=0)
    began = time.perf_counter()
    for step in range(1, COUNT):
        mlflow.log_metric("loss", 0.5, step=step, synchronous=False)
    enqueued = time.perf_counter() - began
    mlflow.flush_async_logging()
    delivered = time.perf_counter() - began
print(json.dumps({"enqueue": COUNT / enqueued, "delivered": COUNT / delivered}))
""",
    "pandas": """
import json, time
import mlflow, pandas
began = time.perf_counter()
frame = mlflow.search_runs(experiment_names=["seeded"], max_results=10_000)
assert len(frame) == 10_000, len(frame)
print(json.dumps({"pandas": time.perf_counter() - began}))
""",
    "history": """
import json, time
from mlflow import MlflowClient
began = time.perf_counter()
values = MlflowClient().get_metric_history("RUN", "curve")
assert len(values) == POINTS, len(values)
print(json.dumps({"client_history": time.perf_counter() - began}))
""",
    "artifacts": """
import json, os, tempfile, time
import mlflow
folder = tempfile.mkdtemp()
for number in range(1000):
    with open(os.path.join(folder, f"{number:04d}.bin"), "wb") as file:
        file.write(os.urandom(10_000))
mlflow.set_experiment("files")
with mlflow.start_run() as run:
    began = time.perf_counter()
    mlflow.log_artifacts(folder, "many")
    up = time.perf_counter() - began
    began = time.perf_counter()
    target = mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path="many", dst_path=tempfile.mkdtemp())
    down = time.perf_counter() - began
assert sum(len(files) for _, _, files in os.walk(target)) == 1000
print(json.dumps({"client_up": up, "client_down": down}))
""",
}


class Client:
    """Runs a user's script against a server in the Python that has its client."""

    def __init__(self, peer: Peer) -> None:
        if isinstance(peer, AtelierPeer):
            server = peer.server
            self.scripts, self.python = ATELIER, sys.executable
            self.folder = server.home / "client"
            settings = {"ATELIER_URL": server.url, "ATELIER_TOKEN": server.token, "PYTHONPATH": str(ROOT / "sdk")}
        elif isinstance(peer, MlflowPeer):
            self.scripts, self.python = MLFLOW, str(peer.server.python)
            self.folder = peer.server.home / "client"
            settings = {
                "MLFLOW_TRACKING_URI": peer.server.url,
                "MLFLOW_DISABLE_TELEMETRY": "true",
                "GIT_PYTHON_REFRESH": "quiet",
            }
        else:
            raise TypeError(peer)
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "config.json").write_text(json.dumps(CONFIG))
        self.environment = {**os.environ, "XDG_CONFIG_HOME": str(self.folder), **settings}

    def run(self, name: str, **values: object) -> dict[str, float]:
        """The figures that a script prints, and the seconds of its whole process."""
        code = self.scripts[name]
        for key, value in values.items():
            code = code.replace(key, str(value))
        began = time.perf_counter()
        done = subprocess.run(
            [self.python, "-c", code],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = time.perf_counter() - began
        if done.returncode:
            raise RuntimeError(f"the script {name!r} failed: {done.stderr[-800:]}")
        lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
        return {**(json.loads(lines[-1]) if lines else {}), "process": seconds}


def _bare(client: Client) -> float:
    times = []
    for _ in range(5):
        began = time.perf_counter()
        subprocess.run([client.python, "-c", "pass"], env=client.environment, check=True)
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def measure(peer: Peer, options: Options) -> dict[str, float]:
    """The client's rows; one that fails is said and left empty."""
    client = Client(peer)
    found: dict[str, float] = {}

    def part(name: str, **values: object) -> None:
        try:
            figures = client.run(name, **values)
            figures.pop("process")
            found.update(figures)
        except RuntimeError as error:
            print(f"    {error}", flush=True)

    client.run("import")  # compiled once
    whole = statistics.median(client.run("import")["process"] for _ in range(5))
    found["import"] = whole - _bare(client)
    client.run("noop")
    found["noop"] = statistics.median(client.run("noop")["process"] for _ in range(5))
    part("log", COUNT=100_000 if isinstance(peer, AtelierPeer) else 2_000)
    if "lists" in options.parts:
        part("pandas")
    part("history", RUN=write_curve(peer, options.points), POINTS=options.points)
    part("artifacts")
    return found


def save(folder: Path, name: str, text: str) -> Path:
    """A file of a user's project."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    return folder / name
