"""A live server for tests that need one: web and worker as processes of their own, on data of their own.

`stack` is one for the whole session. Give such tests `@pytest.mark.xdist_group("stack")`, so that the test processes
start it once, not for every file. On SQLite it has the shape of a laptop (a folder
as broker); on PostgreSQL with a Redis server that of a team.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

import pytest

from scripts.bridge import gateway
from scripts.supervisor import Child, Supervisor, free_port, web_command, worker_command

ROOT = Path(__file__).resolve().parent.parent
WORKSPACE = "lab"
CONFIG = {"subscription_id": "s-0001", "resource_group": "tests", "workspace_name": WORKSPACE}
T = TypeVar("T")


def wait_for(look: Callable[[], T], seconds: float, what: str) -> T:
    """The first true answer of `look`; AssertionError with the sentence after the time."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.05)
    return found


class Stack:
    """One server: its address, an owner's token, and the means to break it."""

    def __init__(self, home: Path, environment: dict[str, str], port: int, reached_at: str = "") -> None:
        self.home = home
        self.reached_at = reached_at
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.workspace = WORKSPACE
        self.environment = environment
        self.supervisor = Supervisor(environment, home / "logs")
        self.token = ""
        self.password = ""

    def start(self) -> None:
        """Prepare the data, start the processes, return when the server answers."""
        answer = self.prepare() if self.environment["DATABASE_URL"] else _prepared_once(self.environment, self.home)
        self.token, self.password = answer["token"], answer["admin_password"]
        self.supervisor.add("web", web_command("127.0.0.1", self.port, threads=4))
        self.supervisor.add("worker", worker_command(threads=4, with_beat=True))
        if bridge := self.reached_at or gateway():
            self.supervisor.add("bridge", [sys.executable, "scripts/bridge.py", bridge, str(self.port)])
        self.supervisor.wait_until_answering(f"{self.url}/health")

    def prepare(self) -> dict[str, Any]:
        """What `manage.py prepare` says."""
        ready = self.manage(
            *("prepare", "--json", "--admin", "olga", "--token", "tests", "--workspace", WORKSPACE),
            *("--subscription-id", CONFIG["subscription_id"], "--resource-group", CONFIG["resource_group"]),
        )
        return dict(json.loads(ready.splitlines()[-1]))

    def manage(self, *arguments: str) -> str:
        """Run a management command on this server's data; its output."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def person(self, name: str, role: str = "", workspace: str = WORKSPACE) -> str:
        """A new person, with a role in the workspace when one is given; a token of theirs."""
        code = (
            "from django.contrib.auth.models import User; from studio.workspace import members, tokens;"
            "from studio.workspace.models import Workspace;"
            f"person = User.objects.create_user({name!r});"
            + (
                f"members.add(Workspace.objects.get(name={workspace!r}), {name!r}, members.role({role!r}));"
                if role
                else ""
            )
            + "print(tokens.make(person, 'tests')[1])"
        )
        return self.manage("shell", "--no-imports", "-c", code).splitlines()[-1]

    def user_environment(self, token: str = "", **more: str) -> dict[str, str]:
        """The environment in which a user's script finds this server."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AZUREML_", "ATELIER_", "DJANGO_"))
        }
        found = [str(ROOT / "sdk"), *filter(None, [os.environ.get("PYTHONPATH")])]
        return {
            **kept,
            "PYTHONPATH": os.pathsep.join(found),
            "ATELIER_URL": self.url,
            "ATELIER_TOKEN": token or self.token,
            "XDG_CONFIG_HOME": str(self.home / "config"),
            "MPLBACKEND": "Agg",
            **more,
        }

    def run_script(
        self, script: Path, *arguments: str, folder: Path, seconds: float = 240, **more: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a user's script in `folder`, where a config.json names the workspace."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(json.dumps(CONFIG))
        return subprocess.run(
            [sys.executable, str(script), *arguments],
            cwd=folder,
            env=self.user_environment(**more),
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    def child(self, name: str) -> Child:
        """The process called web, worker or bridge."""
        return next(child for child in self.supervisor.children if child.name == name)

    def kill(self, name: str) -> None:
        """kill -9 of a process and of what it has forked, as a machine that goes down would."""
        process = self._ending(name)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop(self, name: str) -> None:
        """End one process in peace."""
        process = self._ending(name)
        process.terminate()
        process.wait(30)

    def _ending(self, name: str) -> subprocess.Popen[bytes]:
        """The process that the test is about to end: not one that keeps on ending by itself."""
        child = self.child(name)
        child.starts.clear()
        assert child.process
        return child.process

    def revive(self) -> None:
        """Start again what was killed or stopped, and wait until the server answers."""
        self.supervisor.revive()
        self.supervisor.wait_until_answering(f"{self.url}/health")

    def log(self, name: str) -> str:
        """What a process has written, for the message of an assertion."""
        return self.child(name).tail(60)


_prepared: dict[str, tuple[Path, dict[str, Any]]] = {}


def _prepared_once(environment: dict[str, str], home: Path) -> dict[str, Any]:
    """Prepare an SQLite home by copying one that is: migrating takes longer than starting the server."""
    if not _prepared:
        first = Path(tempfile.mkdtemp(prefix="atelier-stack-"))
        atexit.register(shutil.rmtree, first, ignore_errors=True)
        _prepared["home"] = first, Stack(first, {**environment, "ATELIER_HOME": str(first)}, 0).prepare()
    first, answer = _prepared["home"]
    shutil.copytree(first, home, dirs_exist_ok=True)
    return answer


def _database(name: str) -> tuple[str, Callable[[], None]]:
    """The URL of an empty database of the session's kind, and how to drop it."""
    server = os.environ.get("ATELIER_TEST_DATABASE_URL", "")
    if not server.startswith("postgres"):
        return "", lambda: None
    import psycopg

    def execute(statement: str) -> None:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(statement)  # type: ignore[call-overload]  # the name is ours

    execute(f"CREATE DATABASE {name}")
    url = urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
    return url, lambda: execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def _broker() -> str:
    """A Redis database that no other test session has, when there is a server and the session is on PostgreSQL."""
    server = os.environ.get("TEST_REDIS_URL", "")
    if not server or not os.environ.get("ATELIER_TEST_DATABASE_URL", "").startswith("postgres"):
        return ""
    import redis

    for number in range(1, 16):
        url = urlunsplit(urlsplit(server)._replace(path=f"/{number}"))
        with redis.Redis.from_url(url) as client:
            if client.set("tests-have-this", os.getpid(), nx=True, ex=3600):
                return url
    raise AssertionError("all 15 databases of the Redis server are in use by test sessions")


def _release(url: str) -> None:
    if url:
        import redis

        with redis.Redis.from_url(url) as client:
            client.flushdb()


@contextlib.contextmanager
def running_stack(*, home: Path | None = None, reached_at: str = "", **more: str) -> Iterator[Stack]:
    """A server for as long as the block lasts, with further settings by name, on a folder of its own or the one given.

    `reached_at`: this machine's address by which containers of other hosts reach it; none: the local engine's gateway.
    """
    home = home or Path(tempfile.mkdtemp(prefix="atelier-stack-"))
    url, drop = _database(f"stack_{os.getpid()}_{secrets.token_hex(3)}")
    broker = _broker()
    port = free_port()
    environment = {
        **os.environ,
        "ATELIER_HOME": str(home),
        "DATABASE_URL": url,
        "REDIS_URL": broker,
        "ATELIER_SERVER_URL": f"http://127.0.0.1:{port}",
        "PYTHONPATH": str(ROOT / "sdk"),
        "PYTHONUNBUFFERED": "1",
        **({"SERVER_URL_FOR_CONTAINERS": f"http://{reached_at}:{port}"} if reached_at else {}),
        **more,
    }
    stack = Stack(home, environment, port, reached_at)
    try:
        stack.start()
        yield stack
    finally:
        stack.supervisor.stop()
        drop()
        _release(broker)
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """The session's live server."""
    with running_stack() as running:
        yield running


def answer_of(done: subprocess.CompletedProcess[Any]) -> str:
    """All that a script said, for the message of an assertion."""
    return f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
