"""What the script's process was and what became of it, as the two JSON files that v1 keeps with a run's logs.

process_info.json is written before the script starts: command, interpreter, node. process_status.json when it has
ended: exit code, signal, error, seconds, processor time and memory. Values that may be secret are masked before they
are written: in JSON a quoted secret would not look like itself any more.
"""

from __future__ import annotations

import json
import os
import platform
import resource
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from atelier_jobs.agent.failure import End
from atelier_jobs.agent.job import Place
from atelier_jobs.agent.masking import Mask

INFO, STATUS = "azureml-logs/process_info{}.json", "azureml-logs/process_status{}.json"
#: ru_maxrss counts kilobytes on Linux (getrusage(2)).
RSS_UNIT = 1024


def names(task: int) -> tuple[str, str]:
    """The two files' names; those of a run's further nodes carry their number."""
    number = f"_{task}" if task else ""
    return INFO.format(number), STATUS.format(number)


def write_info(file: Path, where: Place, command: Sequence[str], at: str, mask: Mask) -> None:
    """What is about to run."""
    _write(
        file,
        {
            "command": [_masked(part, mask) for part in command],
            "workingDirectory": str(where.work),
            "interpreter": where.python,
            "node": where.node,
            "task": where.task,
            "agentProcessId": os.getpid(),
            "platform": platform.platform(),
            "processorCount": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
            "startTimeUtc": at,
        },
    )


def write_status(file: Path, end: End, started: str | None, ended: str, seconds: float | None, mask: Mask) -> None:
    """How it ended. What an agent that came later cannot know (it did not wait for the process) is null."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN) if seconds is not None else None
    error: Mapping[str, str] = end.error or {}
    _write(
        file,
        {
            "status": "Completed" if end.exit_code == 0 else "Failed",
            "exitCode": end.exit_code,
            "signal": end.signal or None,
            "errorType": error.get("type") or None,
            "errorMessage": _masked(error.get("message") or "", mask) or None,
            "startTimeUtc": started,
            "endTimeUtc": ended,
            "seconds": None if seconds is None else round(seconds, 3),
            "userCpuSeconds": round(usage.ru_utime, 3) if usage else None,
            "systemCpuSeconds": round(usage.ru_stime, 3) if usage else None,
            "maxResidentBytes": usage.ru_maxrss * RSS_UNIT if usage else None,
        },
    )


def _masked(text: str, mask: Mask) -> str:
    return mask(text.encode(errors="replace")).decode(errors="replace")


def _write(file: Path, content: Mapping[str, Any]) -> None:
    """Whole or not at all: the thread that sends logs reads it meanwhile."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f".{file.name}.part")
    part.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    part.replace(file)
