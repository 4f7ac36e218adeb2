"""pip's requirements files, read into lines that mean the same without the files around them."""

from __future__ import annotations

import re
from pathlib import Path

from atelier.errors import UserError

NESTED = re.compile(r"^(?:-r|--requirement)[ =]*(.+)$")
NOT_TAKEN_ALONG = re.compile(r"^(?:-e|--editable|-c|--constraint)\b|^(?:\.{1,2}/|\.$|/|file:)")
COMMENT = re.compile(r"(^|\s)#.*$")


def read(file: Path, _above: tuple[Path, ...] = ()) -> list[str]:
    """Requirements and options of a file, the files it names by -r put in their place.

    Raises `UserError` for what cannot be taken along: editable installs, local paths, constraint files, circles.
    """
    path = file.resolve()
    if path in _above:
        raise UserError(f"{file} includes itself (-r) by way of {', '.join(one.name for one in _above)}.")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UserError(f"There is no requirements file {str(file)!r}.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"The requirements file {str(file)!r} cannot be read: {error}.", error) from error
    joined = re.sub(r"\\\r?\n", " ", text)
    lines = []
    for raw in joined.splitlines():
        lines += expand(raw, path.parent, (*_above, path))
    return lines


def expand(raw: str, folder: Path, _above: tuple[Path, ...] = ()) -> list[str]:
    """One line without its comment; "-r other.txt" (relative to `folder`) becomes that file's lines."""
    line = COMMENT.sub("", raw).strip()
    if not line:
        return []
    nested = NESTED.match(line)
    if nested:
        return read(folder / nested.group(1).strip().strip("'\""), _above)
    if NOT_TAKEN_ALONG.match(line):
        raise UserError(
            f"The requirement {line!r} refers to this machine's files, which are not there where the run is. Build a "
            "wheel and put it on the package index, or copy the code into the source directory."
        )
    return [line]
