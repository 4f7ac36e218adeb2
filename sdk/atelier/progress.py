"""How far long work has come: one line that is written over, in a terminal or a notebook, and nothing elsewhere.

It appears once the work has taken a second, and is wiped when the work ends, so a log file never holds it.
"""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import IO, TextIO

#: Seconds until the line appears, and between two changes of it.
APPEARS, CHANGES = 1.0, 0.2
WIDTH = 100
UNITS = ("bytes", "kB", "MB", "GB", "TB")


def in_notebook() -> bool:
    """Whether this process is a Jupyter kernel."""
    if "IPython" not in sys.modules:
        return False
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    return shell is not None and "ipykernel" in type(shell).__module__


def readable(size: float) -> str:
    """A number of bytes for people: "512 bytes", "3.4 MB"."""
    power = 0
    while size >= 1000 and power < len(UNITS) - 1:
        size, power = size / 1000, power + 1
    return f"{size:.1f} {UNITS[power]}" if power else f"{size:.0f} bytes"


def _place() -> TextIO | None:
    """Where such a line can be written over: a terminal's error output (so that a pipe stays clean), a notebook."""
    if in_notebook():
        return sys.stdout
    err = sys.stderr
    return err if err is not None and err.isatty() else None


class Progress:
    """The line of one piece of work; as a context manager it is wiped at the end. `total` is in bytes, if known."""

    def __init__(self, what: str, total: int | None = None, *, show: bool = True) -> None:
        self.what = what
        self.total = total
        self.done = 0
        self._out = _place() if show else None
        self._start = time.monotonic()
        self._next = self._start + APPEARS
        self._written = 0

    @property
    def visible(self) -> bool:
        """Whether anybody can see the line; if not, don't ask the server for what it would say."""
        return self._out is not None

    def add(self, size: int, what: str | None = None) -> None:
        """So many bytes more; `what` changes the words."""
        self.done += size
        if what is not None:
            self.what = what
        if self._out is not None and time.monotonic() >= self._next:
            self._write(f"{self.what}: {self._amount()}" if self.done else self.what)

    def say(self, words: str) -> None:
        """Words in place of an amount, with how long it has been."""
        if self._out is not None and time.monotonic() >= self._next:
            self._write(f"{words} ({time.monotonic() - self._start:.0f} s)")

    def _amount(self) -> str:
        if not self.total:
            return readable(self.done)
        share = min(1.0, self.done / self.total)
        return f"{readable(self.done)} of {readable(self.total)} ({share:.0%})"

    def _write(self, line: str) -> None:
        assert self._out is not None
        line = line if len(line) <= WIDTH else line[: WIDTH - 1] + "…"
        self._out.write("\r" + line + " " * max(0, self._written - len(line)))
        self._out.flush()
        self._written = len(line)
        self._next = time.monotonic() + CHANGES

    def wipe(self) -> None:
        """Take the line away, so that something else can be written."""
        if self._out is not None and self._written:
            self._out.write("\r" + " " * self._written + "\r")
            self._out.flush()
            self._written = 0

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.wipe()


class Counted:
    """A binary file that counts what is read of it; a rewind (for a repeated request) takes the count back."""

    def __init__(self, file: IO[bytes], progress: Progress) -> None:
        self._file = file
        self._progress = progress

    def read(self, size: int = -1) -> bytes:
        """As the file's."""
        data = self._file.read(size)
        self._progress.add(len(data))
        return data

    def tell(self) -> int:
        """As the file's."""
        return self._file.tell()

    def seekable(self) -> bool:
        """As the file's."""
        return self._file.seekable()

    def seek(self, offset: int, whence: int = 0) -> int:
        """As the file's; what is read again is counted once."""
        before = self._file.tell()
        after = self._file.seek(offset, whence)
        self._progress.done -= max(0, before - after)
        return after
