"""What every step of a build gets: the log, whether to go on, and a way to run a command."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from uv import find_uv_bin

from studio.environments.building.faults import BuildError, Cancelled, explain
from studio.environments.logs import Writer
from studio.environments.models import Build
from studio.environments.packages.sources import Sources
from studio.environments.sdk_wheel import uv_environment
from studio.environments.spec import Spec


@dataclass
class Job:
    """One try at one build. `cancelled` turns true when nobody waits or another worker holds the build."""

    build: Build
    spec: Spec
    sources: Sources
    log: Writer
    cancelled: threading.Event = field(default_factory=threading.Event)

    def check(self) -> None:
        """Raises Cancelled when the build is not wanted any more."""
        if self.cancelled.is_set():
            raise Cancelled("The build was stopped as no run waits for it any more.")

    def uv(self, *arguments: str, quiet: bool = False) -> None:
        """Runs uv on this host with its output in the log. Raises BuildError with the installer's reason."""
        self.run([find_uv_bin(), *arguments], env=uv_environment(self.sources), quiet=quiet)

    def run(self, command: Sequence[str], *, env: Mapping[str, str], quiet: bool = False) -> None:
        """Runs a command in a process group of its own, which a cancel ends whole."""
        self.check()
        output = bytearray()
        with subprocess.Popen(
            command,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process:
            watcher = threading.Thread(target=self._watch, args=(process,), daemon=True)
            watcher.start()
            assert process.stdout is not None
            while block := os.read(process.stdout.fileno(), 65_536):
                output += block
                if not quiet:
                    self.log.write(block)
            code = process.wait()
            watcher.join()
        self.check()
        if code:
            text = bytes(output[-32_000:]).decode(errors="replace")
            if quiet:
                self.log.write(bytes(output))
            raise BuildError(
                explain(text) or f"{Path(command[0]).name} {command[1]} ended with {code}: {text.strip()[-600:]}"
            )

    def _watch(self, process: subprocess.Popen[bytes]) -> None:
        while process.poll() is None:
            if self.cancelled.wait(0.2):
                _end(process)
                return


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(5)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def requirements_file(folder: Path, lines: Sequence[str]) -> Path:
    """A requirements file in `folder` with these lines."""
    with tempfile.NamedTemporaryFile("w", dir=folder, suffix=".in", delete=False) as file:
        file.write("".join(f"{line}\n" for line in lines))
    return Path(file.name)


Step = Callable[[Job], None]
