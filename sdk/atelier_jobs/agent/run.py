"""A job from its first to its last step, and the delivery of what a killed agent left behind."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from atelier import config, sending, spool
from atelier.client import Client, segment
from atelier.errors import AtelierError, ServiceError, UserError
from atelier_jobs.agent import failure, outputs, process, script, snapshot
from atelier_jobs.agent.job import DRIVER_LOG, Job, Place, connect, fetch, place
from atelier_jobs.agent.logs import Shipper
from atelier_jobs.agent.masking import Mask, secrets_of
from atelier_jobs.ranks.start import launcher_command
from atelier_jobs.ranks.watch import RankWatch

PR_SET_NO_NEW_PRIVS = 38  # <linux/prctl.h>
# Exit codes of the agent itself; the script's own is in its report. 0: all was delivered.
DELIVERED, UNDELIVERED, NOT_STARTED = 0, 75, 78


class Diary:
    """What the agent does and when, for people who wonder where the time went: a log of its own for what comes before
    the script, for its execution, and for what comes after it."""

    def __init__(self, folder: Path, path: str) -> None:
        self.path = path
        self.file = folder / path
        self.file.parent.mkdir(parents=True, exist_ok=True)

    def __call__(self, words: str) -> None:
        now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]
        try:
            with self.file.open("a") as out:
                out.write(f"{now}Z {words}\n")
        except OSError as error:  # a script may have filled the disk: its end is told all the same
            print(f"{words} ({self.file.name} can't be written: {error.strerror})", file=sys.stderr)


class Agent:
    """One job in one folder."""

    def __init__(self, where: Place) -> None:
        self.where = where
        self.client: Client = connect(where)
        self.script = script.Script(where.grace_seconds)
        self.ranks: RankWatch | None = None
        self.mask = Mask()
        # A node's name may come from a user's cluster name; it becomes part of a file's name here.
        node = "".join(c if c.isalnum() or c in "-_." else "_" for c in where.node)[:100]
        self.diary = Diary(where.folder, f"azureml-logs/55_azureml-execution-{node}.txt")
        self.before = Diary(where.folder, f"azureml-logs/65_job_prep-{node}.txt")
        self.after = Diary(where.folder, f"azureml-logs/75_job_post-{node}.txt")
        self.info, self.status = process.names(where.task)

    def run(self) -> int:
        """Runs the job; returns the agent's exit code."""
        signal.signal(signal.SIGTERM, lambda *_: self.script.stop())
        signal.signal(signal.SIGINT, lambda *_: self.script.stop())
        self.diary(f"The agent has started on {self.where.node} under {script.version_line()}.")
        job = fetch(self.client, self.where)
        mask = self.mask = Mask(secrets_of(job.env, [config.run_token() or ""]))
        shipper = self._shipper(job, mask)
        try:
            self._prepare(job)
            command = self._command(job)
        except UserError as error:
            self.diary(f"The job cannot start: {error.message}")
            shipper.start()
            return self._end(
                job,
                shipper,
                failure.End(None, "", {"type": type(error).__name__, "message": error.message, "traceback": ""}),
            )
        started, clock = _now(), time.monotonic()
        process.write_info(self.where.folder / self.info, self.where, command, started, mask)
        shipper.start()
        before = failure.oom_kills()
        self._report("started")
        log = self.where.folder / job.log_path
        code = self.script.run(command, self.where.work, self._environment(job), log)
        end = failure.end_of(code, log, before)
        seconds = time.monotonic() - clock
        with contextlib.suppress(OSError):  # the script may have filled the disk; the report says how it ended
            self.where.exit_file.write_text(json.dumps(end.as_dict()))
            process.write_status(self.where.folder / self.status, end, started, _now(), seconds, mask)
        self.diary(
            f"The script has ended: {'exit code ' + str(end.exit_code) if end.exit_code is not None else end.signal}."
        )
        return self._end(job, shipper, end)

    def deliver(self) -> int:
        """Sends what is left in the folder of an agent that was killed: logs, metrics, outputs and how it ended."""
        job = fetch(self.client, self.where)
        mask = self.mask = Mask(secrets_of(job.env, [config.run_token() or ""]))
        shipper = self._shipper(job, mask, resume=True)
        self.diary("Another agent delivers what the first one had left.")
        log = self.where.folder / job.log_path
        try:
            told = json.loads(self.where.exit_file.read_text())
            end = failure.End(told["exit_code"], told["signal"], told["error"])
        except (OSError, ValueError, KeyError):
            # Killed with its script: how that ended, the worker has seen; what it last said, the log knows.
            end = failure.End(None, "", failure.last_traceback(failure.tail(log)))
        if not (status := self.where.folder / self.status).exists():
            process.write_status(status, end, None, _now(), None, mask)
        shipper.start()
        return self._end(job, shipper, end)

    def _command(self, job: Job) -> list[str]:
        command = script.command_of(job, self.where)
        self.diary(f"Running {' '.join(command)}{' as ranks of a distributed job' if job.distributed else ''}")
        if job.distributed:
            return launcher_command(job.distributed, self.where.task, self.where.folder, self.where.work, command)
        return command

    def _own_logs(self, job: Job) -> list[str]:
        """The script's log first: it is what people wait for."""
        return [job.log_path, self.before.path, self.diary.path, self.after.path]

    def _shipper(self, job: Job, mask: Mask, *, resume: bool = False) -> Shipper:
        shipper = Shipper(self.client, self.where.run_id, mask, self.where.work / "logs", self.script.stop)
        for name in self._own_logs(job):
            file = self.where.folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
            shipper.follow(name, file, resume=resume)
        for name in (self.info, self.status):
            shipper.follow(name, self.where.folder / name, resume=resume)
        if resume:
            for file in outputs.files_below(self.where.work / "logs"):
                if not file.is_symlink():
                    shipper.follow(file.relative_to(self.where.work).as_posix(), file, resume=True)
        elif self.where.echo:
            shipper.echo(self.where.folder / job.log_path, _write)
        if job.distributed:
            self.ranks = RankWatch(
                self.where.folder, self._report_rank, lambda name, file: shipper.follow(name, file, resume=resume)
            )
            shipper.looks.append(self.ranks.look)
        return shipper

    def _prepare(self, job: Job) -> None:
        self.where.work.mkdir(parents=True, exist_ok=True)
        if job.snapshot_path and job.snapshot_id:
            start = time.monotonic()
            count = snapshot.fetch(self.client, job.snapshot_path, job.snapshot_id, self.where.work)
            self.before(
                f"Unpacked the snapshot {job.snapshot_id[:12]}: {count} files in {time.monotonic() - start:.2f} s."
            )
        # As in v1, a script may write to these without making them.
        (self.where.work / "outputs").mkdir(exist_ok=True)
        (self.where.work / "logs").mkdir(exist_ok=True)

    def _environment(self, job: Job) -> dict[str, str]:
        return script.environment_of(job, self.where, config.run_token() or "")

    def _end(self, job: Job, shipper: Shipper, end: failure.End) -> int:
        """Reports the end, then sends everything; returns the agent's exit code."""
        try:
            if self.ranks:
                self.ranks.look(last=True)
            self._report("finished", end.as_dict())
            # The heartbeat and the logs go on while outputs of any size are on their way.
            self._upload("outputs/", self._outputs())
            sending.recover(self.where.spool)
            batches = spool.deliver(self.client, self.where.spool)
            if batches:
                self.after(f"Delivered {batches} batches of metrics that the script had left.")
            self.after("The logs follow.")
            differing = shipper.finish(self.where.patience_seconds)
            own = {*self._own_logs(job), self.info, self.status}
            left = [path for path in differing if path not in own]
            left += [name for name in self._logs() if name not in shipper.followed()]
            if left:
                self._upload("logs/", ((name, self.where.work / name) for name in left))
                shipper.finish(self.where.patience_seconds)  # with what the diary says of them
        except ServiceError as error:
            print(f"Not everything could be delivered: {error}", file=sys.stderr)
            return UNDELIVERED
        except UserError as error:
            # The token died or the run was deleted: nobody waits for the rest.
            print(f"The server does not take the rest: {error}", file=sys.stderr)
            return UNDELIVERED
        return DELIVERED

    def _upload(self, folder: str, files: Iterable[tuple[str, Path]]) -> None:
        sent, refused = outputs.upload(self.client, self.where.run_id, files)
        if sent or refused:
            self.after(f"Uploaded {sent} files of {folder}.")
        for sentence in refused:
            self.after(f"Not kept: {sentence}")

    def _outputs(self) -> Iterator[tuple[str, Path]]:
        for file in outputs.files_below(self.where.work / "outputs"):
            yield file.relative_to(self.where.work).as_posix(), file

    def _logs(self) -> list[str]:
        return [file.relative_to(self.where.work).as_posix() for file in outputs.files_below(self.where.work / "logs")]

    def _report(self, event: str, end: Mapping[str, Any] | None = None) -> None:
        self._send_report({"event": event, "at": _now(), **(end or {})})

    def _report_rank(self, event: Mapping[str, Any]) -> None:
        """The start or end of one process of a distributed job; the same again changes nothing."""
        self._send_report(event)

    def _send_report(self, facts: Mapping[str, Any]) -> None:
        self.client.call(
            "POST",
            f"/runs/{segment(self.where.run_id)}/job/report",
            json_body={"task": self.where.task, "node": self.where.node, **self.mask.words(facts)},
            repeatable=True,
        )


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat().replace("+00:00", "Z")


def _write(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def no_new_privileges() -> None:
    """From here on no program that is started gains rights from its file, as where the engine has no word for it."""
    import ctypes

    # prctl(2). Before any thread: each has its own flag and hands it to what it starts.
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise UserError(f"The kernel refuses no_new_privs ({os.strerror(ctypes.get_errno())}).")


def main(arguments: list[str]) -> int:
    """`python -m atelier_jobs.agent [deliver]`: 0 when everything was delivered, whatever became of the script."""
    try:
        if os.environ.pop("ATELIER_JOB_NO_NEW_PRIVILEGES", ""):
            no_new_privileges()
        where = place()
        os.umask(0o022)
        agent = Agent(where)
        return agent.deliver() if arguments[:1] == ["deliver"] else agent.run()
    except AtelierError as error:
        print(f"The agent cannot do its job: {error}", file=sys.stderr)
        return NOT_STARTED


__all__ = ["DRIVER_LOG", "Agent", "main"]
