"""Folders that a build works in. Each is locked while its process lives, so that what a killed one left can be told."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings


@contextmanager
def temporary() -> Iterator[Path]:
    """An empty folder for as long as the block lasts; those that killed workers left are removed on the way."""
    parent = Path(settings.HOME) / "builds"
    parent.mkdir(parents=True, exist_ok=True)
    sweep(parent)
    made = parent / f"build.{secrets.token_hex(4)}"
    with held(made):
        try:
            yield made
        finally:
            shutil.rmtree(made, ignore_errors=True)


@contextmanager
def held(made: Path) -> Iterator[None]:
    """Makes the folder `made`, named ….xxxxxxxx, and holds it to the end of the block, however that comes."""
    # Under another name until it is held: a sweep looks at the names that are complete.
    fresh = made.with_name(f"new-{secrets.token_hex(8)}")
    fresh.mkdir()
    handle = os.open(fresh, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        fresh.rename(made)
        yield
    finally:
        os.close(handle)


def sweep(parent: Path, stays: Callable[[Path], bool] = lambda path: False) -> None:
    """Removes the folders ….xxxxxxxx that no living process holds, but those that `stays` says are whole."""
    for left in parent.glob("*.????????"):
        if left.is_symlink() or stays(left):
            continue
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            handle = os.open(left, os.O_RDONLY)
            stack.callback(os.close, handle)
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # BlockingIOError: its process lives
            shutil.rmtree(left, ignore_errors=True)
