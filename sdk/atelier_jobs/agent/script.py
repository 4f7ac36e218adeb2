"""The user's process: its command, its environment, its end. It writes to the log file itself, so that no line is
lost in a pipe when the agent is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from atelier import journal
from atelier.errors import UserError
from atelier_jobs.agent.job import PREFIX, Job, Place


def command_of(job: Job, where: Place) -> list[str]:
    """What to execute. Raises UserError when the script is not in the snapshot."""
    if isinstance(job.command, str):
        return ["/bin/sh", "-c", job.command]
    if job.command:
        return list(job.command)
    script = (where.work / job.script).resolve()
    if not script.is_relative_to(where.work.resolve()) or not script.is_file():
        raise UserError(f"There is no script {job.script!r} in the snapshot.")
    return [where.python, "-u", job.script, *job.arguments]


def environment_of(job: Job, where: Place, token: str) -> dict[str, str]:
    """The script's variables: the agent's own without its settings, then the run's, then who it is."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    variables.pop("PYTHONPATH", None)
    folder = str(Path(where.python).parent)
    if Path(where.python).is_absolute():
        # A command such as `python train.py` means the environment's Python; a virtual one says so as well.
        variables["PATH"] = folder + os.pathsep + variables.get("PATH", os.defpath)
        if (Path(folder).parent / "pyvenv.cfg").exists():
            variables["VIRTUAL_ENV"] = str(Path(folder).parent)
    if where.python_path:
        variables["PYTHONPATH"] = where.python_path
    # Programs that the script starts are Python too; their lines must not wait in a buffer.
    variables["PYTHONUNBUFFERED"] = "1"
    variables.update(job.env)
    variables.update(
        {
            "AZUREML_RUN_ID": where.run_id,
            "AZUREML_RUN_TOKEN": token,
            "ATELIER_SPOOL_DIR": str(where.spool),
            # The agent reads the journal when the script has ended: a kill loses no point.
            journal.SWITCH: "1",
            "PWD": str(where.work),
        }
    )
    return variables


class Script:
    """A running process and its session. `stop` is safe from a signal handler and may come before the start."""

    def __init__(self, grace_seconds: float) -> None:
        self._grace = grace_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self.stop_asked = False

    @property
    def pid(self) -> int | None:
        """The process's number, once it has started."""
        return self._process.pid if self._process else None

    def run(self, command: list[str], cwd: Path, env: Mapping[str, str], log: Path) -> int:
        """Runs to the end; returns the exit code, or minus the signal's number. Ends what it left running."""
        if self.stop_asked:
            return -signal.SIGTERM
        with log.open("ab") as out:
            try:
                self._process = subprocess.Popen(
                    command, cwd=cwd, env=dict(env), stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                    start_new_session=True,
                )  # fmt: skip
            except OSError as error:
                out.write(f"{command[0]}: {error.strerror or error}\n".encode())
                return 126 if isinstance(error, PermissionError) else 127
        if self.stop_asked:  # asked between the check and the start
            self.stop()
        code = self._process.wait()
        self._signal_all(signal.SIGKILL)
        return code

    def stop(self) -> None:
        """SIGTERM to the script and all it started in its session; SIGKILL after the grace."""
        self.stop_asked = True
        if self._process is None:
            return
        self._signal_all(signal.SIGTERM)
        timer = threading.Timer(self._grace, self._signal_all, [signal.SIGKILL])
        timer.daemon = True
        timer.start()

    def _signal_all(self, number: int) -> None:
        if self._process is None:
            return
        try:
            os.killpg(self._process.pid, number)
        except (ProcessLookupError, PermissionError):
            return  # the group has ended


def version_line() -> str:
    """What the execution log says of the interpreter that carries the agent."""
    return f"Python {sys.version.split()[0]} ({sys.executable})"
