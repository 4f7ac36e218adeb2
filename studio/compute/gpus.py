"""GPUs through NVML, where there is one. A machine without a driver has no GPU, and that is no error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pynvml


@dataclass(frozen=True)
class GpuUse:
    """What one GPU does now: percent of the last sampling period in which a kernel ran; memory in bytes."""

    index: int
    name: str
    percent: float
    memory_bytes: int
    memory_total: int


@contextmanager
def _nvml() -> Iterator[bool]:
    """Whether NVML answers. The library counts its initialisations, so this may nest."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        yield False
        return
    try:
        yield True
    finally:
        pynvml.nvmlShutdown()


def count() -> int:
    """How many GPUs this machine has."""
    with _nvml() as there:
        return int(pynvml.nvmlDeviceGetCount()) if there else 0


def use(indexes: list[int] | None = None) -> list[GpuUse]:
    """What the GPUs do now: all of them, or those with the given indexes."""
    with _nvml() as there:
        if not there:
            return []
        wanted = range(pynvml.nvmlDeviceGetCount()) if indexes is None else indexes
        return [found for index in wanted if (found := _one(index)) is not None]


def _one(index: int) -> GpuUse | None:
    try:
        handle = pynvml.nvmlDeviceGetHandleByIndex(index)
        rates = pynvml.nvmlDeviceGetUtilizationRates(handle)
        memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
        name = pynvml.nvmlDeviceGetName(handle)
    except pynvml.NVMLError:
        return None  # fallen off the bus, or a slice that reports no utilisation
    name = name.decode() if isinstance(name, bytes) else str(name)
    return GpuUse(index, name, float(rates.gpu), int(memory.used), int(memory.total))
