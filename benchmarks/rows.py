"""The rows of the table: what is measured on each server through its front door."""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from benchmarks.peers import AtelierPeer, MlflowPeer, Peer
from benchmarks.seed import seed_atelier, seed_mlflow, seed_mlflow_points
from benchmarks.wire import load, median_time

MILLION = 1_000_000


@dataclass(frozen=True)
class Row:
    """One line: its key, what it says, the unit, whether more is better, and how many times better than the peer we aim at."""

    key: str
    title: str
    unit: str
    more_is_better: bool
    aim: float | None = None
    most: float | None = None
    """An aim in the row's own unit instead of a ratio."""


ROWS = [
    Row("metric1", "single metric, one request each, 1 client", "/s", True, 5),
    Row("metric8", "the same, 8 clients", "/s", True, 6),
    Row("batch1", "batches of 1,000 points (10 metrics x 100 steps), 1 client", "points/s", True, 25),
    Row("batch4", "the same, 4 clients", "points/s", True, 25),
    Row("run1", "create and end a run, 1 client", "/s", True, 6),
    Row("run8", "the same, 8 clients", "/s", True, 7),
    Row("page_small", "page of 100 among {small:,} runs ordered by a metric, median", "ms", False, 15),
    Row("page_large", "the same among {large:,} runs, median", "ms", False, 40),
    Row("page_large95", "the same, 95th percentile", "ms", False, None),
    Row("filtered", "filtered and ordered, {large:,} runs", "ms", False, 5),
    Row("walk", "20 pages of 100, {large:,} runs", "s", False, 20),
    Row("history", "history of one metric with {points:,} points, parsed", "s", False, 120),
    Row("chart1", "chart of {points:,} points", "s", False, 12),
    Row("chart10", "chart of 10 runs x {tenth:,} points", "s", False, 15),
    Row("mixed_search", "search, 95th percentile, while 4 clients write batches", "ms", False, None, 30),
    Row("mixed_write", "points written meanwhile", "points/s", True, None, 250_000),
    Row("small_up", "1,000 artifacts of 10 kB, 1 client", "s", False, 4),
    Row("big_up", "one artifact of 100 MB, up", "s", False, 2),
    Row("big_down", "one artifact of 100 MB, down", "s", False, 4),
    Row("memory", "memory of the idle server (sum of PSS)", "MB", False, None, 350),
    Row("processes", "its processes", "", False, None),
    Row("start", "start to first answer", "s", False, None, 2),
    Row("import", "client: import", "s", False, None, 0.2),
    Row("noop", "client: no-op script (start a run, log a metric, end), whole process", "s", False, None, 0.35),
    Row("enqueue", "client: log a metric in a loop, enqueue only", "/s", True, None, 100_000),
    Row("delivered", "client: the same until delivered", "/s", True, None, 50_000),
    Row("pandas", "client: 10,000 runs into pandas", "s", False, 20),
    Row("client_history", "client: history of {points:,} points", "s", False, 100),
    Row("client_up", "client: 1,000 artifacts of 10 kB, up", "s", False, 4),
    Row("client_down", "client: the same, down", "s", False, 15),
    Row("submit_process", "submit a trivial project to Completed, process, CLI included", "s", False, None, 1.0),
    Row("submit_docker", "the same in a container", "s", False, None, 1.5),
    Row("line_process", "submit to first line of user code, process", "s", False),
    Row("line_docker", "the same in a container, image warm", "s", False),
    Row("docker_run", "(bare `docker run --rm` of the same image)", "s", False),
]


@dataclass
class Options:
    """How much is measured."""

    seconds: float = 3.0
    small: int = 10_000
    large: int = 100_000
    points: int = MILLION
    repeats: int = 3
    parts: set[str] = field(default_factory=set)


def metrics(peer: Peer, options: Options) -> dict[str, float]:
    """Single metrics and batches, from one client and from several."""
    setup = peer.connect()
    runs = [peer.create_run(setup) for _ in range(8)]
    found: dict[str, float] = {}
    for clients in (1, 8):
        done = load(
            peer.connect,
            lambda c, n: peer.log_metric(c, runs[n // 10_000_000], n % 10_000_000),
            clients,
            options.seconds,
        )
        found[f"metric{clients}"] = done.per_second
    for clients in (1, 4):
        runs = [peer.create_run(setup) for _ in range(clients)]
        # The closure reads the list of this turn: load() ends before the next one is made.
        done = load(
            peer.connect,
            lambda c, n, runs=runs: peer.log_batch(c, runs[n // 10_000_000], n % 10_000_000 * 100),  # type: ignore[misc]
            clients,
            options.seconds,
        )
        found[f"batch{clients}"] = done.per_second * 1000
    return found


def runs(peer: Peer, options: Options) -> dict[str, float]:
    """Runs made and ended."""
    found = {}
    for clients in (1, 8):
        done = load(peer.connect, lambda c, n: peer.end_run(c, peer.create_run(c)), clients, options.seconds)
        found[f"run{clients}"] = done.per_second
    return found


def _seed(peer: Peer, first: int, count: int) -> None:
    if isinstance(peer, AtelierPeer):
        seed_atelier(peer, first, count)
    elif isinstance(peer, MlflowPeer):
        seed_mlflow(peer, first, count)


def lists(peer: Peer, options: Options, analyse: Callable[[], None]) -> dict[str, float]:
    """Pages ordered by a metric, among few and among many runs."""
    found: dict[str, float] = {}

    def page(c: object, n: int) -> None:
        count, _ = peer.page(c)  # type: ignore[arg-type]
        if count != 100:
            raise RuntimeError(f"a page of 100 has {count}")

    _seed(peer, 0, options.small)
    analyse()
    found["page_small"] = load(peer.connect, page, 1, options.seconds).percentile(0.5) * 1000
    if options.large > options.small:
        _seed(peer, options.small, options.large - options.small)
        analyse()
    done = load(peer.connect, page, 1, options.seconds)
    found["page_large"], found["page_large95"] = done.percentile(0.5) * 1000, done.percentile(0.95) * 1000
    done = load(peer.connect, lambda c, n: peer.page(c, filtered=True) and None, 1, options.seconds)
    found["filtered"] = done.percentile(0.5) * 1000

    def walk() -> None:
        connection, cursor = peer.connect(), ""
        for _ in range(20):
            count, cursor = peer.page(connection, cursor=cursor)
            if count != 100:
                raise RuntimeError(f"a page of 100 has {count}")

    found["walk"] = median_time(walk, options.repeats)
    return found


def curve(count: int) -> list[float]:
    """A loss curve with a spike, which a sample has to keep."""
    values = [math.exp(-step / count * 5) + 0.01 * math.sin(step / 7) for step in range(count)]
    values[count // 3] = 9.0
    return values


def write_curve(peer: Peer, count: int) -> str:
    """A run with `count` points of "curve"; its id. The peer's points go into its tables, at two minutes a million otherwise."""
    connection = peer.connect()
    run = peer.create_run(connection)
    values = curve(count)
    if isinstance(peer, MlflowPeer):
        seed_mlflow_points(peer, run, "curve", values)
    else:
        for first in range(0, count, 10_000):
            peer.log_points(connection, run, "curve", first, values[first : first + 10_000])
    return run


def series(peer: Peer, options: Options, analyse: Callable[[], None]) -> dict[str, float]:
    """A long history whole, and charts of it."""
    long = write_curve(peer, options.points)
    many = [write_curve(peer, options.points // 10) for _ in range(10)]
    analyse()
    connection = peer.connect()
    repeats = 1 if isinstance(peer, MlflowPeer) else options.repeats

    def history() -> None:
        if (count := peer.history(connection, long, "curve")) != options.points:
            raise RuntimeError(f"the history has {count} points")

    found = {"history": median_time(history, repeats)}
    peer.chart(connection, [long], "curve")
    found["chart1"] = median_time(lambda: peer.chart(connection, [long], "curve"), options.repeats)
    found["chart10"] = median_time(lambda: peer.chart(connection, many, "curve"), options.repeats)
    return found


def mixed(peer: Peer, options: Options) -> dict[str, float]:
    """People look while jobs write. The seeded runs must be there."""
    setup = peer.connect()
    targets = [peer.create_run(setup) for _ in range(4)]
    writers: list[float] = []
    thread = threading.Thread(
        target=lambda: writers.append(
            load(
                peer.connect,
                lambda c, n: peer.log_batch(c, targets[n // 10_000_000], n % 10_000_000 * 100),
                4,
                options.seconds + 1,
            ).per_second
        )
    )
    thread.start()
    time.sleep(0.5)
    searches = load(peer.connect, lambda c, n: peer.page(c) and None, 1, options.seconds)
    thread.join()
    if not writers:
        raise RuntimeError("a writer failed")
    return {"mixed_search": searches.percentile(0.95) * 1000, "mixed_write": writers[0] * 1000}


def artifacts(peer: Peer, options: Options) -> dict[str, float]:
    """Many small files and a large one."""
    connection = peer.connect()
    run = peer.create_run(connection)
    draw = random.Random(7)
    large = [bytes([number]) * 100_000_000 for number in range(options.repeats)]
    small = [draw.randbytes(10_000) for _ in range(1000)]  # each its own: a content that is there already costs less
    began = time.perf_counter()
    for number, data in enumerate(small):
        peer.put_artifact(connection, run, f"small/{number:04d}.bin", data)
    found = {"small_up": time.perf_counter() - began}
    numbers = iter(range(options.repeats))

    def up() -> None:
        number = next(numbers)
        peer.put_artifact(connection, run, f"large-{number}.bin", large[number])

    found["big_up"] = median_time(up, options.repeats)

    def down() -> None:
        if (size := peer.get_artifact(connection, run, "large-0.bin")) != len(large[0]):
            raise RuntimeError(f"the artifact came back with {size} bytes")

    found["big_down"] = median_time(down, options.repeats)
    return found
