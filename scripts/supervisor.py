"""Starts the processes of one server, keeps them up, and stops them all together.

Light on purpose: standard library only, no Django. `make demo`, the tests of a live server and the benchmarks use it.
Each child has a process group of its own, so that Ctrl-C reaches the supervisor alone, which then ends the main
processes in order by their ids: the worker says goodbye to its broker, the web server finishes its requests.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.prefix) / "bin"


class StartError(Exception):
    """A sentence about why the server could not be started."""


@dataclass
class Child:
    """One process to keep up: what to run, where its output goes, and how often it had to be started again."""

    name: str
    command: list[str]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    starts: list[float] = field(default_factory=list)

    def start(self, environment: dict[str, str]) -> None:
        """Start the process with its output appended to the log."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > 20_000_000:
            self.log.replace(self.log.with_suffix(".log.1"))
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self.command,
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.starts.append(time.monotonic())

    @property
    def alive(self) -> bool:
        """True while the process runs."""
        return self.process is not None and self.process.poll() is None

    def tail(self, lines: int = 12) -> str:
        """The end of the log."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def web_command(host: str, port: int, threads: int = 8, processes: int = 1) -> list[str]:
    """Granian with one worker process: threads share the memory, and PostgreSQL or SQLite do the waiting. With two, as in
    the image, what one is busy with does not hold up who asks the other.

    Respawning is left to Granian, which notices a failed worker at once.
    """
    return [
        *(str(BIN / "granian"), "--interface", "wsgi", "--host", host, "--port", str(port)),
        *(
            "--workers",
            str(processes),
            "--blocking-threads",
            str(threads),
            "--backlog",
            "1024",
            "--backpressure",
            "512",
        ),
        *(
            "--no-ws",
            "--http",
            "1",
            "--respawn-failed-workers",
            "--workers-kill-timeout",
            "10",
            "--log-level",
            "warning",
        ),
        "studio.wsgi:application",
    ]


def worker_command(threads: int = 8, *, with_beat: bool = False) -> list[str]:
    """A Celery worker with threads; `with_beat` runs the beat in it too (the shape of one machine)."""
    # Django's checks load every page, which a worker never shows: half a second and 25 MB. `manage.py check` makes them.
    command = f"-A studio.celery --skip-checks worker -P threads -c {threads} --loglevel INFO --without-gossip --without-mingle"
    return [str(BIN / "celery"), *command.split(), *["--with-beat"] * with_beat]


def refuse_taken_port(host: str, port: int) -> None:
    """Raise StartError when another program listens on the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise StartError(
                f"Port {port} cannot be used ({error.strerror}): another program has it. "
                f"Name a free one with ATELIER_PORT, for example: make demo ATELIER_PORT={port + 1}"
            ) from error


def free_port() -> int:
    """A port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(url: str) -> bool:
    """True when the server answers at all, with whatever status below 500."""
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return bool(response.status < 500)
    except urllib.error.HTTPError as error:
        return error.code < 500
    except OSError:
        return False


class Supervisor:
    """Keeps children up until stopped."""

    def __init__(self, environment: dict[str, str], logs: Path) -> None:
        self.environment = environment
        self.logs = logs
        self.children: list[Child] = []

    def add(self, name: str, command: list[str]) -> Child:
        """Start one more process."""
        child = Child(name, command, self.logs / f"{name}.log")
        child.start(self.environment)
        self.children.append(child)
        return child

    def wait_until_answering(self, url: str, seconds: float = 60) -> None:
        """Return when the web server answers; StartError when a process ends first or the time is over."""
        deadline = time.monotonic() + seconds
        while not answers(url):
            for child in self.children:
                if not child.alive:
                    raise StartError(f"The {child.name} process ended at once. The end of {child.log}:\n{child.tail()}")
            if time.monotonic() > deadline:
                raise StartError(f"The server did not answer at {url} within {seconds:.0f} s; see {self.logs}.")
            time.sleep(0.02)

    def revive(self) -> list[str]:
        """Start again what has ended; the names. StartError for a process that keeps on ending."""
        revived = []
        for child in self.children:
            if child.alive:
                continue
            recent = [moment for moment in child.starts if time.monotonic() - moment < 60]
            if len(recent) >= 5:
                raise StartError(
                    f"The {child.name} process ended five times in a minute. The end of {child.log}:\n{child.tail()}"
                )
            child.start(self.environment)
            revived.append(child.name)
        return revived

    def stop(self, seconds: float = 15) -> None:
        """End the processes by their ids, the worker before the web server it reports to; kill what stays."""
        for child in reversed(self.children):
            if child.alive and child.process:
                child.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + seconds
        for child in reversed(self.children):
            if child.process is None:
                continue
            try:
                child.process.wait(max(deadline - time.monotonic(), 0.1))
            except subprocess.TimeoutExpired:
                # Its own group: what it forked (a Granian worker) goes with it. Jobs have their own groups.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child.process.pid, signal.SIGKILL)
                child.process.wait()
