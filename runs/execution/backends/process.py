"""Jobs as local processes: each in a folder and a session of its own, outliving the worker that started it.

    <home>/jobs/<job>/started   the wrapper's process id, made by the wrapper itself and only once
                     /exited    the agent's exit code, written when it has ended
                     /output    what the agent wrote
                     /token     the run's token, for the agent
                     /work      the script's working folder

The wrapper, not the worker, writes `started` (so a worker killed in mid-start can start again and never twice) and
`exited` (so a worker that was away reads the truth). A process is known again by a variable in its environment, which
its descendants inherit wherever they go: numbers are reused, and children may leave their session.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import psutil
from django.conf import settings

from runs.execution.executor import Job, Look
from studio.errors import Invalid, Unavailable

# Not one of the agent's own settings (ATELIER_JOB_…), which it keeps from the script: this one must be inherited.
MARK = "ATELIER_PROCESS_OF"
# What a job inherits of the worker's environment; all else (database, keys, broker) is the server's own business.
# fmt: off
INHERITED = (
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE",
    "TZ", "TERM", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
    "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "CUDA_HOME", "CUDA_VISIBLE_DEVICES",
    "NVIDIA_VISIBLE_DEVICES",
)
# fmt: on
# `set -C` makes the redirection fail when the file exists: of two wrappers one goes on. The second number is what the
# kernel weighs a process by when memory runs out: a job goes before the server does.
WRAPPER = """
umask 077
set -C
{ echo $$ > started; } 2>/dev/null || exit 0
set +C
echo 500 2>/dev/null > /proc/self/oom_score_adj
umask 022
"$@"
echo $? > exited.part && mv exited.part exited
"""
# A wrapper that was launched and has not written `started` after this never will.
START_SECONDS = 20.0
OUTPUT_BYTES = 256_000


def jobs_folder() -> Path:
    """Where the jobs of this host have their folders."""
    return Path(settings.HOME) / "jobs"


class ProcessExecutor:
    """See runs.execution.executor.Executor."""

    ends_whole = False  # what the script had set free of its session goes on until `clean`

    def start(self, job: Job) -> None:
        """Starts the agent under its wrapper, detached from this worker."""
        folder = self._folder(job)
        place = self._place(job)
        if (place / "started").exists():
            return
        try:
            (folder / "tmp").mkdir(parents=True, exist_ok=True)
            place.mkdir(exist_ok=True)
            _write_private(folder / "token", job.token)
            with (place / "output").open("ab") as output:
                subprocess.Popen(
                    ["/bin/sh", "-c", WRAPPER, "atelier-job", *_command(job)],
                    cwd=place,
                    env=_environment(job, folder),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                    preexec_fn=_limits,
                )
        except OSError as error:
            raise Unavailable(f"The job's process cannot be started in {folder}: {error.strerror or error}.") from error
        deadline = time.monotonic() + START_SECONDS
        while not (place / "started").exists():
            if time.monotonic() > deadline:
                raise Unavailable("The job's process did not come up; is the machine out of processes or memory?")
            time.sleep(0.005)

    def look(self, job: Job) -> Look:
        """Reads what the wrapper wrote; when that is not all, asks the process table."""
        place = self._place(job)
        started = _mtime(place / "started")
        if started is None:
            return Look("absent")
        if (ended := self._ended(place, started)) is not None:
            return ended
        pid = _number(place / "started")
        if pid is None or _alive(pid, job.name):
            return Look("running", started_at=started)
        # It may have ended between the two looks.
        if (ended := self._ended(place, started)) is not None:
            return ended
        rebooted = psutil.boot_time() > started.timestamp() + 1
        error = (
            "The machine was restarted while the job ran."
            if rebooted
            else "The job's process vanished without an exit code: something ended it from outside, with all it had started."
        )
        return Look("exited", started_at=started, error=error)

    def stop(self, job: Job, *, now: bool = False) -> None:
        """SIGTERM to the agent, or SIGKILL to the whole tree."""
        if now:
            _kill_all(job.name)
            return
        pid = _number(self._place(job) / "started")
        if pid is None or not _alive(pid, job.name):
            return
        # The wrapper is a shell that waits; the agent is its child and knows how to end a script.
        for child in _children(pid):
            _signal(child, signal.SIGTERM)

    def clean(self, job: Job) -> None:
        """Ends what still runs and removes the folder."""
        self.clean_folder(self._folder(job))

    def clean_folder(self, folder: Path) -> None:
        """The same for a job of which only the folder is known."""
        for _ in range(3):  # a process that was being killed may write once more
            if not folder.exists():
                return
            for purpose in ("", "-deliver"):
                _kill_all(folder.name + purpose)
            shutil.rmtree(folder, ignore_errors=True)

    def output(self, job: Job) -> bytes:
        """The end of the agent's own output."""
        try:
            with (self._place(job) / "output").open("rb") as file:
                size = file.seek(0, 2)
                file.seek(max(0, size - OUTPUT_BYTES))
                return file.read()
        except FileNotFoundError:
            return b""

    def _folder(self, job: Job) -> Path:
        """What a job's purposes share."""
        root = jobs_folder()
        folder = root / job.folder_name
        if folder.parent != root or job.folder_name in ("", ".", ".."):
            raise Invalid(f"{job.run_id!r} can't name a folder.")
        return folder

    def _place(self, job: Job) -> Path:
        """Where one purpose keeps what its wrapper writes."""
        return self._folder(job) / f".{job.purpose}"

    @staticmethod
    def _ended(place: Path, started: datetime) -> Look | None:
        code = _number(place / "exited")
        if code is None:
            return None
        name = signal.Signals(code - 128).name if 128 < code < 160 else ""
        return Look("exited", exit_code=code, signal=name, started_at=started, finished_at=_mtime(place / "exited"))


def _command(job: Job) -> list[str]:
    """The agent runs under this server's Python, which surely can; the script under its environment's."""
    if job.command:
        return list(job.command)
    return [sys.executable, "-m", "atelier_jobs.agent", *([] if job.purpose == "run" else [job.purpose])]


def _environment(job: Job, folder: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in INHERITED if name in os.environ}
    kept |= {name: value for name, value in os.environ.items() if name.startswith("LC_")}
    sdk = str(settings.BASE_DIR / "sdk")
    python = job.python or sys.executable
    own = {
        MARK: job.name,
        "PYTHONPATH": sdk,
        "TMPDIR": str(folder / "tmp"),
        "ATELIER_RUN_TOKEN_FILE": str(folder / "token"),
        "ATELIER_JOB_FOLDER": str(folder),
        "ATELIER_JOB_PYTHON": python,
        "ATELIER_JOB_PYTHONPATH": job.python_path,
        "ATELIER_JOB_TASK": str(job.task),
        "ATELIER_JOB_NODE": job.node or "local",
    }
    return {**kept, **job.environment, **own}


def _limits() -> None:
    """Between fork and exec: no core dumps in the job's folder, and as many open files as data loaders want."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _write_private(file: Path, text: str) -> None:
    """Whole or not at all, and readable by this user alone from the first byte."""
    part = file.with_suffix(f".{os.getpid()}")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        out.write(text)
    part.replace(file)


def _mtime(file: Path) -> datetime | None:
    try:
        return datetime.fromtimestamp(file.stat().st_mtime, UTC)
    except FileNotFoundError:
        return None


def _number(file: Path) -> int | None:
    try:
        return int(file.read_text())
    except (FileNotFoundError, ValueError):
        return None  # not there, or made and not yet written


def _marked(process: psutil.Process, name: str) -> bool:
    try:
        return process.environ().get(MARK) == name and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, OSError):
        return False  # gone, or another user's


def _alive(pid: int, name: str) -> bool:
    """Whether this process is the job's. A child of this worker that has ended is reaped on the way."""
    with contextlib.suppress(ChildProcessError):  # another worker's child
        os.waitpid(pid, os.WNOHANG)
    try:
        process = psutil.Process(pid)
    except psutil.NoSuchProcess:
        return False
    return _marked(process, name)


def _descendants(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _children(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children()
    except psutil.NoSuchProcess:
        return []


def _signal(process: psutil.Process, number: int) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return


def _kill_all(name: str) -> None:
    """SIGKILL to every process with the job's mark, again until none is left: a tree may grow while it is felled."""
    for _ in range(20):
        found = {process for process in psutil.process_iter() if _marked(process, name)}
        if not found:
            return
        # Some programs clear their environment; they are still somebody's children.
        found |= {child for process in found for child in _descendants(process)}
        for process in found:
            _signal(process, signal.SIGKILL)
        psutil.wait_procs(found, timeout=0.5)
