"""pip requirements in canonical form: one spelling for one meaning, so that the same packages make the same image.

Pure: text in, text out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from studio.errors import Invalid

# What pip and uv both read inside a requirements file; everything else a line starting with - can say is refused.
INDEX_OPTIONS = {"-i": "--index-url", "--index-url": "--index-url", "--extra-index-url": "--extra-index-url"}
LINK_OPTIONS = {"-f": "--find-links", "--find-links": "--find-links"}
CHOICE_OPTIONS = {"--no-binary": "--no-binary", "--only-binary": "--only-binary"}
# Ours, and what these names bring on Azure: the run context, snapshots, metrics. All of it is the SDK of this server.
OURS = re.compile(r"azureml([-_.].*)?|atelier-sdk", re.IGNORECASE)
FIELD = "environment.python.condaDependencies"


@dataclass(frozen=True)
class PipList:
    """Parsed lines. `requirements` and `options` are canonical and sorted; `satisfied` are the names our SDK stands for."""

    requirements: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    satisfied: tuple[str, ...] = ()


def parse(lines: Iterable[object]) -> PipList:
    """The lines of a requirements file (or of a conda specification's pip section). Raises Invalid naming the line."""
    found: set[str] = set()
    options: list[str] = []
    ours: set[str] = set()
    for raw in lines:
        line = clean(raw)
        if not line:
            continue
        if line.startswith("-"):
            option = _option(line)
            if option not in options:
                options.append(option)
            continue
        requirement = canonical(line)
        name = re.split(r"[\[<>=!~;@ ]", requirement, maxsplit=1)[0]
        if OURS.fullmatch(name):
            ours.add(name)
        else:
            found.add(requirement)
    return PipList(tuple(sorted(found)), tuple(options), tuple(sorted(ours)))


def clean(raw: object) -> str:
    """A line without comment and surrounding space. Raises Invalid for what isn't one line of text."""
    if not isinstance(raw, str):
        raise Invalid(f"A pip requirement must be a text such as 'numpy==2.1'; {raw!r} is not.", FIELD)
    line = re.sub(r"(^|\s)#.*$", "", raw).strip()
    if "\n" in line or "\r" in line or "\x00" in line:
        raise Invalid(f"The pip requirement {raw!r} has a line break inside; write one requirement a line.", FIELD)
    return line


def canonical(line: str) -> str:
    """One requirement in its only spelling: normalised name, sorted extras and version clauses, one kind of quote."""
    # pip takes an address without a name for a version control system or an archive; the name is what the lock lists.
    if re.match(r"(git|hg|svn|bzr)\+|https?://", line):
        return " ".join(line.split())
    if re.match(r"(\.{0,2}/|file:|[A-Za-z]:\\|~)", line):
        raise Invalid(
            f"The pip requirement {line!r} is a path on somebody's disk, which the server can't see. "
            "Put the package into the submitted folder, or name it as on an index.",
            FIELD,
        )
    try:
        parsed = Requirement(line)
    except InvalidRequirement as error:
        reason = str(error).splitlines()[0]
        raise Invalid(f"{line!r} is not a pip requirement: {reason}.", FIELD) from error
    text: str = canonicalize_name(parsed.name)
    if parsed.extras:
        text += "[" + ",".join(sorted(canonicalize_name(extra) for extra in parsed.extras)) + "]"
    if parsed.url:
        text += f" @ {parsed.url}"
    else:
        text += ",".join(sorted(str(clause).replace(" ", "") for clause in parsed.specifier))
    if parsed.marker:
        text += f" ; {parsed.marker}" if parsed.url else f"; {parsed.marker}"
    return text


def _option(line: str) -> str:
    name, _, value = line.replace("=", " ", 1).partition(" ") if line.startswith("--") else line.partition(" ")
    value = value.strip()
    if name == "--pre" and not value:
        return "--pre"
    known = INDEX_OPTIONS | LINK_OPTIONS | CHOICE_OPTIONS
    if name in ("-r", "--requirement", "-c", "--constraint", "-e", "--editable"):
        raise Invalid(
            f"The line {line!r} names a file that is not part of the environment. "
            "Write its requirements into the list itself.",
            FIELD,
        )
    if name not in known or not value or " " in value:
        raise Invalid(
            f"The option {line!r} can't be used in an environment; "
            "--index-url, --extra-index-url, --find-links, --no-binary, --only-binary and --pre can.",
            FIELD,
        )
    if name in INDEX_OPTIONS | LINK_OPTIONS and not re.match(r"https?://", value):
        raise Invalid(f"{name} must be an http(s) address that the server can reach; {value!r} is none.", FIELD)
    return f"{known[name]} {value}"
