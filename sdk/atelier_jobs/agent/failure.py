"""How a script ended, in words: its exit code or signal, out of memory told apart, the last traceback of its log."""

from __future__ import annotations

import re
import shutil
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# The end of a log in which the last traceback is looked for.
TAIL_BYTES = 64_000
TRACEBACK = "Traceback (most recent call last):"
# "ValueError: text", "package.module.Error", "KeyboardInterrupt": what ends a traceback. Not indented.
LAST_LINE = re.compile(r"^([A-Za-z_][\w.]*)(?:: (.*))?$")
COUNTERS = (
    ("/sys/fs/cgroup/memory.events", "oom_kill"),
    ("/sys/fs/cgroup/memory/memory.oom_control", "oom_kill"),
    ("/proc/vmstat", "oom_kill"),
)


@dataclass(frozen=True)
class End:
    """What became of the script: `exit_code` None when a signal ended it, `signal` such as SIGKILL or empty."""

    exit_code: int | None
    signal: str
    error: Mapping[str, str] | None

    def as_dict(self) -> dict[str, Any]:
        """The wire form."""
        return {"exit_code": self.exit_code, "signal": self.signal, "error": dict(self.error) if self.error else None}


def oom_kills() -> int | None:
    """How often the kernel has ended a process here for want of memory: this container's count, else the machine's."""
    for path, name in COUNTERS:
        try:
            text = Path(path).read_text()
        except OSError:
            continue
        for line in text.splitlines():
            key, _, value = line.partition(" ")
            if key == name:
                return int(value)
    return None


def end_of(returncode: int, log: Path, oom_before: int | None, task: str = "The script") -> End:
    """The end of a process with this `returncode` (negative: a signal's number, as subprocess has it)."""
    if returncode == 0:
        return End(0, "", None)
    found = last_traceback(tail(log))
    now = oom_kills()
    starved = now is not None and oom_before is not None and now > oom_before
    # A shell reports a signal of its child as 128 plus the number.
    number = -returncode if returncode < 0 else returncode - 128 if 128 < returncode < 160 else 0
    name = signal_name(number) if number else ""
    if starved and (number == signal.SIGKILL or not found):
        return End(
            None if returncode < 0 else returncode,
            name,
            {
                "type": "OutOfMemory",
                "message": f"{task} used more memory than it may: the kernel ended it ({name or 'one of its processes'}). "
                "Use less memory, or a compute target whose nodes have more.",
                "traceback": found["traceback"] if found else "",
            },
        )
    if returncode < 0:
        message = f"{task} was ended by the signal {name}{MEANING.get(name, '')}."
        return End(None, name, {"type": "Signal", "message": message, "traceback": found["traceback"] if found else ""})
    if found:
        return End(returncode, "", found)
    if disk_is_full(log.parent):
        message = (
            f"{task} ended with exit code {returncode}, and the disk it writes to is full (No space left on device)."
        )
        return End(returncode, "", {"type": "DiskFull", "message": message, "traceback": ""})
    words = last_words(tail(log))
    message = f"{task} ended with exit code {returncode}{MEANING.get(name, '')}."
    if words:
        message += f" The last line of its log: {words}"
    return End(returncode, "", {"type": "ExitCode", "message": message, "traceback": ""})


MEANING = {
    "SIGSEGV": ", a fault in native code",
    "SIGKILL": ", sent from outside or for want of memory",
    "SIGTERM": ", as someone or something asked it to stop",
    "SIGABRT": ", which native code raises when a check of its own fails",
    "SIGBUS": ", a fault in native code; a full shared-memory folder causes it too",
}


def disk_is_full(folder: Path) -> bool:
    """Whether not even a traceback would fit into a folder any more."""
    try:
        return shutil.disk_usage(folder).free < 64_000
    except OSError:
        return False


def signal_name(number: int) -> str:
    """SIGKILL for 9; a number without a name stays a number."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def tail(log: Path) -> str:
    """The end of a log as text; empty when there is none."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - TAIL_BYTES))
            return file.read().decode(errors="replace")
    except OSError:
        return ""


def last_traceback(text: str) -> dict[str, str] | None:
    """{type, message, traceback} of the last Python traceback, or None. `message` is its last line, whole."""
    lines = text.replace("\r\n", "\n").split("\n")
    starts = [at for at, line in enumerate(lines) if line.strip().endswith(TRACEBACK)]
    begin = starts[-1] if starts else _syntax_error(lines)
    if begin is None:
        return None
    # Ranks and loggers put a prefix before each line, the same before all of the block.
    prefix = lines[begin].rstrip()[: -len(TRACEBACK)] if starts else ""
    body = [line.removeprefix(prefix) for line in lines[begin:]]
    for at, line in enumerate(body[1:], 1):
        if line[:1] in (" ", "\t", "") or line.startswith("|"):
            continue
        match = LAST_LINE.match(line)
        if match is None:
            continue
        block = body[: at + 1]
        # A message of several lines goes on until the log's next blank line.
        for more in body[at + 1 : at + 20]:
            if not more.strip():
                break
            block.append(more)
        return {"type": match.group(1).rpartition(".")[2], "message": line, "traceback": "\n".join(block)[-16_000:]}
    return None


def _syntax_error(lines: list[str]) -> int | None:
    """A script that does not parse has no traceback line: it begins with its File line."""
    for at in range(len(lines) - 1, -1, -1):
        if re.match(r"(SyntaxError|IndentationError|TabError)\b", lines[at]):
            for begin in range(at - 1, max(-1, at - 6), -1):
                if lines[begin].startswith('  File "'):
                    return begin
    return None


def last_words(text: str) -> str:
    """The last line that says something."""
    for line in reversed(text.splitlines()):
        if line.strip():
            return line.strip()[:500]
    return ""
