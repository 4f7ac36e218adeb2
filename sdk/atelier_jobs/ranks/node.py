"""What a node does for the head: processes in groups of their own, and a port through which commands come."""

from __future__ import annotations

import queue
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from atelier_jobs.ranks.wire import Channel, Refused, accept_channel

# Between asking processes to end and ending them.
GRACE_SECONDS = 5.0
Events = queue.SimpleQueue[tuple[Any, ...]]


class Group:
    """Processes, each the first of its own group. The end of each becomes an event ("rank", name, exit code)."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._running: dict[Any, subprocess.Popen[bytes]] = {}
        self._lock = threading.Lock()

    def start(self, name: Any, command: list[str], environment: Mapping[str, str], work: Path) -> None:
        """Starts a process. One that cannot be started ends with 127."""
        try:
            process = subprocess.Popen(
                command, cwd=work, env=dict(environment), stdin=subprocess.DEVNULL, start_new_session=True
            )
        except OSError as error:
            print(f"{command[0]}: {error.strerror or error}", flush=True)
            self._events.put(("rank", name, 127))
            return
        with self._lock:
            self._running[name] = process
        threading.Thread(target=self._wait, args=(name, process), daemon=True).start()

    def _wait(self, name: Any, process: subprocess.Popen[bytes]) -> None:
        code = process.wait()
        with self._lock:
            self._running.pop(name, None)
        self._events.put(("rank", name, code if code >= 0 else 128 - code))

    def signal_all(self, number: int) -> None:
        """Sends a signal to all groups."""
        with self._lock:
            running = list(self._running.values())
        for process in running:
            signal_group(process, number)

    def stop(self) -> None:
        """Ends all, with a grace; returns when none is left."""
        self.signal_all(signal.SIGTERM)
        deadline = time.monotonic() + GRACE_SECONDS
        while self._running and time.monotonic() < deadline:
            time.sleep(0.02)
        self.signal_all(signal.SIGKILL)
        with self._lock:
            left = list(self._running.values())
        for process in left:
            process.wait()


def signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    """Signals a process and what it started in its group."""
    import os

    try:
        os.killpg(process.pid, number)
    except (ProcessLookupError, PermissionError):
        return  # it has ended


class Listener:
    """The port of a node. Only who knows the run's key gets through; the first `control` connection is the head's."""

    def __init__(
        self, address: tuple[str, int], key: bytes, events: Events, environment: Mapping[str, str], work: Path
    ) -> None:
        self._key, self._events, self._environment, self._work = key, events, dict(environment), work
        # Only on the address that the run's other nodes know: inside the run's own network.
        self._server = socket.create_server(address, backlog=64)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return  # closed
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            channel = accept_channel(connection, self._key)
            asked = channel.receive() or {}
        except (OSError, Refused, ValueError):
            return
        if asked.get("do") == "control":
            self._events.put(("control", channel))
        elif asked.get("do") == "exec":
            self._execute(channel, str(asked["command"]))
        else:
            channel.close()

    def _execute(self, channel: Channel, command: str) -> None:
        """Runs a shell command; its output and exit code go back. Ends it when the caller goes away."""
        process = subprocess.Popen(
            ["/bin/sh", "-c", command],
            cwd=self._work,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        threading.Thread(target=self._end_with_caller, args=(channel, process), daemon=True).start()
        assert process.stdout is not None
        try:
            for line in process.stdout:
                channel.send({"output": line.decode(errors="replace")})
            channel.send({"code": process.wait()})
        except OSError:
            signal_group(process, signal.SIGTERM)
        finally:
            process.wait()
            channel.close()

    @staticmethod
    def _end_with_caller(channel: Channel, process: subprocess.Popen[bytes]) -> None:
        while channel.receive() is not None:
            pass
        if process.poll() is None:
            signal_group(process, signal.SIGTERM)

    def close(self) -> None:
        """Takes no further connection."""
        self._server.close()
