"""GPUs through NVML, where there is one. A machine without a driver has no GPU, and that is no error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class GpuUse:
    """What one GPU does now: percent of the last sampling period in which a kernel ran; memory in bytes."""

    index: int
    name: str
    percent: float
    memory_bytes: int
    memory_total: int


@contextmanager
def _nvml() -> Iterator[Any]:
    """The library, when it answers, else None. It counts its initialisations, so this may nest."""
    import pynvml  # here: pages start without it, and most machines have nothing to ask it

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        yield None
        return
    try:
        yield pynvml
    finally:
        pynvml.nvmlShutdown()


def count() -> int:
    """How many GPUs this machine has."""
    with _nvml() as nvml:
        return int(nvml.nvmlDeviceGetCount()) if nvml else 0


def use(indexes: list[int] | None = None) -> list[GpuUse]:
    """What the GPUs do now: all of them, or those with the given indexes."""
    with _nvml() as nvml:
        if nvml is None:
            return []
        wanted = range(nvml.nvmlDeviceGetCount()) if indexes is None else indexes
        return [found for index in wanted if (found := _one(nvml, index)) is not None]


def _one(nvml: Any, index: int) -> GpuUse | None:
    try:
        handle = nvml.nvmlDeviceGetHandleByIndex(index)
        rates = nvml.nvmlDeviceGetUtilizationRates(handle)
        memory = nvml.nvmlDeviceGetMemoryInfo(handle)
        name = nvml.nvmlDeviceGetName(handle)
    except nvml.NVMLError:
        return None  # fallen off the bus, or a slice that reports no utilisation
    name = name.decode() if isinstance(name, bytes) else str(name)
    return GpuUse(index, name, float(rates.gpu), int(memory.used), int(memory.total))
