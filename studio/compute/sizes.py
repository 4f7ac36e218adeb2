"""What a vm_size means here: the table that ships, and the share of an engine that one node gets.

The names are those that existing scripts use; cores, memory and GPUs are those of the machines that carry the name in
Azure's public list. A site edits the table in the admin; this module only seeds it. Everything here is plain data.
"""

from dataclasses import dataclass

GIB = 1024**3
MEMORY_FOR_NODES = 0.9  # of an engine's memory: the rest is for the studio, the engine itself and the page cache
SMALLEST_NODE = 256 * 1024**2  # below this no Python with numpy starts


@dataclass(frozen=True)
class Size:
    """A row of the table. Memory and disk in GiB."""

    name: str
    cpus: int
    memory_gib: float
    gpus: int = 0
    disk_gib: int = 0
    family: str = ""


@dataclass(frozen=True)
class Capacity:
    """What an engine has in all. Memory in bytes."""

    name: str
    cpus: int
    memory_bytes: int
    gpus: int = 0


@dataclass(frozen=True)
class Share:
    """What one node gets: `cpus` may be a fraction, memory in bytes. `note` says what was cut, or is empty."""

    cpus: float
    memory_bytes: int
    gpus: int
    note: str = ""


def _rows(family: str, *rows: tuple[str, int, float, int, int]) -> list[Size]:
    return [Size(name, cpus, memory, gpus, disk, family) for name, cpus, memory, gpus, disk in rows]


SHIPPED: tuple[Size, ...] = tuple(
    _rows(
        "standardDv2Family",
        ("STANDARD_D1_V2", 1, 3.5, 0, 50),
        ("STANDARD_D2_V2", 2, 7, 0, 100),
        ("STANDARD_D3_V2", 4, 14, 0, 200),
        ("STANDARD_D4_V2", 8, 28, 0, 400),
        ("STANDARD_D11_V2", 2, 14, 0, 100),
        ("STANDARD_D12_V2", 4, 28, 0, 200),
        ("STANDARD_D13_V2", 8, 56, 0, 400),
        ("STANDARD_D14_V2", 16, 112, 0, 800),
    )
    + _rows(
        "standardDSv2Family",
        ("STANDARD_DS1_V2", 1, 3.5, 0, 7),
        ("STANDARD_DS2_V2", 2, 7, 0, 14),
        ("STANDARD_DS3_V2", 4, 14, 0, 28),
        ("STANDARD_DS4_V2", 8, 28, 0, 56),
        ("STANDARD_DS5_V2", 16, 56, 0, 112),
        ("STANDARD_DS11_V2", 2, 14, 0, 28),
        ("STANDARD_DS12_V2", 4, 28, 0, 56),
        ("STANDARD_DS13_V2", 8, 56, 0, 112),
        ("STANDARD_DS14_V2", 16, 112, 0, 224),
        ("STANDARD_DS15_V2", 20, 140, 0, 280),
    )
    + _rows(
        "standardDSv3Family",
        ("STANDARD_D2_V3", 2, 8, 0, 50),
        ("STANDARD_D4_V3", 4, 16, 0, 100),
        ("STANDARD_D8_V3", 8, 32, 0, 200),
        ("STANDARD_D2S_V3", 2, 8, 0, 16),
        ("STANDARD_D4S_V3", 4, 16, 0, 32),
        ("STANDARD_D8S_V3", 8, 32, 0, 64),
        ("STANDARD_E4S_V3", 4, 32, 0, 64),
        ("STANDARD_E8S_V3", 8, 64, 0, 128),
    )
    + _rows(
        "standardFSv2Family",
        ("STANDARD_F2S_V2", 2, 4, 0, 16),
        ("STANDARD_F4S_V2", 4, 8, 0, 32),
        ("STANDARD_F8S_V2", 8, 16, 0, 64),
        ("STANDARD_F16S_V2", 16, 32, 0, 128),
    )
    + _rows(
        "standardNCFamily",
        ("STANDARD_NC6", 6, 56, 1, 380),
        ("STANDARD_NC12", 12, 112, 2, 680),
        ("STANDARD_NC24", 24, 224, 4, 1440),
        ("STANDARD_NC24R", 24, 224, 4, 1440),
        ("STANDARD_NC6S_V2", 6, 112, 1, 736),
        ("STANDARD_NC6S_V3", 6, 112, 1, 736),
        ("STANDARD_NC12S_V3", 12, 224, 2, 1474),
        ("STANDARD_NC24S_V3", 24, 448, 4, 2948),
        ("STANDARD_NC24RS_V3", 24, 448, 4, 2948),
        ("STANDARD_NC4AS_T4_V3", 4, 28, 1, 180),
        ("STANDARD_NC8AS_T4_V3", 8, 56, 1, 360),
        ("STANDARD_NC24ADS_A100_V4", 24, 220, 1, 1123),
        ("STANDARD_ND6S", 6, 112, 1, 736),
        ("STANDARD_ND40RS_V2", 40, 672, 8, 2948),
        ("STANDARD_NV6", 6, 56, 1, 380),
        ("STANDARD_NV12", 12, 112, 2, 680),
        ("STANDARD_NV24", 24, 224, 4, 1440),
    )
    + _rows("standardAv2Family", ("STANDARD_A2_V2", 2, 4, 0, 20), ("STANDARD_A4_V2", 4, 8, 0, 40))
)


def share_of(size: Size, engine: Capacity, nodes: int) -> Share:
    """The bounded share of `engine` that one of `nodes` nodes of `size` gets.

    Cores are cut to what the engine has: they are a limit on each node, shared in time when all are busy. Memory cannot
    be shared in time, so it is also cut to an equal part of the engine, and a whole distributed run fits. GPUs are
    never cut: see `refusal`.
    """
    cpus = float(min(size.cpus, engine.cpus))
    wanted = int(size.memory_gib * GIB)
    memory = min(wanted, int(engine.memory_bytes * MEMORY_FOR_NODES / max(nodes, 1)))
    cuts = []
    if cpus < size.cpus:
        cuts.append(f"{_cores(cpus)} instead of {_cores(size.cpus)}")
    if memory < wanted:
        cuts.append(f"{memory / GIB:.1f} GiB of memory instead of {size.memory_gib:g} GiB")
    note = f"On {engine.name} a node of {size.name} gets {' and '.join(cuts)}." if cuts else ""
    return Share(cpus, memory, size.gpus, note)


def refusal(size: Size, engine: Capacity, nodes: int) -> str:
    """Why `nodes` nodes of `size` can never run on `engine`, as a sentence; empty when they can."""
    gpus = size.gpus * max(nodes, 1)
    if gpus > engine.gpus:
        has = "has none" if not engine.gpus else f"has {engine.gpus}"
        need = f"{size.name} has {_gpus(size.gpus)}"
        many = f", and {nodes} nodes need {gpus}" if nodes > 1 else ""
        return f"{need}{many}; {engine.name} {has}. Choose a size without GPUs, fewer nodes or another machine."
    memory = int(engine.memory_bytes * MEMORY_FOR_NODES / max(nodes, 1))
    if memory < SMALLEST_NODE:
        return (
            f"{engine.name} has {engine.memory_bytes / GIB:.1f} GiB of memory: {nodes} nodes would get "
            f"{memory // 1024**2} MiB each, and a node needs at least {SMALLEST_NODE // 1024**2} MiB."
        )
    return ""


def _cores(count: float) -> str:
    return "1 core" if count == 1 else f"{count:g} cores"


def _gpus(count: int) -> str:
    return "1 GPU" if count == 1 else f"{count} GPUs"
