"""What the suite leaves out on this machine, and why; with ATELIER_REQUIRE_SERVICES=1 leaving out is an error.

A test that needs a service carries its marker. `make services` writes the addresses into var/services/env, which is
read here (before Django's settings are), so a plain pytest finds them too.
"""

from __future__ import annotations

import os
import shutil
import socket
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from scripts.bridge import engine_get

ROOT = Path(__file__).resolve().parent.parent


def services_file() -> Path:
    """Where the addresses are: ATELIER_SERVICES_ENV (to share one set between checkouts), else this checkout's."""
    return Path(os.environ.get("ATELIER_SERVICES_ENV") or ROOT / "var" / "services" / "env")


def _read_services() -> None:
    file = services_file()
    if file.is_file():
        for line in file.read_text().splitlines():
            name, _, value = line.partition("=")
            os.environ.setdefault(name, value)


_read_services()
REQUIRED = os.environ.get("ATELIER_REQUIRE_SERVICES", "") not in ("", "0")


def docker_absent() -> str:
    """Empty when an engine answers and holds the base image."""
    address = os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
    image = os.environ.get("ATELIER_BASE_IMAGE", "")
    try:
        status, _ = engine_get(f"/images/{image}/json" if image else "/_ping")
    except OSError as error:
        return f"no Docker Engine answers at {address} ({error.strerror or error})"
    if not image:
        return "ATELIER_BASE_IMAGE is not set: there is no image to run jobs in"
    return "" if status == 200 else f"the Docker Engine has no image {image}"


def _listens(variable: str, what: str) -> str:
    url = os.environ.get(variable, "")
    if not url:
        return f"no {what}: {variable} is not set"
    parts = urlsplit(url)
    try:
        socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 0), 2).close()
    except OSError as error:
        return f"no {what} answers at {parts.hostname}:{parts.port} ({error.strerror or error})"
    return ""


def postgres_absent() -> str:
    """Empty when the PostgreSQL server of TEST_POSTGRES_URL answers."""
    return _listens("TEST_POSTGRES_URL", "PostgreSQL")


def redis_absent() -> str:
    """Empty when the Redis server of TEST_REDIS_URL answers."""
    return _listens("TEST_REDIS_URL", "Redis")


def _program(variable: str, *names: str) -> str:
    path = os.environ.get(variable) or next(filter(None, map(shutil.which, names)), None)
    if path and os.access(path, os.X_OK):
        os.environ[variable] = path
        return ""
    return f"{names[0]} is not installed"


def chromium_absent() -> str:
    """Empty when there is a Chromium; its path is then in CHROMIUM."""
    return _program("CHROMIUM", "chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")


def registry_absent() -> str:
    """Empty when the docker-registry program is there; its path is then in DOCKER_REGISTRY."""
    return _program("DOCKER_REGISTRY", "docker-registry")


def mpi_absent() -> str:
    """Empty when Open MPI's mpirun is there."""
    return _program("MPIRUN", "mpirun")


def wheels_absent() -> str:
    """Empty when scripts/wheels.sh has left PyTorch and Horovod in ATELIER_WHEELS."""
    folder = Path(os.environ.get("ATELIER_WHEELS") or Path.home() / ".cache" / "atelier" / "wheels")
    missing = [name for name in ("torch", "horovod") if not any(folder.glob(f"{name}-*.whl"))]
    return f"no wheel of {' and '.join(missing)} in {folder} (scripts/wheels.sh makes them)" if missing else ""


def community_absent() -> str:
    """Empty when scripts/community.sh has left interpret-community in ATELIER_COMMUNITY."""
    folder = Path(os.environ.get("ATELIER_COMMUNITY") or Path.home() / ".cache" / "atelier" / "interpret-community")
    os.environ["ATELIER_COMMUNITY"] = str(folder)
    there = (folder / ".made").is_file()
    return "" if there else f"no interpret-community in {folder} (scripts/community.sh fetches it)"


ABSENT: dict[str, Callable[[], str]] = {
    "docker": docker_absent,
    "chromium": chromium_absent,
    "redis": redis_absent,
    "postgres": postgres_absent,
    "registry": registry_absent,
    "wheels": wheels_absent,
    "mpi": mpi_absent,
    "community": community_absent,
}
# Fixtures that reach the run database, whichever it is.
DATABASE_FIXTURES = {"db", "transactional_db", "django_db_setup", "live_server", "stack"}
SLOW_ON_ONE_DATABASE = ("docker", "chromium", "registry", "wheels", "once")
# Groups of tests that share something, the longest first: begun last, one would run on alone.
LANES = ("docker", "stack", "swarm", "faults", "chromium")
REASONS = pytest.StashKey[dict[str, str]]()
LEFT_OUT = pytest.StashKey[Counter[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--only-database`: the part of the suite that a second database is worth."""
    parser.addoption(
        "--only-database", action="store_true", help="only tests that use the run database, without Docker and browsers"
    )


def _on_postgres() -> bool:
    return os.environ.get("ATELIER_TEST_DATABASE_URL", "").startswith("postgres")


def _uses_database(item: pytest.Item) -> bool:
    if any(item.get_closest_marker(marker) for marker in SLOW_ON_ONE_DATABASE):
        return False
    marked = item.get_closest_marker("django_db") or item.get_closest_marker("postgres")
    return bool(marked) or not DATABASE_FIXTURES.isdisjoint(getattr(item, "fixturenames", ()))


def pytest_configure(config: pytest.Config) -> None:
    """Ask each service once, in the controlling process and in each xdist worker alike."""
    reasons = {marker: reason for marker, probe in ABSENT.items() if (reason := probe())}
    if REQUIRED and reasons:
        raise pytest.UsageError(
            "ATELIER_REQUIRE_SERVICES is set, but " + "; ".join(reasons.values()) + ". Run `make services`."
        )
    if "postgres" not in reasons and not _on_postgres():
        # There is a server, but this pass is SQLite's. `make test` runs them in its second pass.
        reasons["postgres"] = "they run when ATELIER_TEST_DATABASE_URL names PostgreSQL (make test does so)"
    config.stash[REASONS] = reasons
    config.stash[LEFT_OUT] = Counter()


def _lane(item: pytest.Item) -> str:
    """The lane that a test keeps to, whatever its module says; empty: its module's own group, or none."""
    marked = {name for name in ("docker", "registry", "wheels") if item.get_closest_marker(name)}
    if not marked:
        return ""
    # These have engines of their own. What needs the wheels copies its image from the suite's engine, where others
    # must not be pruning meanwhile.
    if "breakable" in getattr(item, "fixturenames", ()):
        return "faults"
    if "swarm" in getattr(item, "fixturenames", ()) and "wheels" not in marked:
        return "swarm"
    return "docker"


def _keep_lanes(items: list[pytest.Item]) -> None:
    """What cannot run beside its like shares a process, and the longest of these lanes begin first.

    Tests of the one Docker Engine look at what the whole engine holds before and after, and take their common base image
    away at the end. A test's own group gives way to its lane: xdist would make a third group of two.
    """
    groups = {id(item): item.get_closest_marker("xdist_group") for item in items}
    groups |= {id(item): pytest.mark.xdist_group(lane).mark for item in items if (lane := _lane(item))}
    for item in items:
        # A module's mark is its node's, shared by its tests: each test gets its own instead.
        for node in item.listchain():
            node.own_markers[:] = [mark for mark in node.own_markers if mark.name != "xdist_group"]
    for item in items:
        if mark := groups[id(item)]:
            item.add_marker(pytest.mark.xdist_group(*mark.args, **mark.kwargs))
    items.sort(key=lambda item: _place(groups[id(item)]))


def _place(group: pytest.Mark | None) -> int:
    lane = str(group.args[0]) if group and group.args else ""
    return LANES.index(lane) if lane in LANES else len(LANES)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect what cannot run here, counted by reason."""
    _keep_lanes(items)
    if config.getoption("--only-database"):
        other = [item for item in items if not _uses_database(item)]
        items[:] = [item for item in items if _uses_database(item)]
        config.hook.pytest_deselected(items=other)
    kept, dropped = [], []
    for item in items:
        reason = next((text for marker, text in config.stash[REASONS].items() if item.get_closest_marker(marker)), None)
        if reason is None:
            kept.append(item)
        else:
            dropped.append(item)
            config.stash[LEFT_OUT][reason] += 1
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        items[:] = kept


def pytest_sessionfinish(session: pytest.Session) -> None:
    """An xdist worker hands its counts to the controlling process, which collects nothing itself."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["left_out"] = dict(session.config.stash[LEFT_OUT])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: object, error: object) -> None:
    """Every worker collected the same tests: one's counts are everybody's."""
    counts = getattr(node, "workeroutput", {}).get("left_out")
    if counts:
        node.config.stash[LEFT_OUT] = Counter(counts)  # type: ignore[attr-defined]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The last lines: how many tests did not run, and what would let them."""
    counts = config.stash[LEFT_OUT]
    if counts:
        terminalreporter.section("left out")
        for reason, number in counts.most_common():
            terminalreporter.write_line(f"{number} tests: {reason}")
        terminalreporter.write_line("`make services` installs and starts what is missing.")
