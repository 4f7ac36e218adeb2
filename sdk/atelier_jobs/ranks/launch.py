"""The launcher of one node: all nodes or none start, the first failure ends all, the last worker's end ends the servers.

The head (task 0) connects to the launcher of each other node, tells all of them to go once all are there, and hears
from each how its processes ended. Under MPI the head runs mpirun, which starts its daemons through the same port.
Everything that happens comes through one queue, so that there is one place that decides.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from atelier_jobs.ranks import interface, mpi
from atelier_jobs.ranks.layout import LAUNCHER_PORT, MPI, WORKER, Layout, ranks_of, shared_variables, variables_of
from atelier_jobs.ranks.node import Group, Listener
from atelier_jobs.ranks.wire import Channel, Refused, key_of, open_channel

# Nodes of one run start within seconds of each other; a slow disk unpacks a large snapshot in minutes.
GATHER_SECONDS = 300.0
STOPPED = 143


class Launcher:
    """One node's part. `events` carries tuples: ("rank", rank, code), ("node", task, message), ("mpirun", code), ("stop",)."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self.layout = Layout(
            **{**plan["layout"], "hosts": tuple(plan["layout"]["hosts"]), "ports": tuple(plan["layout"]["ports"])}
        )
        self.task = int(plan["task"])
        self.folder, self.work = Path(plan["folder"]), Path(plan["work"])
        self.port = int(plan.get("port") or LAUNCHER_PORT)
        self.key = key_of(os.environ.get("AZUREML_RUN_TOKEN") or "")
        self.events: queue.SimpleQueue[tuple[Any, ...]] = queue.SimpleQueue()
        # Each rank's numeric libraries would start a thread for each core of the machine; ranks share them.
        threads = max(1, (os.cpu_count() or 1) // self.layout.processes_per_node)
        self.environment = {
            "OMP_NUM_THREADS": str(threads),
            **(interface.variables(self.layout.hosts[self.task]) if len(self.layout.hosts) > 1 else {}),
            **mpi.without_launcher(os.environ),
            **shared_variables(self.layout),
            "ATELIER_LAUNCHER_PORT": str(self.port),
        }
        wrapper = [sys.executable, "-I", str(Path(__file__).with_name("rank.py")), str(self.folder), str(self.work)]
        self.command = [*wrapper, *plan["command"]]
        self.group = Group(self.events)
        self.channels: dict[int, Channel] = {}
        signal.signal(signal.SIGTERM, lambda *_: self.events.put(("stop",)))
        signal.signal(signal.SIGINT, lambda *_: self.events.put(("stop",)))

    def run(self) -> int:
        """The node's part from its start to its end; returns the launcher's exit code."""
        try:
            return self.head() if self.task == 0 else self.node()
        finally:
            self.group.stop()
            for channel in self.channels.values():
                channel.close()

    # -- the head ------------------------------------------------------------------------------------------------------

    def head(self) -> int:
        """Gathers the nodes, starts all, waits for the end, tells everybody."""
        if not self.gather():
            return 1
        program = mpi.mpirun(self.environment.get("PATH")) if self.layout.kind == MPI else None
        for channel in self.channels.values():
            channel.send({"do": "go", "mode": "mpi" if program else "spawn"})
        code = self.under_mpi(program) if program else self.spawned()
        for channel in self.channels.values():
            try:
                channel.send({"do": "stop"})
            except OSError:
                continue  # it has ended already
        return code

    def gather(self) -> bool:
        """Connects to every other node; False when one did not come in time or a stop was asked. Nothing has started then."""
        deadline = time.monotonic() + GATHER_SECONDS
        for task in range(1, len(self.layout.hosts)):
            host, why = self.layout.hosts[task], ""
            while task not in self.channels:
                try:
                    self.channels[task] = open_channel((host, self.port), self.key)
                    self.channels[task].send({"do": "control"})
                except (OSError, Refused) as error:
                    self.channels.pop(task, None)
                    why = str(error)
                if task not in self.channels:
                    if time.monotonic() > deadline:
                        say(f"{host} did not come up within {GATHER_SECONDS:.0f} s ({why}); no process was started.")
                        return False
                    if self.stop_asked(0.1):
                        return False
            threading.Thread(target=self._listen, args=(task, self.channels[task]), daemon=True).start()
        return True

    def stop_asked(self, seconds: float) -> bool:
        """Waits so long, or until a stop is asked."""
        try:
            event = self.events.get(timeout=seconds)
        except queue.Empty:
            return False
        if event[0] == "stop":
            return True
        if event[0] == "node" and event[2] is None:
            say(f"{self.layout.hosts[event[1]]} went away before the start; no process was started.")
            return True
        return False

    def _listen(self, task: int, channel: Channel) -> None:
        while (message := channel.receive()) is not None:
            self.events.put(("node", task, message))
        self.events.put(("node", task, None))

    def under_mpi(self, program: str) -> int:
        """Runs mpirun to its end."""
        hosts = self.folder / "hosts"
        hosts.write_text(mpi.host_file(self.layout))
        environment = {**self.environment, **mpi.settings(self.agent(), len(self.layout.hosts) > 1)}
        self.group.start("mpirun", mpi.command(program, self.layout, hosts, self.command), environment, self.work)
        stopping = False
        while True:
            event = self.events.get()
            if event[0] == "rank":
                return STOPPED if stopping else int(event[2])
            if event[0] == "stop" or (event[0] == "node" and event[2] is None):
                if event[0] == "node":
                    say(f"{self.layout.hosts[event[1]]} was lost: its launcher closed the connection.")
                # mpirun ends its daemons, and they end the ranks, on every node.
                self.group.signal_all(signal.SIGTERM)
                stopping = True

    def agent(self) -> Path:
        """What Open MPI calls in place of ssh. Its daemons look for it too, so that each node has it at the same path."""
        return mpi.write_agent(self.folder, Path(__file__).resolve().parents[2])

    def start_ranks(self) -> set[int]:
        """Starts this node's processes; returns the ranks of those whose end counts: parameter servers have none."""
        warning = {"ATELIER_RANK_WARNING": mpi.NO_MPIRUN} if self.layout.kind == MPI else {}
        mine = ranks_of(self.layout, self.task)
        for rank in mine:
            own = {
                **variables_of(self.layout, rank),
                "ATELIER_RANK": str(rank.rank),
                "ATELIER_ROLE": rank.role,
                **warning,
            }
            self.group.start(rank.rank, self.command, {**self.environment, **own}, self.work)
        return {rank.rank for rank in mine if rank.role == WORKER}

    def spawned(self) -> int:
        """Runs this node's processes and waits for everybody's workers; the first failure ends all."""
        waiting: set[tuple[str, int]] = {("rank", number) for number in self.start_ranks()}
        for task in self.channels:
            if any(rank.role == WORKER for rank in ranks_of(self.layout, task)):
                waiting.add(("node", task))
        while waiting:
            event = self.events.get()
            if event[0] == "stop":
                return STOPPED
            if event[0] == "rank":
                if event[2]:
                    return int(event[2])
                waiting.discard(("rank", event[1]))
            if event[0] == "node":
                message = event[2]
                if message is None and ("node", event[1]) in waiting:
                    say(f"{self.layout.hosts[event[1]]} was lost: its launcher closed the connection.")
                    return 1
                if message and message.get("ended"):
                    return int(message["ended"])
                if message and message.get("ended") == 0:
                    waiting.discard(("node", event[1]))
        return 0

    # -- every other node ----------------------------------------------------------------------------------------------

    def node(self) -> int:
        """Waits for the head, does what it says, and ends with it."""
        listener = Listener(
            (self.layout.hosts[self.task], self.port), self.key, self.events, self.environment, self.work
        )
        self.agent()
        failed, control = 0, None
        waiting: set[int] = set()
        try:
            while True:
                event = self.events.get()
                if event[0] == "stop":
                    return STOPPED
                if event[0] == "control":
                    control = self.channels[0] = event[1]
                    threading.Thread(target=self._listen, args=(0, control), daemon=True).start()
                elif event[0] == "node":
                    if event[2] is None:
                        say("The head closed the connection: the job is over.")
                        return failed or 1
                    if event[2].get("do") == "stop":
                        return failed
                    if event[2].get("do") == "go" and event[2].get("mode") == "spawn":
                        waiting = self.start_ranks()
                elif event[0] == "rank" and not failed:
                    failed = int(event[2])
                    waiting.discard(event[1])
                    if control and (failed or not waiting):
                        self._tell(control, failed)
        finally:
            listener.close()

    def _tell(self, control: Channel, code: int) -> None:
        try:
            control.send({"ended": code})
        except OSError:
            self.events.put(("node", 0, None))


def say(words: str) -> None:
    """A line of the launcher's own log."""
    print(words, flush=True)


def main(arguments: list[str]) -> int:
    """`launch <plan.json>`."""
    return Launcher(json.loads(Path(arguments[0]).read_text())).run()
