"""Conda packages, solved and laid out on this host by a child process; images get the finished folder."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from packaging.version import Version

from studio.environments import locks, sdk_wheel
from studio.environments.building import pythons
from studio.environments.building.faults import BuildError
from studio.environments.building.job import Job
from studio.environments.spec import packages_key

CHILD = Path(__file__).with_name("rattler_child.py")
PLATFORM = {
    "linux-x86_64": "linux-64",
    "linux-aarch64": "linux-aarch64",
    "darwin-arm64": "osx-arm64",
    "darwin-x86_64": "osx-64",
}


@dataclass(frozen=True)
class Solved:
    """`fresh` is today's lock file, `lock` the one to install (the recorded one where there is one)."""

    python: str
    fresh: str
    lock: str


def solve(job: Job, work: Path) -> Solved:
    """Solves the conda part from the site's channels. Raises BuildError with the solver's reason."""
    for channel in job.spec.channels:
        job.log.say(f"conda channel: {re.sub(r'//[^/@]*@', '//***@', channel)}")
    job.log.say("Solving " + ", ".join(job.spec.conda))
    answer = _child(job, work, {"do": "solve", "channels": list(job.spec.channels), "specs": list(job.spec.conda)})
    if "error" in answer:
        raise BuildError(" ".join(_reason(job, answer).split()))
    minor = ".".join(answer["python"].split(".")[:2])
    needed = sdk_wheel.requires_python()
    if answer["python"] not in pythons.specifier(needed):
        raise BuildError(f"The channels give Python {answer['python']}; the SDK needs {needed}. Pin a newer Python.")
    recorded = locks.in_force(packages_key(job.spec), minor, locks.this_platform())
    return Solved(minor, answer["lock"], recorded.conda if recorded else answer["lock"])


def _reason(job: Job, answer: dict[str, Any]) -> str:
    """The solver's words; for a pinned Python that no channel has, which ones there are."""
    there = [
        version for version in answer.get("pythons", []) if version in pythons.specifier(sdk_wheel.requires_python())
    ]
    if job.spec.python and "pythons" in answer and not any(v in pythons.specifier(job.spec.python) for v in there):
        newest_first = sorted(there, key=Version, reverse=True)
        return pythons.sentence(job.spec.python, newest_first, "from this site's conda channels")
    return str(answer["error"])


def install(job: Job, solved: Solved, prefix: Path, final: Path | str, work: Path) -> None:
    """Lays the packages out under `prefix`, with `final` written into the files as the path they will live under."""
    answer = _child(
        job, work, {"do": "install", "lock": solved.lock, "prefix": str(prefix), "final_prefix": str(final)}
    )
    if "error" in answer:
        raise BuildError(f"The conda packages can't be installed: {answer['error']}")


def _child(job: Job, work: Path, request: dict[str, Any]) -> dict[str, Any]:
    """One call of the child. Only its result file counts: its exit code may be that of a crash after the work."""
    request |= {"platform": PLATFORM[locks.this_platform()], "result": str(work / f"{request['do']}.json")}
    request["cache"] = str(Path(settings.HOME) / "cache" / "conda")
    asked, result = work / f"{request['do']}.request.json", Path(request["result"])
    asked.write_text(json.dumps(request))
    failure: BuildError | None = None
    try:
        job.run([sys.executable, str(CHILD), str(asked)], env=sdk_wheel.uv_environment(job.sources))
    except BuildError as error:
        failure = error
    if not result.is_file():
        raise failure or BuildError("The conda solver ended without a result; the build log has its last words.")
    answer: dict[str, Any] = json.loads(result.read_text())
    return answer
