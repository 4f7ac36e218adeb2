"""From a distributed job to the launcher's command: the agent runs it in place of the script."""

from __future__ import annotations

import dataclasses
import json
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from atelier_jobs.ranks.layout import TENSORFLOW, Layout, of_json

HOSTS = "ATELIER_JOB_HOSTS"


def hosts() -> list[str]:
    """Where the run's tasks are, as the worker told the agent; none: this one carries all."""
    return [name for name in os.environ.get(HOSTS, "").split(",") if name]


def launcher_command(told: Mapping[str, Any], task: int, folder: Path, work: Path, command: Sequence[str]) -> list[str]:
    """Writes the launcher's plan into the job's folder and returns what to run instead of `command`."""
    layout = of_json(told, hosts())
    if len(layout.hosts) == 1:
        layout = _with_free_ports(layout)
    plan = {
        "layout": dataclasses.asdict(layout),
        "task": task,
        "folder": str(folder),
        "work": str(work),
        "command": list(command),
    }
    file = folder / "launch.json"
    file.write_text(json.dumps(plan))
    root = str(Path(__file__).resolve().parents[2])
    code = f"import sys; sys.path.insert(0, {root!r}); from atelier_jobs.ranks.launch import main; sys.exit(main(sys.argv[1:]))"
    return [sys.executable, "-I", "-c", code, str(file)]


def _with_free_ports(layout: Layout) -> Layout:
    """On a host that runs share, the fixed ports of a network of one's own may be taken: others are looked for.

    The sockets are held until all ports are found, so that no port is found twice.
    """
    count = layout.world if layout.kind == TENSORFLOW else 0
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count + 1)]
    ports = [server.getsockname()[1] for server in held]
    for server in held:
        server.close()
    return dataclasses.replace(layout, master_port=ports[0], ports=tuple(ports[1:]))
