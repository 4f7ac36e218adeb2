"""The backends, one a line. A run's task row names the one it was started with."""

from __future__ import annotations

from runs.execution.backends.docker import DockerExecutor
from runs.execution.backends.process import ProcessExecutor
from runs.execution.backends.swarm import SwarmExecutor
from runs.execution.executor import Executor

BACKENDS: dict[str, Executor] = {
    "process": ProcessExecutor(),
    "docker": DockerExecutor(),
    "swarm": SwarmExecutor(),
}
