"""No disk: the engine's, while it builds, before and while a job runs; and the server's own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.execution.live import TICKS, ticks_of
from tests.faults.watched import BUILD_SECONDS, Watched

pytestmark = [pytest.mark.docker, pytest.mark.registry, pytest.mark.timeout(300)]
MB = 1 << 20


@contextlib.contextmanager
def full(folder: Path) -> Iterator[None]:
    """A file system on which not a byte is left."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (MB, 4096, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(bytes(size))
    try:
        yield
    finally:
        ballast.unlink()


def test_the_engines_disk_fills_in_mid_build(live: Watched):
    before = live.engine.free()
    run_id = live.dockerfile("RUN echo small > /small", "RUN head -c 4G /dev/zero > /big")
    live.fails(run_id, "EnvironmentFailed", "The disk is full: the environment could not be written. Prune images")
    assert live.engine.free() > before - 40 * MB, "what was written is gone again"


def test_a_job_fills_its_disk(live: Watched):
    fills = "print('filling', flush=True)\nwith open('big', 'wb') as file:\n    while True:\n        file.write(bytes(1 << 20))\n"
    live.completes(live.job("print('the image is there')"))
    before = live.engine.free()
    run_id = live.job(fills)
    live.fails(run_id, "UserError", "No space left on device", "The node's disk is full")
    assert live.log(run_id).startswith("filling")
    assert live.engine.free() > before - 40 * MB


def test_a_job_waits_for_an_engine_whose_disk_is_full(live: Watched):
    live.completes(live.job("print('the image is there')"))
    with live.engine.filled(leave=64_000):
        run_id = live.job("print('through')")
        live.shows(run_id, "The disk of the Docker engine is full; remove unused images or enlarge it")
    live.completes(run_id)


def test_the_servers_own_disk_is_full_for_a_while(live: Watched):
    run_id = live.job(TICKS, "80", "0.05")
    live.says(run_id, "tick 2", BUILD_SECONDS)
    with full(live.stack.home):
        assert "Running" in live.run_page(run_id), "what is there can be read"
        address = f"{live.stack.url}/api/v1/runs/{run_id}/artifacts/large.bin"
        answer = requests.put(address, data=bytes(5 * MB), headers=live.owner)
        assert answer.status_code == 503 and "No space left on device" in answer.json()["error"]["message"], answer.text
    live.completes(run_id)
    assert ticks_of(live.log(run_id)) == live.metric(run_id, "tick") == list(range(80))
