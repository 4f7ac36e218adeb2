"""Names of artifacts, logs and files in archives: what may be one.

The server keeps content under its hash, so a name never becomes a path here; but clients write these names to their own
disks, and so a name that would leave the folder is refused at the door.
"""

from __future__ import annotations

from runs.limits import control_character, limit
from studio.errors import Invalid


def check_path(path: str, what: str = "path") -> str:
    """A relative path with / between its parts, as it is, or Invalid.

    Refused: an empty one, one of more than 5,000 characters, an absolute one, the parts "", "." and "..", backslashes
    (a separator on Windows), a drive letter, control characters and lone surrogates.
    """
    if not isinstance(path, str) or not path:
        raise Invalid(f"The {what} is empty.", what)
    if len(path) > limit("artifact_path"):
        raise Invalid(f"The {what} has {len(path):,} characters; the limit is {limit('artifact_path'):,}.", what)
    bad = control_character(path, lines=False)
    if bad is not None:
        raise Invalid(f"The {what} holds the control character U+{ord(bad):04X}.", what)
    if "\\" in path:
        raise Invalid(f"The {what} {path[:80]!r} holds a backslash; put / between folders.", what)
    if path.startswith("/"):
        raise Invalid(f"The {what} {path[:80]!r} is absolute; give one relative to the run.", what)
    parts = path.split("/")
    if any(part in ("", ".", "..") for part in parts):
        raise Invalid(f"The {what} {path[:80]!r} has an empty part, '.' or '..', which could leave the folder.", what)
    if len(parts[0]) == 2 and parts[0][1] == ":" and parts[0][0].isalpha():
        raise Invalid(f"The {what} {path[:80]!r} starts with a drive letter; give one relative to the run.", what)
    return path
