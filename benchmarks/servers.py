"""Starts and stops the two servers and one PostgreSQL cluster for both, all under var/bench."""

from __future__ import annotations

import json
import os
import pwd
import secrets
import shutil
import subprocess
import sys
import time
from pathlib import Path

from scripts.supervisor import BIN, ROOT, StartError, Supervisor, free_port, web_command, worker_command

BENCH = ROOT / "var" / "bench"
# The servers' data, a folder for each run of the benchmark. Nothing is deleted before the last measurement: for five minutes
# after a deletion, ext4 takes up to ten times as long to make a file beside what is gone.
HOMES = BENCH / "homes" / f"{time.time():.0f}"


def forget_earlier() -> None:
    """Delete the data of earlier runs; this one's stays, with the servers' logs."""
    for home in HOMES.parent.glob("*"):
        if home != HOMES:
            shutil.rmtree(home, ignore_errors=True)


def pss_of_tree(roots: list[int]) -> tuple[float, int]:
    """Memory of these processes and their descendants in MB, shared pages counted by share, and how many they are."""
    import psutil

    processes = {
        p.pid: p for root in roots for p in [psutil.Process(root), *psutil.Process(root).children(recursive=True)]
    }
    return sum(p.memory_full_info().pss for p in processes.values()) / 1e6, len(processes)


class Postgres:
    """A cluster with PostgreSQL's own defaults, for both servers alike; only the shared buffers are raised."""

    def __init__(self) -> None:
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
        if not found:
            raise StartError("PostgreSQL is not installed; `make services` installs it, or leave its servers out.")
        self.bin = found[-1].parent
        # Its own user must reach the folder: not below a private home.
        self.folder = Path(f"/var/tmp/atelier-bench-{os.getpid()}") if os.getuid() == 0 else BENCH / "postgres"
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def _options(self) -> dict:
        if os.getuid():
            return {}
        user = pwd.getpwnam("postgres")
        return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": [], "cwd": "/"}

    def start(self) -> None:
        """Make the cluster and wait until it answers."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True, mode=0o700)
        options = self._options()
        if options:
            os.chown(self.folder, options["user"], options["group"])
        data = self.folder / "data"
        subprocess.run(
            [self.bin / "initdb", "-D", data, "-U", "bench", "-A", "trust", "-E", "UTF8", "--no-sync"],
            check=True,
            stdout=subprocess.DEVNULL,
            **options,
        )
        self.process = subprocess.Popen(
            [
                *(self.bin / "postgres", "-D", data, "-p", str(self.port), "-k", self.folder),
                *("-c", "listen_addresses=127.0.0.1", "-c", "shared_buffers=512MB", "-c", "max_connections=200"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            **options,
        )
        deadline = time.monotonic() + 30
        while subprocess.run([self.bin / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]).returncode:
            if time.monotonic() > deadline:
                raise StartError("PostgreSQL did not start for the benchmark.")
            time.sleep(0.05)

    def database(self, name: str) -> str:
        """A new database; its URL."""
        import psycopg

        with psycopg.connect(f"postgresql://bench@127.0.0.1:{self.port}/postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")  # type: ignore[call-overload]
        return f"postgresql://bench@127.0.0.1:{self.port}/{name}"

    def analyse(self, url: str) -> None:
        """Statistics after a bulk load, as autovacuum would gather them a minute later."""
        import psycopg

        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")

    def stop(self) -> None:
        """End it and remove its data."""
        if self.process:
            self.process.send_signal(2)
            self.process.wait(30)
        shutil.rmtree(self.folder, ignore_errors=True)


class Atelier:
    """This server: web, worker and beat. On SQLite one web process, as `make demo` starts it; on PostgreSQL two, as the image."""

    name = "Atelier"

    def __init__(self, database: str, label: str) -> None:
        self.database = database
        self.label = label
        self.home = HOMES / f"atelier-{label.lower()}"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.token = ""
        self.workspace = "bench"
        self.started_in = 0.0
        self.environment: dict[str, str] = {}
        self.supervisor: Supervisor | None = None

    def start(self) -> None:
        """Prepare the data and start; `started_in` is the seconds from starting the web server to its first answer."""
        self.home.mkdir(parents=True)
        self.environment = {
            **os.environ,
            "ATELIER_HOME": str(self.home),
            "DATABASE_URL": self.database,
            "REDIS_URL": "",
            "ATELIER_SERVER_URL": self.url,
            "SECRET_KEY": secrets.token_hex(20),
            "PYTHONPATH": str(ROOT / "sdk"),
        }
        command = [sys.executable, "manage.py", "prepare", "--json", "--token", "bench", "--workspace", self.workspace]
        done = subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise StartError(done.stderr[-2000:])
        self.token = json.loads(done.stdout.splitlines()[-1])["token"]
        self.supervisor = Supervisor(self.environment, self.home / "logs")
        began = time.perf_counter()
        self.supervisor.add("web", web_command("127.0.0.1", self.port, processes=2 if self.database else 1))
        self.supervisor.wait_until_answering(f"{self.url}/health")
        self.started_in = time.perf_counter() - began
        self.supervisor.add("worker", worker_command(with_beat=True))

    def memory(self) -> tuple[float, int]:
        """MB and processes of web, worker and beat, once the worker is ready."""
        assert self.supervisor
        worker = self.supervisor.children[-1]
        deadline = time.monotonic() + 60
        while " ready." not in worker.tail(200) and time.monotonic() < deadline:
            time.sleep(0.2)
        time.sleep(4)  # a beat or two have passed: what they import is counted
        return pss_of_tree([child.process.pid for child in self.supervisor.children if child.process])

    def stop(self) -> None:
        """End it."""
        if self.supervisor:
            self.supervisor.stop()


class Mlflow:
    """The peer: its tracking server with two workers. TCP_NODELAY is set for it: without, each small request stalls
    40 ms, and the comparison would be with a socket option."""

    name = "MLflow"
    python = BENCH / "mlflow" / "bin" / "python"

    def __init__(self, database: str, label: str) -> None:
        self.label = label
        self.home = HOMES / f"mlflow-{label.lower()}"
        self.database = database or f"sqlite:///{self.home / 'mlflow.db'}"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.started_in = 0.0
        self.process: subprocess.Popen[bytes] | None = None

    @classmethod
    def install(cls) -> str:
        """Install it into an environment of its own; why it cannot be had, or nothing."""
        if not cls.python.exists():
            print("Installing MLflow into var/bench/mlflow (once)", flush=True)
            uv = str(BIN / "uv")
            requirements = ROOT / "benchmarks" / "requirements-mlflow.txt"
            for command in (
                [uv, "venv", "-q", "--python", sys.executable, str(BENCH / "mlflow")],
                [uv, "pip", "install", "-q", "--python", str(cls.python), "-r", str(requirements)],
            ):
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                if done.returncode:
                    shutil.rmtree(BENCH / "mlflow", ignore_errors=True)
                    return f"MLflow could not be installed: {done.stderr.strip().splitlines()[-1]}"
        return ""

    def start(self) -> None:
        """Start it; `started_in` as above, its schema made beforehand."""
        self.home.mkdir(parents=True)
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
            "PYTHONPATH": str(ROOT / "benchmarks" / "nodelay"),
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "DO_NOT_TRACK": "true",
        }
        mlflow = str(self.python.parent / "mlflow")
        schema = (
            "import sys; from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore;"
            "SqlAlchemyStore(sys.argv[1], sys.argv[2])"
        )
        made = subprocess.run(
            [self.python, "-c", schema, self.database, str(self.home / "artifacts")],
            env=environment,
            check=False,
            capture_output=True,
            text=True,
        )
        if made.returncode:
            raise StartError(f"MLflow's database could not be made: {made.stderr[-800:]}")
        command = [
            *(mlflow, "server", "--backend-store-uri", self.database, "--port", str(self.port), "--workers", "2"),
            *("--artifacts-destination", str(self.home / "artifacts"), "--host", "127.0.0.1"),
        ]
        began = time.perf_counter()
        with (self.home / "server.log").open("wb") as log:
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
        from scripts.supervisor import answers

        while not answers(f"{self.url}/health"):
            if self.process.poll() is not None or time.perf_counter() - began > 120:
                raise StartError(f"MLflow did not start; see {self.home / 'server.log'}")
            time.sleep(0.02)
        self.started_in = time.perf_counter() - began

    def memory(self) -> tuple[float, int]:
        """MB and processes."""
        assert self.process
        return pss_of_tree([self.process.pid])

    def stop(self) -> None:
        """End it with its workers."""
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, 15)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, 9)
                self.process.wait()
