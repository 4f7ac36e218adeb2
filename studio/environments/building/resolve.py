"""From requirements to exact versions: what goes in, what uv makes of it, and the lock that it is held to."""

from __future__ import annotations

from pathlib import Path

from studio.environments import locks, sdk_wheel
from studio.environments.building.job import Job, requirements_file
from studio.environments.models import Lock
from studio.environments.packages.sources import choices
from studio.environments.spec import packages_key


def inputs(job: Job) -> list[str]:
    """What is resolved: the environment's requirements together with what the SDK needs, so that both fit."""
    return [*job.spec.pip, *sdk_wheel.requirements()]


def introduce(job: Job) -> None:
    """The first lines of the log: what stands for what."""
    for name in job.spec.satisfied:
        job.log.say(f"{name}: satisfied by atelier-sdk {sdk_wheel.version()}")
    for sentence in job.spec.sentences:
        job.log.say(sentence)


def on_this_host(job: Job, python: str, folder: Path) -> str:
    """The resolution for a Python of this host: a requirements file of exact versions. Raises BuildError."""
    wanted, out = requirements_file(folder, inputs(job)), folder / "resolved.txt"
    arguments = [
        "pip",
        "compile",
        str(wanted),
        "--python",
        python,
        "--no-header",
        "--no-annotate",
        "--quiet",
        "-o",
        str(out),
    ]
    arguments += [*job.sources.uv_arguments(), *choices(job.spec.options)]
    for constraint in job.sources.constraints:
        arguments += ["--constraint", constraint]
    job.uv(*arguments)
    return out.read_text()


def settle(job: Job, python: str, system: str, *, pip: str, conda: str = "") -> Lock:
    """The lock to install; says in the log and on the build what a fresh resolution would change."""
    settled = locks.settle(packages_key(job.spec), python, system, pip=pip, conda=conda, build=job.build)
    if settled.drift:
        job.build.drift = settled.drift
        job.build.save(update_fields=["drift"])
        job.log.say("Resolved today, the packages would differ from the recorded lock:")
        for line in settled.drift.splitlines():
            job.log.say(f"    {line}")
        job.log.say(
            "The recorded lock is installed. To take the new versions, choose “Resolve anew” on the environment's page."
        )
    return settled.lock
