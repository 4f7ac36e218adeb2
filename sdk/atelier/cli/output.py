"""How the command talks: JSON or aligned columns on standard output, progress on a terminal's standard error."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from atelier import config
from atelier.errors import ConfigurationError, UserError
from atelier.workspace import Workspace


def as_json(value: Any) -> None:
    """Print a value as JSON."""
    print(json.dumps(value, indent=2, default=str))


def table(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print rows in aligned columns."""
    texts = [[("" if cell is None else str(cell)) for cell in row] for row in rows]
    widths = [max([len(head), *(len(row[i]) for row in texts)]) for i, head in enumerate(heads)]
    for row in [list(heads), *texts]:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def progress(words: str) -> None:
    """Say what is going on, where a person watches."""
    if sys.stderr.isatty():
        print(words, file=sys.stderr, flush=True)


def size(count: int) -> str:
    """Bytes for people."""
    number = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000 or unit == "GB":
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    raise AssertionError("unreachable")


def moment(text: str | None) -> str:
    """A time of the server as local date and minute."""
    if not text:
        return ""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone().strftime("%Y-%m-%d %H:%M")


def duration(start: str | None, end: str | None) -> str:
    """Between two times of the server, or until now: 3 s, 2 min 5 s, 1 h 2 min."""
    if not start:
        return ""
    begun = datetime.fromisoformat(start.replace("Z", "+00:00"))
    ended = datetime.fromisoformat(end.replace("Z", "+00:00")) if end else datetime.now(UTC)
    seconds = max(0, int((ended - begun).total_seconds()))
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"


def workspace_of(name: str | None) -> Workspace:
    """The workspace of --workspace, of config.json, of ATELIER_WORKSPACE, or the only one there is."""
    name = name or os.environ.get("ATELIER_WORKSPACE")
    if name:
        return Workspace.get(name)
    try:
        return Workspace.from_config(Path.cwd())
    except ConfigurationError:
        client = config.default_client()
        names = [one["name"] for one in client.call("GET", "/me")["workspaces"]]
    if len(names) == 1:
        return Workspace.get(names[0])
    if not names:
        raise UserError("You are in no workspace yet. An owner of one can add you.")
    raise UserError(f"Which workspace? Say --workspace with one of: {', '.join(sorted(names))}.")


def pairs(words: Sequence[str], what: str, *, valued: bool) -> dict[str, str | None]:
    """KEY=VALUE words as a dictionary; without `valued` a bare KEY has None."""
    found: dict[str, str | None] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not key or (valued and not equals):
            raise UserError(f"{what} {word!r} must be KEY=VALUE.")
        found[key] = value if equals else None
    return found
