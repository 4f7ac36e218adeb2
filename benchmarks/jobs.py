"""From submit to the first line of user code and to the end: as a process, in a container, beside a bare `docker run`."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import time

from benchmarks.clients import Client, save
from benchmarks.peers import AtelierPeer, MlflowPeer, Peer
from benchmarks.rows import Options
from scripts.bridge import gateway
from scripts.supervisor import BIN, ROOT

SCRIPT = "import time\nprint('first line', time.time(), flush=True)\n"
SUBMIT = """
import json, sys, time
from azureml.core import Environment, Experiment, ScriptRunConfig, Workspace
ws = Workspace.from_config()
environment = Environment("trivial")
environment.python.user_managed_dependencies = True
if "TARGET" == "local":
    environment.python.interpreter_path = sys.executable
else:
    environment.docker.base_image = "IMAGE"
config = ScriptRunConfig("project", script="first.py", environment=environment, compute_target="TARGET")
began = time.time()
run = Experiment(ws, "trivial").submit(config)
while run.get_status() not in ("Completed", "Failed", "Canceled"):
    time.sleep(0.01)
ended = time.time()
assert run.get_status() == "Completed", run.get_details()
log = "".join(open(run.download_file(name, "log.txt") or "log.txt").read() for name in run.get_file_names() if "70_driver" in name)
line = next(line for line in log.splitlines() if "first line" in line)
print(json.dumps({"submit": ended - began, "line": float(line.split()[-1]) - began}))
"""
PROJECT = "name: trivial\nentry_points:\n  main:\n    command: python first.py\n"


def _atelier(peer: AtelierPeer, repeats: int) -> dict[str, float]:
    client = Client(peer)
    client.scripts = {**client.scripts, "submit": SUBMIT}
    save(client.folder / "project", "first.py", SCRIPT)
    image = os.environ.get("ATELIER_BASE_IMAGE", "")
    found: dict[str, float] = {}
    targets = [("process", "local")]
    bridge = gateway()
    if image and bridge and peer.server.supervisor:
        peer.server.supervisor.add(
            "bridge", [str(BIN / "python"), str(ROOT / "scripts" / "bridge.py"), bridge, str(peer.server.port)]
        )
        body = {"name": "bench", "type": "AmlCompute", "vm_size": "STANDARD_D1_V2", "min_nodes": 1, "max_nodes": 1}
        peer.connect().json("POST", f"/api/v1/workspaces/{peer.server.workspace}/computes", body)
        targets.append(("docker", "bench"))
    for kind, target in targets:
        client.run("submit", TARGET=target, IMAGE=image)  # the environment is found or built
        figures = [client.run("submit", TARGET=target, IMAGE=image) for _ in range(repeats)]
        found[f"submit_{kind}"] = statistics.median(f["process"] for f in figures)
        found[f"line_{kind}"] = statistics.median(f["line"] for f in figures)
    if image and bridge:
        command = ["docker", "run", "--rm", image, "python3", "-c", "pass"]
        times = []
        for _ in range(repeats + 2):
            began = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            times.append(time.perf_counter() - began)
        found["docker_run"] = statistics.median(times)
    return found


def _mlflow(peer: MlflowPeer, repeats: int) -> dict[str, float]:
    client = Client(peer)
    save(client.folder / "project", "first.py", SCRIPT)
    save(client.folder / "project", "MLproject", PROJECT)
    command = [
        str(peer.server.python.parent / "mlflow"),
        "run",
        "project",
        "--env-manager",
        "local",
        "--experiment-name",
        "trivial",
    ]
    path = os.pathsep.join([str(peer.server.python.parent), os.environ["PATH"]])
    times = []
    for _ in range(repeats + 1):
        began = time.perf_counter()
        subprocess.run(
            command, cwd=client.folder, env={**client.environment, "PATH": path}, check=True, capture_output=True
        )
        times.append(time.perf_counter() - began)
    return {"submit_process": statistics.median(times[1:])}


def measure(peer: Peer, options: Options) -> dict[str, float]:
    """The rows of jobs."""
    repeats = max(options.repeats, 3)
    if isinstance(peer, AtelierPeer):
        return _atelier(peer, repeats)
    if isinstance(peer, MlflowPeer) and shutil.which("git"):
        return _mlflow(peer, repeats)
    return {}
