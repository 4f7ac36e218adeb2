"""Which files of a folder belong to a snapshot: `.amlignore`, else `.gitignore`, read as git reads them.

Only the file in the root folder counts. Directories are pruned, so a file below an ignored directory cannot be
re-included, as in git. Links are followed; a link that leads back to a folder it lies in is not walked again.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

IGNORE_FILES = (".amlignore", ".gitignore")
#: Never part of a snapshot: a repository's own store, and what Python and Jupyter leave behind.
ALWAYS = frozenset({".git", "__pycache__", ".ipynb_checkpoints"})


def ignore_file(folder: Path) -> Path | None:
    """The ignore file that counts for `folder`; `.amlignore` goes first, alone."""
    return next((folder / name for name in IGNORE_FILES if (folder / name).is_file()), None)


def matcher(folder: Path) -> Callable[[str], bool]:
    """A function that says whether a path below `folder` ("a/b.txt", a directory as "a/") is ignored."""
    file = ignore_file(folder)
    if file is None:
        return lambda path: False
    from pathspec import GitIgnoreSpec

    lines = file.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    lines = [re.sub(r"(?<=/)\*\*/\s*$", "**/*/", line) for line in lines]  # pathspec takes "a/**/" for "a/"
    patterns = [pattern for pattern in GitIgnoreSpec.from_lines(lines).patterns if pattern.include is not None]
    patterns.reverse()

    def ignored(path: str) -> bool:
        return next((bool(pattern.include) for pattern in patterns if _matches(pattern.regex, path)), False)  # type: ignore[arg-type]

    return ignored


def _matches(regex: re.Pattern[str], path: str) -> bool:
    """Whether a compiled pattern means `path` itself (a directory ends in "/"), not a directory above it.

    As directories are pruned while walking, the last pattern that means the path itself decides, as in git. pathspec's
    patterns also match what lies below a directory; their group `ps_d` is the slash after the directory they mean.
    """
    name = path.removesuffix("/")
    found = regex.search(name)
    if found and not found.groupdict().get("ps_d"):
        return True
    if name == path:
        return False
    if not regex.pattern.startswith("^"):  # "*/" and "**/": any directory
        path = path[name.rfind("/") + 1 :]
    found = regex.search(path)
    return bool(found and found.groupdict().get("ps_d") and found.end("ps_d") == len(path))


def walk(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """(path with "/" below `folder`, stat of the file it leads to), in the order of names.

    Sockets, pipes and links that lead nowhere are left out: they have no content to keep.
    """
    ignored = matcher(folder)
    yield from _walk(str(folder), "", ignored, (os.path.realpath(folder),))


def _walk(
    folder: str, prefix: str, ignored: Callable[[str], bool], above: tuple[str, ...]
) -> Iterator[tuple[str, os.stat_result]]:
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        path = prefix + entry.name
        if entry.name in ALWAYS:
            continue
        try:
            info = entry.stat()
        except OSError:
            continue  # a broken link, or gone since
        if stat.S_ISDIR(info.st_mode):
            if ignored(path + "/"):
                continue
            real = os.path.realpath(entry.path)
            if not (entry.is_symlink() and real in above):
                yield from _walk(entry.path, path + "/", ignored, (*above, real))
        elif stat.S_ISREG(info.st_mode) and not ignored(path):
            yield path, info
