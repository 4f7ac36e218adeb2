"""One process of a distributed job: its log goes to a file of its own, its end is written beside it.

Run by its path under `python -I`, by the launcher or by Open MPI's daemon, so it imports the standard library alone.

    rank.py <folder> <working folder> <command …>

Writes <folder>/azureml-logs/70_driver_log_<rank>.txt and <folder>/ranks/<rank>.json, which the node's agent sends.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def write(file: Path, facts: dict[str, object]) -> None:
    """Replaces the file as a whole: the agent reads it at any moment."""
    part = file.with_suffix(".part")
    part.write_text(json.dumps(facts))
    part.replace(file)


def main(arguments: list[str]) -> int:
    """Runs the command to its end; returns its exit code, 128 + n for a signal, as a shell does."""
    folder, work, command = Path(arguments[0]), arguments[1], arguments[2:]
    number = int(os.environ.get("OMPI_COMM_WORLD_RANK") or os.environ.get("ATELIER_RANK") or 0)
    log = folder / "azureml-logs" / f"70_driver_log_{number}.txt"
    note = folder / "ranks" / f"{number}.json"
    facts: dict[str, object] = {
        "rank": number,
        "local_rank": int(os.environ.get("OMPI_COMM_WORLD_LOCAL_RANK") or os.environ.get("LOCAL_RANK") or 0),
        "role": os.environ.get("ATELIER_ROLE") or "worker",
        "started_at": time.time(),
        "ended_at": None,
        "returncode": None,
    }
    for parent in (log.parent, note.parent):
        parent.mkdir(parents=True, exist_ok=True)
    # Whoever stops the rank signals its whole group; this process lives on until it has written how that ended.
    for asked in (signal.SIGTERM, signal.SIGINT):
        signal.signal(asked, lambda *_: None)
    with log.open("ab", buffering=0) as out:
        if warning := os.environ.pop("ATELIER_RANK_WARNING", ""):
            out.write(warning.encode() + b"\n")
        try:
            process = subprocess.Popen(command, cwd=work, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        except OSError as error:
            out.write(f"{command[0]}: {error.strerror or error}\n".encode())
            code = 126 if isinstance(error, PermissionError) else 127
            write(note, {**facts, "ended_at": time.time(), "returncode": code})
            return code
        write(note, {**facts, "pid": process.pid})
        code = process.wait()
    write(note, {**facts, "ended_at": time.time(), "returncode": code})
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
