"""Runs the parts asked for on each server in turn and prints one table with the ratios.

python -m benchmarks                              everything; about half an hour
python -m benchmarks --parts metrics,lists --runs 10000 --seconds 1
python -m benchmarks --servers atelier-sqlite     without a peer
"""

from __future__ import annotations

import argparse
import platform
import shlex
import sys
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

from benchmarks import clients, jobs, rows
from benchmarks.peers import AtelierPeer, MlflowPeer, Peer
from benchmarks.rows import Options
from benchmarks.servers import BENCH, Atelier, Mlflow, Postgres, forget_earlier
from benchmarks.table import render
from scripts.supervisor import StartError

SERVERS = ["mlflow-postgres", "mlflow-sqlite", "atelier-postgres", "atelier-sqlite"]
PARTS = ["memory", "metrics", "runs", "lists", "mixed", "series", "artifacts", "client", "jobs"]


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--parts", default=",".join(PARTS), help=f"comma-separated: {', '.join(PARTS)}")
    parser.add_argument("--servers", default=",".join(SERVERS), help=f"comma-separated: {', '.join(SERVERS)}")
    parser.add_argument("--runs", type=int, default=100_000, help="runs in the long list (default 100,000)")
    parser.add_argument("--points", type=int, default=1_000_000, help="points of the long history (default 1,000,000)")
    parser.add_argument("--seconds", type=float, default=3.0, help="how long each rate is measured (default 3)")
    parser.add_argument("--repeats", type=int, default=3, help="repeats of each duration (default 3)")
    parser.add_argument("--output", type=Path, default=BENCH / "table.md", help="where the table is kept too")
    return parser.parse_args()


def measure(server: Atelier | Mlflow, options: Options, analyse: Callable[[], None]) -> dict[str, float]:
    """All parts on one server. A part that fails says why and leaves its rows empty; the others go on."""
    server.start()
    found: dict[str, float] = {}
    try:
        peer: Peer = AtelierPeer(server) if isinstance(server, Atelier) else MlflowPeer(server)

        def memory() -> dict[str, float]:
            megabytes, count = server.memory()
            return {"memory": megabytes, "processes": count, "start": server.started_in}

        parts: dict[str, Callable[[], dict[str, float]]] = {
            "memory": memory,
            "metrics": lambda: rows.metrics(peer, options),
            "runs": lambda: rows.runs(peer, options),
            "lists": lambda: rows.lists(peer, options, analyse),
            "mixed": lambda: rows.mixed(peer, options),
            "series": lambda: rows.series(peer, options, analyse),
            "artifacts": lambda: rows.artifacts(peer, options),
            "client": lambda: clients.measure(peer, options),
            "jobs": lambda: jobs.measure(peer, options),
        }
        for name, part in parts.items():
            if name not in options.parts:
                continue
            began = time.monotonic()
            try:
                found |= part()
                print(f"  {name}: {time.monotonic() - began:.0f} s", flush=True)
            except (RuntimeError, StartError, OSError, AssertionError) as error:
                print(f"  {name} failed: {str(error)[-1500:]}", flush=True)
    finally:
        server.stop()
    return found


def main() -> int:
    """The exit status: 0 when at least one server was measured."""
    args = arguments()
    options = Options(
        seconds=args.seconds,
        large=args.runs,
        small=min(10_000, args.runs),
        points=args.points,
        repeats=args.repeats,
        parts=set(args.parts.split(",")),
    )
    wanted = args.servers.split(",")
    if unknown := (set(wanted) - set(SERVERS)) | (options.parts - set(PARTS)):
        print(
            f"Unknown: {', '.join(sorted(unknown))}. Servers: {', '.join(SERVERS)}. Parts: {', '.join(PARTS)}.",
            file=sys.stderr,
        )
        return 2
    BENCH.mkdir(parents=True, exist_ok=True)
    results: dict[str, dict[str, float]] = {}
    notes = []
    if any(name.startswith("mlflow") for name in wanted) and (reason := Mlflow.install()):
        notes.append(reason)
        wanted = [name for name in wanted if not name.startswith("mlflow")]
    postgres = None
    try:
        if any(name.endswith("postgres") for name in wanted):
            postgres = Postgres()
            postgres.start()
        for name in wanted:
            kind, database = name.split("-")
            url, analyse = "", (lambda: None)
            if database == "postgres" and postgres:
                url = postgres.database(kind)
                analyse = lambda url=url: postgres.analyse(url)  # type: ignore[misc]  # noqa: E731
            print(f"{name}", flush=True)
            server: Atelier | Mlflow = Atelier(url, name) if kind == "atelier" else Mlflow(url, name)
            results[name] = measure(server, options, analyse)
    except StartError as error:
        print(error, file=sys.stderr)
    finally:
        if postgres:
            postgres.stop()
        forget_earlier()
    command = shlex.join(["python", "-m", "benchmarks", *sys.argv[1:]])
    text = render(results, options, notes, f"{command}, {date.today()}, {platform.processor() or platform.machine()}")
    args.output.write_text(text)
    print(text)
    return 0 if any(results.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
