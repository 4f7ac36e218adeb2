"""Short commands inside an image: resolving versions with its own Python, reading the lock it carries."""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings

from studio.containers import containers, images
from studio.containers.client import engine_url
from studio.environments import locks
from studio.environments.building import resolve
from studio.environments.building.faults import BuildError, explain
from studio.environments.building.job import Job
from studio.environments.logs import build_log
from studio.environments.models import Lock
from studio.environments.packages.sources import choices, proxies
from studio.environments.spec import packages_key

LABEL = "atelier.build"
MARK = "===== resolved ====="
LOOK_SECONDS = 0.2


def addresses(engine: str | None) -> tuple[str, str]:
    """(address to listen on, the name that the engine's containers know this host by) for the door to packages."""
    if settings.BUILD_ADDRESS:
        return "0.0.0.0", settings.BUILD_ADDRESS
    parts, known_as = urlsplit(engine_url(engine)), urlsplit(settings.SERVER_URL_FOR_CONTAINERS).hostname
    if known_as and _is_ours(known_as):
        return "0.0.0.0", known_as
    here = parts.scheme == "unix" and not Path("/.dockerenv").exists()
    if here and settings.BUILD_NETWORK == "host":
        return "127.0.0.1", "127.0.0.1"
    # The way to the engine's host, or out of this one: the address that others see us come from.
    return "0.0.0.0", _own_address(parts.hostname or "192.0.2.1", parts.port or 9)


def _is_ours(host: str) -> bool:
    """Whether a name leads to this host itself: only an address of ours can be bound."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((host, 0))
        except OSError:
            return False
    return True


def _own_address(host: str, port: int) -> str:
    """This host's address on the way to another; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((host, port))
        return str(probe.getsockname()[0])


def run(
    job: Job,
    image: str,
    command: list[str],
    *,
    files: list[containers.File],
    environment: Mapping[str, str],
    engine: str | None,
) -> tuple[int, bytes]:
    """Runs a command to its end in a container of its own, which is gone afterwards. Raises Cancelled."""
    name = f"atelier-build-{job.build.pk}-{secrets.token_hex(4)}"
    made = containers.ContainerSpec(
        name=name,
        image=image,
        command=command,
        user="0:0",
        environment=environment,
        labels={LABEL: str(job.build.pk)},
        network=settings.BUILD_NETWORK,
    )
    try:
        containers.create(made, engine=engine)
        containers.put(name, files, engine=engine)
        containers.start(name, engine=engine)
        while (state := containers.inspect(name, engine=engine)).status == "running":
            job.check()
            time.sleep(LOOK_SECONDS)
        return state.exit_code if state.exit_code is not None else 1, containers.logs(name, engine=engine)
    finally:
        containers.remove(name, engine=engine)


def sweep(build_id: int, *, engine: str | None, images_too: bool = False) -> None:
    """Removes what an earlier try of this build left when its worker was killed or its engine ended: the containers
    of the steps that the log tells of, and the steps' images when no try follows that takes them from the cache."""
    for name in containers.names({LABEL: str(build_id)}, engine=engine):
        containers.remove(name, engine=engine)
    images.sweep_after(build_log(build_id).data, engine=engine, images_too=images_too)


def resolved(job: Job, image: str, proxy: str, *, engine: str | None) -> tuple[str, str]:
    """(exact versions, the minor version of Python) for an image's own Python. Raises BuildError."""
    job.log.say("-- resolving the packages")
    wanted = "".join(f"{line}\n" for line in resolve.inputs(job))
    files = [containers.File("/opt/atelier/wanted.in", wanted.encode(), 0o644)]
    arguments = list(choices(job.spec.options))
    if job.sources.allow_prereleases:
        arguments += ["--prerelease", "allow"]
    for number, path in enumerate(job.sources.constraints):
        files.append(containers.File(f"/opt/atelier/constraint{number}.txt", Path(path).read_bytes(), 0o644))
        arguments += ["--constraint", f"/opt/atelier/constraint{number}.txt"]
    environment = {
        "http_proxy": proxy,
        **{name: value for name, value in proxies().items() if name in ("https_proxy", "no_proxy")},
    }
    script = '/opt/env/bin/python -c "import sys; print(*sys.version_info[:2], sep=chr(46))" && exec /bin/sh /opt/atelier/resolve.sh "$@"'
    command = ["/bin/sh", "-c", script, "resolve", *arguments]
    code, output = run(job, image, command, files=files, environment=environment, engine=engine)
    text = output.decode(errors="replace")
    minor, _, rest = text.partition("\n")
    before, mark, after = rest.partition(MARK + "\n")
    job.log.write(before.encode())
    if code or not mark:
        raise BuildError(explain(text) or f"The packages could not be resolved: {text.strip()[-600:]}")
    return after, minor.strip()


def lock_of(job: Job, image: str, python: str, *, engine: str | None) -> Lock | None:
    """The lock that a finished image carries in /opt/atelier/lock.txt, recorded if it is the first one known."""
    code, output = run(job, image, ["/bin/cat", "/opt/atelier/lock.txt"], files=[], environment={}, engine=engine)
    if code:
        return None
    text = output.decode(errors="replace").replace("\r\n", "\n")
    return locks.settle(packages_key(job.spec), python, locks.this_platform(), pip=text, build=job.build).lock
