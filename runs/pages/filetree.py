"""Paths as a tree of folders, and which file opens first. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

OPENS_FIRST = (
    "user_logs/std_log.txt",
    "azureml-logs/70_driver_log.txt",
    "azureml-logs/20_image_build_log.txt",
    "logs/",
    "outputs/",
)
LOG_FOLDERS = ("azureml-logs/", "logs/", "user_logs/", "system_logs/")


@dataclass
class Folder:
    """A folder: its folders by name, its files as (name, path, size). ``open`` when the chosen file lies in it."""

    name: str
    path: str
    folders: dict[str, Folder] = field(default_factory=dict)
    files: list[tuple[str, str, int]] = field(default_factory=list)
    open: bool = False

    @property
    def count(self) -> int:
        """How many files lie in it, however deep."""
        return len(self.files) + sum(folder.count for folder in self.folders.values())


def tree_of(files: Sequence[tuple[str, int]], chosen: str = "") -> Folder:
    """(path, size) pairs as folders; those on the way to ``chosen`` are open, and small top folders are too."""
    root = Folder("", "", open=True)
    for path, size in sorted(files):
        *folders, name = path.split("/")
        at = root
        for part in folders:
            at = at.folders.setdefault(part, Folder(part, f"{at.path}{part}/"))
            at.open = at.open or chosen.startswith(at.path)
        at.files.append((name, path, size))
    for folder in root.folders.values():
        folder.open = folder.open or (folder.count <= 20 and folder.name != "system_logs")
    return root


def first_file(paths: Sequence[str]) -> str:
    """The file that a person wants first: the script's own log, else any log, else the first output."""
    for wanted in OPENS_FIRST:
        for path in paths:
            if path == wanted or (wanted.endswith("/") and path.startswith(wanted)):
                return path
    return paths[0] if paths else ""


def is_log(path: str) -> bool:
    """Whether the path is read as a log: it follows, and its colours are shown."""
    return path.endswith((".log", "_log.txt")) or (
        path.startswith(LOG_FOLDERS) and path.endswith((".txt", ".log", ".out", ".err"))
    )
