"""Solves and installs conda packages, in a process of its own.

py-rattler's runtime now and then aborts while the interpreter shuts down, after all work is done. So this is a child: the
parent judges by the result file, and the child leaves by os._exit. It imports nothing of the server.

    python rattler_child.py request.json     ->  the file named by request["result"]: {"lock", "python"} or {"error"}
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import rattler
from rattler.exceptions import SolverError
from rattler.lock import LockChannel, LockFile, LockPlatform

ENVIRONMENT = "default"


async def pythons(channels: list[rattler.Channel], platforms: list[rattler.Platform]) -> list[str]:
    """The versions of Python that the channels have."""
    found = await rattler.Gateway().query(channels, platforms, ["python"], recursive=False)
    return sorted({str(record.version) for records in found for record in records})


async def solve(request: dict[str, Any]) -> dict[str, Any]:
    """Specs and channels -> a rattler lock file's text and the Python's version; or the error, and which Pythons there are."""
    channels = [rattler.Channel(url) for url in request["channels"]]
    platforms = [rattler.Platform(request["platform"]), rattler.Platform("noarch")]
    try:
        records = await rattler.solve(
            sources=channels,
            specs=[rattler.MatchSpec(spec) for spec in request["specs"]],
            platforms=platforms,
            virtual_packages=rattler.VirtualPackage.detect(),
        )
    except SolverError as error:
        there = await pythons(channels, platforms)
        return {"error": f"The conda packages can't be solved: {error}", "pythons": there}
    place = LockPlatform(request["platform"])
    lock = LockFile([place])
    lock.set_channels(ENVIRONMENT, [LockChannel(url) for url in request["channels"]])
    for record in records:
        lock.add_conda_package(ENVIRONMENT, place, record)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "conda.lock"
        lock.to_path(path)
        text = path.read_text()
    for record in sorted(records, key=lambda one: one.name.normalized):
        print(f"  {record.name.normalized} {record.version} {record.build}", flush=True)
    python = next((str(record.version) for record in records if record.name.normalized == "python"), "")
    return {"lock": text, "python": python}


async def install(request: dict[str, Any]) -> dict[str, str]:
    """A lock file's packages into a prefix; `final_prefix` is the path they will be used under."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "conda.lock"
        path.write_text(request["lock"])
        environment = LockFile.from_path(path).environment(ENVIRONMENT)
        assert environment is not None
        place = next(one for one in environment.platforms() if str(one.name) == request["platform"])
        records = environment.conda_repodata_records_for_platform(place) or []
    await rattler.install(
        records,
        target_prefix=request["prefix"],
        cache_dir=request["cache"],
        show_progress=False,
        alternative_target_prefix=request["final_prefix"],
    )
    return {}


def main() -> None:
    """Reads the request, does it, writes the result, leaves."""
    request = json.loads(Path(sys.argv[1]).read_text())
    work = {"solve": solve, "install": install}[request["do"]]
    try:
        result = asyncio.run(work(request))
    except (rattler.exceptions.GatewayError, OSError, RuntimeError) as error:
        result = {"error": f"The conda channel can't be used: {error}"}
    except Exception as error:  # noqa: BLE001 - the parent must learn of every failure; its own words are all there is
        result = {"error": f"{type(error).__name__}: {error}"}
    staged = Path(request["result"] + ".part")
    staged.write_text(json.dumps(result))
    staged.rename(request["result"])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
