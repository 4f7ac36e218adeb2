"""`atelier logs`, `open` and `runs …`."""

from __future__ import annotations

import argparse
import sys
import time
import webbrowser
from pathlib import Path
from typing import Any, TextIO

from atelier import artifacts
from atelier.cli import output
from atelier.client import segment
from atelier.errors import UserError
from atelier.run.record import FINAL
from atelier.run.run import Run
from atelier.run.watch import LogStream, wait

POLL = 0.5
DRIVER = ("azureml-logs/70_driver_log.txt", "user_logs/std_log.txt")


def _run(arguments: argparse.Namespace, run_id: str | None = None) -> Run:
    return output.workspace_of(arguments.workspace).run(run_id or arguments.run_id)


def logs(arguments: argparse.Namespace) -> int:
    """Show or follow a log."""
    run = _run(arguments)
    known = run._logs()
    if arguments.list:
        if arguments.json:
            output.as_json(known)
        else:
            output.table(("LOG", "SIZE"), [(log["path"], output.size(log["size"])) for log in known])
        return 0
    if arguments.follow and not arguments.file:
        details = wait(run, show_output=True, raise_on_error=False, out=sys.stderr if arguments.json else sys.stdout)
        if arguments.json:
            output.as_json(details)
        return 0 if details["status"] == "Completed" else 1
    name = arguments.file or _main_log(run, [log["path"] for log in known])
    if arguments.follow:
        _follow(run, name, sys.stderr if arguments.json else sys.stdout)
    _known_log(run, name)
    if arguments.json:
        output.as_json({"file": name, "text": run._log_text(name)})
    elif not arguments.follow:
        stream = LogStream(run, sys.stdout)
        while stream.show(name, heading=False):
            pass
    return 1 if arguments.follow and run.get_status() != "Completed" else 0


def _follow(run: Run, name: str, out: TextIO) -> None:
    """Prints one log as it grows, until the run has ended. It need not be there yet."""
    stream = LogStream(run, out)
    while True:
        final = run.get_status() in FINAL
        moved = stream.show(name, heading=False)
        if final and not moved:
            return
        if not moved:
            time.sleep(POLL)


def _known_log(run: Run, name: str) -> None:
    names = [log["path"] for log in run._logs()]
    if name not in names:
        there = f" It has {', '.join(names)}." if names else ""
        raise UserError(f"The run {run.id} has no log {name!r}.{there}")


def _main_log(run: Run, names: list[str]) -> str:
    for name in DRIVER:
        if name in names:
            return name
    if not names:
        raise UserError(f"The run {run.id} has no log yet; it is {run.get_status()}. -f waits for it.")
    return sorted(names)[-1]


def open_page(arguments: argparse.Namespace) -> int:
    """Open a page, or print its address."""
    workspace = output.workspace_of(arguments.workspace)
    url = workspace.run(arguments.run_id).get_portal_url() if arguments.run_id else workspace.get_portal_url()
    if arguments.json:
        output.as_json({"url": url})
    else:
        print(url)
    if not arguments.print and not arguments.json and not webbrowser.open(url):
        print("There is no browser on this machine; the address is above.", file=sys.stderr)
    return 0


def list_runs(arguments: argparse.Namespace) -> int:
    """The newest runs, with the metrics asked for."""
    workspace = output.workspace_of(arguments.workspace)
    params = {
        "experiment": arguments.experiment,
        "status": arguments.status,
        "tag": arguments.tag or None,
        "order": arguments.order,
        "metrics": ",".join(arguments.metric) or None,
        "include_children": arguments.children or None,
    }
    address = f"/workspaces/{segment(workspace.name)}/runs"
    records = list(workspace.client.pages(address, params, arguments.limit))
    if arguments.json:
        output.as_json(records)
        return 0
    rows = [
        (
            record["id"],
            record["experiment"],
            record["status"],
            output.moment(record["created_at"]),
            output.duration(record["started_at"], record["ended_at"]),
            *((record.get("metrics") or {}).get(name) for name in arguments.metric),
        )
        for record in records
    ]
    output.table(("RUN", "EXPERIMENT", "STATUS", "CREATED", "TOOK", *(name.upper() for name in arguments.metric)), rows)
    return 0


def show(arguments: argparse.Namespace) -> int:
    """All there is to say about a run."""
    run = _run(arguments)
    record = run._fetch()
    metrics = run.get_metrics()
    files = artifacts.listed(run._client, run.id)
    if arguments.json:
        output.as_json({**record, "metrics": metrics, "files": files})
        return 0
    print(f"{run.display_name}\n{run.get_portal_url()}\n")
    took = output.duration(record["started_at"], record["ended_at"])
    facts = [
        ("id", run.id),
        ("experiment", record["experiment"]),
        ("status", record["status"]),
        ("compute", record.get("compute")),
        ("created", output.moment(record["created_at"])),
        ("took", took),
        ("parent", record.get("parent_id")),
        ("by", record.get("submitted_by")),
    ]
    _section(None, [fact for fact in facts if fact[1]])
    _section("tags", [(key, "" if value is None else value) for key, value in run.tags.items()])
    _section("metrics", [(name, _short(value)) for name, value in metrics.items()])
    _section("files", [(file["path"], output.size(file["size"])) for file in files])
    if record.get("error"):
        print(f"\nerror\n  {record['error']['message']}")
    return 0


def _section(head: str | None, rows: list[tuple[str, Any]]) -> None:
    if head and rows:
        print(f"\n{head}")
    width = max((len(name) for name, _ in rows), default=0)
    for name, value in rows:
        print(f"{'  ' if head else ''}{name.ljust(width)}  {value}".rstrip())


def _short(value: Any) -> str:
    if isinstance(value, list):
        return f"{value[-1]} (last of {len(value)})" if value else "empty"
    if isinstance(value, dict):
        return "table of " + ", ".join(value)
    return str(value)


def cancel(arguments: argparse.Namespace) -> int:
    """Ask for runs to stop; with --wait until they have."""
    found = [_run(arguments, run_id) for run_id in arguments.run_ids]
    for run in found:
        if run.status not in FINAL:
            run.cancel()
    states = {}
    for run in found:
        while arguments.wait and run.get_status() not in FINAL:
            time.sleep(0.3)
        states[run.id] = run.get_status()
    if arguments.json:
        output.as_json(states)
    else:
        for run_id, state in states.items():
            print(f"{run_id}: {state if state in FINAL else 'asked to stop'}")
    return 0


def download(arguments: argparse.Namespace) -> int:
    """Fetch files, saying which."""
    run = _run(arguments)
    start = (arguments.prefix or "").strip("/")
    names = [name for name in run.get_file_names() if not start or name == start or name.startswith(start + "/")]
    if not names:
        raise UserError(
            f"The run {run.id} has no files below {start!r}." if start else f"The run {run.id} has no files."
        )
    folder = Path(arguments.to)
    output.progress(f"Downloading {len(names)} files into {folder.resolve()} …")
    paths = artifacts.download_many(run._client, run.id, names, folder)
    if arguments.json:
        output.as_json([{"name": name, "path": str(path)} for name, path in zip(names, paths, strict=True)])
    else:
        for path in paths:
            print(path)
    return 0
