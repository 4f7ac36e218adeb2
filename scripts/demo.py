"""`make demo`: the whole of Atelier on this machine, and one real experiment through it.

Starts the web server and a worker (with the beat in it) on ATELIER_PORT (8000), submits demo/submit.py exactly as a
user would, prints where to look, and stays up until Ctrl-C. ONCE=1 ends after the run: 0 when it has Completed.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from scripts.bridge import gateway  # noqa: E402
from scripts.supervisor import StartError, Supervisor, refuse_taken_port, web_command, worker_command  # noqa: E402

HOME = Path(os.environ.get("ATELIER_HOME") or ROOT / "var").resolve()
NEEDED_BYTES = 300_000_000


def say(text: str = "") -> None:
    """One line for the person who watches."""
    print(text, flush=True)


def interrupt(signum: int, frame: object) -> None:
    """SIGTERM ends the demo as Ctrl-C does."""
    raise KeyboardInterrupt


def check_disk() -> None:
    """Refuse to start on a full disk: SQLite would fail in the middle of the run."""
    HOME.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(HOME).free
    if free < NEEDED_BYTES:
        raise StartError(
            f"The disk that holds {HOME} is full ({free / 1e6:.0f} MB free, the demo needs "
            f"{NEEDED_BYTES / 1e6:.0f} MB). Make room, or name another folder with ATELIER_HOME."
        )


def only_one() -> IO[str]:
    """Hold the lock of this data for as long as the process lives."""
    lock = (HOME / "demo.lock").open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.seek(0)
        raise StartError(
            f"Atelier already runs on {HOME} (process {lock.read().strip() or 'unknown'}). "
            "Stop it first, or name another folder with ATELIER_HOME and another port with ATELIER_PORT."
        ) from error
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


def port_wanted() -> int:
    """ATELIER_PORT as a number."""
    text = os.environ.get("ATELIER_PORT") or "8000"
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise StartError(f"ATELIER_PORT is {text!r}; it must be a number from 1 to 65535.")
    return int(text)


def prepare(environment: dict[str, str], config: dict[str, str]) -> dict[str, str]:
    """Migrate, collect static files, make the administrator and the workspace; what the command answers."""
    done = subprocess.run(
        [
            *(sys.executable, "manage.py", "prepare", "--json", "--token", "demo"),
            *("--workspace", config["workspace_name"], "--subscription-id", config["subscription_id"]),
            *("--resource-group", config["resource_group"]),
        ],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        if os.strerror(errno.ENOSPC) in done.stderr or "disk is full" in done.stderr:
            raise StartError(
                f"The disk that holds {HOME} is full. Make room, or name another folder with ATELIER_HOME."
            )
        raise StartError(f"The database could not be prepared:\n{done.stderr.strip()[-1500:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def run_experiment(url: str, token: str) -> int:
    """Submit the demo as its own process, as a user's shell would; its exit status."""
    environment = {**os.environ, "ATELIER_URL": url, "ATELIER_TOKEN": token}
    with subprocess.Popen([sys.executable, "submit.py"], cwd=ROOT / "demo", env=environment) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.terminate()
            raise


def serve(port: int) -> int:
    """Start everything, run the experiment, stay up; the exit status."""
    started = time.monotonic()
    url = f"http://127.0.0.1:{port}"
    environment = {
        **os.environ,
        "ATELIER_HOME": str(HOME),
        "ATELIER_SERVER_URL": os.environ.get("ATELIER_SERVER_URL") or url,
        "PYTHONUNBUFFERED": "1",
    }
    say("Preparing the database and the static files")
    config = json.loads((ROOT / "demo" / "config.json").read_text())
    ready = prepare(environment, config)
    supervisor = Supervisor(environment, HOME / "logs")
    try:
        say("Starting the web server and the worker")
        supervisor.add("web", web_command(os.environ.get("ATELIER_HOST") or "127.0.0.1", port))
        if bridge := gateway():
            supervisor.add("bridge", [sys.executable, "scripts/bridge.py", bridge, str(port)])
        supervisor.add("worker", worker_command(with_beat=True))
        supervisor.wait_until_answering(f"{url}/health")
        say(f"Atelier answers at {url} after {time.monotonic() - started:.1f} s (logs: {HOME / 'logs'})")
        if ready["admin_password"]:
            say(f"\n  Sign in as {ready['admin']} with the password {ready['admin_password']} (shown this once)\n")
        status = run_experiment(url, ready["token"])
        if os.environ.get("ONCE"):
            return status
        say(f"\n  {url}/w/{config['workspace_name']}/   the workspace")
        say(f"  {url}/admin/   the administration")
        say("  Ctrl-C stops everything; `make demo` goes on with the same data.\n")
        while True:
            time.sleep(1)
            for name in supervisor.revive():
                say(f"The {name} process had ended and was started again; see {HOME / 'logs' / name}.log")
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not leave processes behind
        say("Stopping")
        supervisor.stop()


def main() -> int:
    """The exit status: 0 also when a person has stopped it."""
    signal.signal(signal.SIGTERM, interrupt)
    try:
        check_disk()
        lock = only_one()
        port = port_wanted()
        refuse_taken_port("127.0.0.1", port)
        with lock:
            return serve(port)
    except StartError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130 if os.environ.get("ONCE") else 0


if __name__ == "__main__":
    sys.exit(main())
