"""What every backend promises, whatever carries the job: one suite, the same for all.

The jobs run a command in place of the agent, as the contract is about processes and not about runs.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from django.conf import settings

from runs.execution.backends import BACKENDS
from runs.execution.backends.swarm import SwarmExecutor
from runs.execution.executor import Executor, Job, Look
from studio.containers import containers, networks, secrets, services, volumes

ENGINE = [pytest.mark.docker, pytest.mark.xdist_group("docker")]
CASES = ["process", pytest.param("docker", marks=ENGINE), pytest.param("swarm", marks=ENGINE)]


@pytest.fixture(params=CASES)
def backend(request, settings) -> Executor:
    """Each of the backends; of a swarm, jobs on the host that is not its manager."""
    if request.param == "swarm":
        swarm = request.getfixturevalue("swarm")
        for name, value in swarm.environment.items():
            setattr(settings, name, value)
    return BACKENDS[request.param]


@pytest.fixture
def place(request, backend) -> dict[str, str]:
    """Where the jobs run: the fields of a job that say so."""
    if isinstance(backend, SwarmExecutor):
        swarm = request.getfixturevalue("swarm")
        return {"engine": swarm.two.url, "host": swarm.two.id}
    return {}


@pytest.fixture
def job(backend, place) -> Iterator[Callable[..., Job]]:
    """Makes jobs that are cleaned afterwards."""
    made: list[Job] = []

    def make(script: str, **more) -> Job:
        fields = {"run_id": f"contract_{uuid.uuid4().hex[:12]}", "token": "atr_secret", "image": settings.BASE_IMAGE,
                  "command": ("/bin/sh", "-c", script), **place, **more}  # fmt: skip
        made.append(Job(**fields))
        return made[-1]

    yield make
    for one in made:
        backend.clean(one)


def until(backend: Executor, job: Job, state: str, seconds: float = 20) -> Look:
    """The look that says `state`."""
    deadline = time.monotonic() + seconds
    while (look := backend.look(job)).state != state:
        assert time.monotonic() < deadline, (state, look, backend.output(job))
        time.sleep(0.02)
    return look


def said(backend: Executor, job: Job, text: bytes) -> bytes:
    """The job's output once it holds `text`."""
    deadline = time.monotonic() + 20
    while text not in (output := backend.output(job)):
        assert time.monotonic() < deadline, (output, backend.look(job))
        time.sleep(0.02)
    return output


def test_a_job_nobody_started_is_absent_and_may_be_stopped_and_cleaned(backend, job):
    one = job("true")
    assert backend.look(one).state == "absent" and backend.output(one) == b""
    backend.stop(one)
    backend.stop(one, now=True)
    backend.clean(one)


def test_an_exit_code_is_kept_and_the_times_are_in_order(backend, job):
    one = job("echo out; echo err >&2; exit 7")
    backend.start(one)
    look = until(backend, one, "exited")
    assert (look.exit_code, look.signal, look.oom_killed) == (7, "", False)
    assert look.started_at and look.finished_at and look.started_at <= look.finished_at
    assert sorted(backend.output(one).split()) == [b"err", b"out"]


def test_starting_again_changes_nothing_running_or_ended(backend, job):
    one = job('echo started; while [ ! -e "$ATELIER_JOB_FOLDER/go" ]; do sleep 0.05; done')
    backend.start(one)
    said(backend, one, b"started")
    backend.start(one)
    assert backend.look(one).state == "running" and backend.output(one).count(b"started") == 1
    backend.stop(one, now=True)
    ended = until(backend, one, "exited")
    backend.start(one)
    assert backend.look(one) == ended and backend.output(one).count(b"started") == 1


def test_a_polite_stop_reaches_the_job_and_a_firm_one_ends_it(backend, job):
    # The signal goes to the agent; this one takes note and goes on.
    one = job(
        "exec python3 -uc \"import signal, time; signal.signal(15, lambda *a: print('asked')); print('up')\nwhile True: time.sleep(0.05)\""
    )
    backend.start(one)
    said(backend, one, b"up")
    backend.stop(one)
    said(backend, one, b"asked")
    assert backend.look(one).state == "running"
    backend.stop(one, now=True)
    look = until(backend, one, "exited")
    assert look.exit_code in (137, None) and (look.signal == "SIGKILL" or look.error)


def test_a_firm_stop_ends_what_the_job_left_in_other_sessions(backend, job):
    mark = f"9{uuid.uuid4().int % 10**8:08d}"
    one = job(f"setsid sleep {mark} & echo up; wait")
    backend.start(one)
    said(backend, one, b"up")
    assert sleepers(mark, 1)
    backend.stop(one, now=True)
    until(backend, one, "exited")
    assert sleepers(mark, 0)


def sleepers(mark: str, count: int) -> bool:
    """Whether so many processes carry the mark on their command line; waits for it. Containers' processes are seen too."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        found = 0
        for file in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                found += file.read_bytes() == b"sleep\0" + mark.encode() + b"\0"
            except OSError:
                continue
        if found == count:
            return True
        time.sleep(0.02)
    return False


def test_cleaning_leaves_nothing_and_may_come_at_any_time(backend, job):
    one = job("echo x > $ATELIER_JOB_FOLDER/left; echo up; sleep 60")
    backend.start(one)
    said(backend, one, b"up")
    backend.clean(one)
    assert backend.look(one).state == "absent" and backend.output(one) == b""
    assert traces(one) == []
    backend.clean(one)


def traces(job: Job) -> list[str]:
    """What is there under the job's name, on disk and on the engine; of a swarm on both its hosts."""
    left = [str(path) for path in (settings.HOME / "jobs").glob(f"*{job.run_id}*")]
    if settings.DOCKER_HOST:
        for module in (containers, networks, volumes, *((services, secrets) if job.host else ())):
            left += module.names({"atelier.run": job.run_id})
    if job.host:
        for module in (containers, networks, volumes):
            left += module.names({"atelier.run": job.run_id}, engine=job.engine)
    return left


def test_a_delivery_works_in_the_folder_of_the_job_that_was_killed(backend, job):
    one = job("echo left-behind > $ATELIER_JOB_FOLDER/note; echo up; sleep 60")
    backend.start(one)
    said(backend, one, b"up")
    backend.stop(one, now=True)
    ended = until(backend, one, "exited")
    delivery = replace(one.delivery(), command=("/bin/sh", "-c", "cat $ATELIER_JOB_FOLDER/note"))
    assert backend.look(delivery).state == "absent"
    backend.start(delivery)
    assert until(backend, delivery, "exited").exit_code == 0
    assert backend.output(delivery) == b"left-behind\n" and backend.look(one) == ended
    backend.clean(one)
    assert backend.look(delivery).state == "absent" and traces(one) == []


def test_the_token_is_a_file_for_the_job_alone_and_the_servers_secrets_are_not_there(backend, job, monkeypatch):
    monkeypatch.setenv("DATABASE_URL_OF_TEST", "postgresql://secret")
    monkeypatch.setenv("SECRET_KEY", "secret-of-the-server")
    one = job(
        'stat -c "mode %a" "$ATELIER_RUN_TOKEN_FILE"; cat "$ATELIER_RUN_TOKEN_FILE"; echo; env; echo end',
        environment={"COLOUR": "blue"},
    )
    backend.start(one)
    until(backend, one, "exited")
    output = said(backend, one, b"end\n").decode()
    assert output.startswith(("mode 400\natr_secret\n", "mode 600\natr_secret\n"))
    assert "COLOUR=blue" in output and "secret-of-the-server" not in output and "postgresql://secret" not in output
    assert "DJANGO" not in output and output.count("atr_secret") == 1


def test_ids_of_any_kind_name_jobs_that_are_kept_apart(backend, job):
    odd = f"dé/../mo of all {uuid.uuid4().hex} " + "x" * 200
    one, other = job("exit 1", run_id=odd), job("exit 2", run_id=odd + "x")
    backend.start(one)
    backend.start(other)
    assert until(backend, one, "exited").exit_code == 1 and until(backend, other, "exited").exit_code == 2


def test_tasks_and_attempts_of_a_run_are_jobs_of_their_own(backend, job):
    first = job("exit 3")
    second, again = (
        replace(first, task=1, command=("/bin/sh", "-c", "exit 4")),
        replace(first, attempt=1, command=("/bin/sh", "-c", "exit 5")),
    )
    try:
        for one in (first, second, again):
            backend.start(one)
        assert [until(backend, one, "exited").exit_code for one in (first, second, again)] == [3, 4, 5]
    finally:
        backend.clean(second)
        backend.clean(again)
