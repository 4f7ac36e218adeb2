"""Launchers as real processes on this machine: several nodes by loopback addresses, as containers are by names."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from atelier_jobs.ranks import start

TELL = "import os, json; print(json.dumps({k: v for k, v in os.environ.items() if k in (%r)}), flush=True)"
RANK = "RANK", "LOCAL_RANK", "NODE_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "TF_CONFIG"
MPI_RANK = "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK", "AZ_BATCH_MASTER_NODE"


class Job:
    """The nodes of one job: a launcher process and a folder each."""

    def __init__(self, folder: Path, told: dict, program: str, hosts: list[str] | None = None, path: str = "") -> None:
        self.folder, self.nodes = folder, []
        port = _free_port()
        for task in range(len(hosts or [""])):
            home = folder / str(task)
            (home / "work").mkdir(parents=True)
            command = start.launcher_command(told, task, home, home / "work", [sys.executable, "-c", program])
            plan = json.loads((home / "launch.json").read_text())
            plan["port"] = port
            if hosts:
                plan["layout"]["hosts"] = hosts
            (home / "launch.json").write_text(json.dumps(plan))
            environment = {**os.environ, "AZUREML_RUN_TOKEN": "secret", "PATH": path or os.environ["PATH"]}
            self.nodes.append((command, environment, home))
        self.processes: list[subprocess.Popen] = []

    def start(self, *tasks: int) -> None:
        for task in tasks or range(len(self.nodes)):
            command, environment, home = self.nodes[task]
            out = (home / "launcher.log").open("wb")
            self.processes.append(subprocess.Popen(command, env=environment, stdout=out, stderr=out))

    def codes(self, seconds: float = 30) -> list[int]:
        deadline = time.monotonic() + seconds
        return [p.wait(max(0.1, deadline - time.monotonic())) for p in self.processes]

    def log(self, rank: int) -> str:
        return next(self.folder.glob(f"*/azureml-logs/70_driver_log_{rank}.txt")).read_text()

    def told(self, rank: int) -> dict:
        return json.loads(self.log(rank).splitlines()[-1])

    def note(self, rank: int) -> dict:
        return json.loads(next(self.folder.glob(f"*/ranks/{rank}.json")).read_text())

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.fixture
def job(tmp_path):
    made: list[Job] = []

    def make(told, program, **more):
        made.append(Job(tmp_path / str(len(made)), told, program, **more))
        return made[-1]

    yield make
    for one in made:
        one.close()


def wait_for(condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "what was waited for did not come"
        time.sleep(0.02)


def test_ranks_on_one_machine_get_logs_and_ends_of_their_own(job):
    one = job({"kind": "pytorch", "nodes": 2, "processes_per_node": 2}, TELL % (RANK,))
    one.start()
    assert one.codes() == [0]
    assert [one.told(r)["RANK"] for r in range(4)] == ["0", "1", "2", "3"]
    assert one.told(3)["NODE_RANK"] == "1"
    assert len({one.told(r)["MASTER_PORT"] for r in range(4)}) == 1
    assert one.note(3)["returncode"] == 0


def test_a_failing_rank_ends_the_others(job):
    program = "import os, time\nif os.environ['RANK'] == '1': raise RuntimeError('rank 1 gives up')\ntime.sleep(300)"
    one = job({"kind": "pytorch", "nodes": 1, "processes_per_node": 3}, program)
    one.start()
    assert one.codes() == [1]
    assert "rank 1 gives up" in one.log(1)
    assert one.note(1)["returncode"] == 1
    assert one.note(0)["returncode"] == -signal.SIGTERM


def test_a_stop_reaches_every_rank(job):
    one = job(
        {"kind": "pytorch", "nodes": 1, "processes_per_node": 2},
        "print('up', flush=True)\nimport time; time.sleep(300)",
    )
    one.start()
    wait_for(lambda: all(list(one.folder.glob(f"*/ranks/{r}.json")) and "pid" in one.note(r) for r in (0, 1)))
    one.processes[0].terminate()
    assert one.codes() == [143]
    assert [one.note(r)["returncode"] for r in (0, 1)] == [-signal.SIGTERM] * 2


def test_parameter_servers_end_when_the_workers_have(job):
    # The workers are through when the parameter server is there: one that was ended before it began tells nothing.
    program = (
        "import json, os, pathlib, time\nup = pathlib.Path('up')\n"
        "if json.loads(os.environ['TF_CONFIG'])['task']['type'] == 'ps': up.touch(); time.sleep(300)\n"
        "while not up.exists(): time.sleep(0.01)"
    )
    one = job({"kind": "tensorflow", "nodes": 3, "workers": 2, "parameter_servers": 1}, program)
    one.start()
    assert one.codes() == [0]
    assert [one.note(r)["returncode"] for r in range(3)] == [0, 0, -signal.SIGTERM]
    assert one.note(2)["role"] == "ps"


def test_without_open_mpi_the_ranks_run_and_say_so(job, tmp_path):
    one = job({"kind": "mpi", "nodes": 1, "processes_per_node": 2}, TELL % (MPI_RANK,), path=str(tmp_path))
    one.start()
    assert one.codes() == [0]
    assert "Open MPI (mpirun) is not in this image" in one.log(1)
    assert one.told(1)["OMPI_COMM_WORLD_RANK"] == "1"


HOSTS = ["127.0.0.1", "127.0.0.2", "127.0.0.3"]


def test_nodes_start_together_or_not_at_all(job):
    one = job({"kind": "pytorch", "nodes": 3, "processes_per_node": 1}, TELL % (RANK,), hosts=HOSTS)
    one.start(0, 2)
    before = time.time()
    one.start(1)
    assert one.codes() == [0, 0, 0]
    assert min(one.note(r)["started_at"] for r in range(3)) >= before
    assert [one.told(r)["NODE_RANK"] for r in range(3)] == ["0", "1", "2"]
    assert one.told(2)["MASTER_ADDR"] == "127.0.0.1"


def test_a_failure_on_one_node_ends_all_nodes(job):
    program = "import os, time\nif os.environ['RANK'] == '2': raise RuntimeError('two')\ntime.sleep(300)"
    one = job({"kind": "pytorch", "nodes": 3, "processes_per_node": 1}, program, hosts=HOSTS)
    one.start()
    assert one.codes() == [1, 0, 1]
    assert one.note(2)["returncode"] == 1
    assert one.note(1)["returncode"] == -signal.SIGTERM


def test_a_node_that_is_killed_ends_the_others(job):
    program = "print('up', flush=True)\nimport time; time.sleep(300)"
    one = job({"kind": "pytorch", "nodes": 3, "processes_per_node": 1}, program, hosts=HOSTS)
    one.start()
    wait_for(lambda: len(list(one.folder.glob("*/azureml-logs/*"))) == 3 and all("up" in one.log(r) for r in range(3)))
    os.kill(one.note(1)["pid"], signal.SIGKILL)
    one.processes[1].kill()
    assert one.codes() == [1, -signal.SIGKILL, 0]
    assert "127.0.0.2 was lost" in (one.folder / "0" / "launcher.log").read_text()


def test_who_does_not_know_the_key_cannot_have_a_node_run_anything(job, tmp_path):
    from atelier_jobs.ranks.wire import Refused, key_of, open_channel

    one = job({"kind": "pytorch", "nodes": 2, "processes_per_node": 1}, "pass", hosts=HOSTS[:2])
    one.start(1)
    port = json.loads((one.folder / "1" / "launch.json").read_text())["port"]

    def call(key):
        channel = open_channel((HOSTS[1], port), key)
        channel.send({"do": "exec", "command": f"touch {tmp_path}/touched"})
        return channel.receive()

    def listening():
        try:
            return call(key_of("secret")) == {"code": 0}
        except ConnectionRefusedError:
            return False

    wait_for(listening)
    (tmp_path / "touched").unlink()
    with pytest.raises((Refused, ConnectionError)):
        call(key_of("guessed"))
    assert not (tmp_path / "touched").exists()


@pytest.mark.mpi
def test_open_mpi_gives_each_process_its_rank(job):
    one = job({"kind": "mpi", "nodes": 2, "processes_per_node": 2}, TELL % (MPI_RANK,))
    one.start()
    assert one.codes() == [0]
    assert [one.told(r)["OMPI_COMM_WORLD_RANK"] for r in range(4)] == ["0", "1", "2", "3"]
    assert one.told(0)["AZ_BATCH_MASTER_NODE"].startswith("127.0.0.1:")


@pytest.mark.mpi
def test_open_mpi_ends_all_when_one_fails(job):
    program = (
        "import os, time\nif os.environ['OMPI_COMM_WORLD_RANK'] == '1': raise RuntimeError('one')\ntime.sleep(300)"
    )
    one = job({"kind": "mpi", "nodes": 1, "processes_per_node": 2}, program)
    one.start()
    assert one.codes() == [1]
    assert one.note(1)["returncode"] == 1
    assert one.note(0)["returncode"] == -signal.SIGTERM
