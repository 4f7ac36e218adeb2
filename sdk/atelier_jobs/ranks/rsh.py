"""What Open MPI takes for `ssh`: has the launcher on a node run a command, with its output and exit code here.

rsh.py <host> <command …>      (ATELIER_LAUNCHER_PORT and the run's token from the environment)
"""

from __future__ import annotations

import os
import sys

from atelier_jobs.ranks.wire import Refused, key_of, open_channel


def main(arguments: list[str]) -> int:
    """Runs the command on the host; returns its exit code, 255 when the host can't be reached, as ssh does."""
    host, command = arguments[0], " ".join(arguments[1:])
    port = int(os.environ["ATELIER_LAUNCHER_PORT"])
    try:
        channel = open_channel((host, port), key_of(os.environ.get("AZUREML_RUN_TOKEN") or ""))
        channel.send({"do": "exec", "command": command})
        while (said := channel.receive()) is not None:
            if "code" in said:
                return int(said["code"])
            sys.stderr.write(str(said.get("output") or ""))
            sys.stderr.flush()
    except (OSError, Refused) as error:
        print(f"{host} cannot be reached for starting its processes: {error}", file=sys.stderr)
        return 255
    print(f"{host} closed the connection while its processes ran.", file=sys.stderr)
    return 255
