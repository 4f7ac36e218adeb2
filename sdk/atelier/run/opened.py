"""Interactive runs that this process has started and not ended: they end with the process.

A script that stops by an exception leaves its runs Failed with the traceback; one that simply ends leaves them
Completed. So no run stays Running for ever because `complete()` was forgotten.
"""

from __future__ import annotations

import atexit
import os
import sys
from typing import Any

from atelier.errors import AtelierError

_open: dict[str, tuple[int, Any]] = {}


def remember(run: Any) -> None:
    """`run` was started here."""
    _open[run.id] = (os.getpid(), run)


def forget(run: Any) -> None:
    """`run` has ended, or is no longer ours to end."""
    _open.pop(run.id, None)


def end_all() -> None:
    """End what this process (not its parent before a fork) left open, children first."""
    error = getattr(sys, "last_value", None) if "IPython" not in sys.modules else None
    for pid, run in reversed(list(_open.values())):
        if pid != os.getpid():
            continue
        try:
            if error is not None:
                run.fail(error)
            else:
                run.complete()
        except AtelierError as problem:
            print(f"The run {run.id} could not be ended: {problem.message}", file=sys.stderr)


atexit.register(end_all)
