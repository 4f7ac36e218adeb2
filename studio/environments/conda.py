"""Conda specifications: read, put into canonical form, and taken from PyPI where a site allows no channel. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from studio.environments.requirements import FIELD
from studio.errors import Invalid

# Conda names whose package has another name on PyPI.
ON_PYPI = {
    "pytorch": "torch",
    "pytorch-cpu": "torch",
    "pytorch-gpu": "torch",
    "torchvision-cpu": "torchvision",
    "tensorflow-gpu": "tensorflow",
    "py-xgboost": "xgboost",
    "py-xgboost-cpu": "xgboost",
    "py-xgboost-gpu": "xgboost",
    "lightgbm-cpu": "lightgbm",
    "matplotlib-base": "matplotlib",
    "numpy-base": "numpy",
    "msgpack-python": "msgpack",
    "opencv": "opencv-python-headless",
    "py-opencv": "opencv-python-headless",
    "pytables": "tables",
    "ruamel_yaml": "ruamel-yaml",
    "seaborn-base": "seaborn",
    "dask-core": "dask",
    "python-graphviz": "graphviz",
    "faiss": "faiss-cpu",
    "psycopg2": "psycopg2-binary",
    "ipython_genutils": "ipython-genutils",
    "pyqt": "pyqt5",
    "tk": "",
}
# Libraries that are no Python package: on PyPI each wheel carries the ones it needs.
INSIDE_WHEELS = {
    *("mkl", "nomkl", "blas", "openblas", "libblas", "liblapack", "libgcc", "libgcc-ng", "libstdcxx-ng", "cudatoolkit"),
    *("cudnn", "cpuonly", "pytorch-cuda", "pytorch-mutex", "llvm-openmp", "intel-openmp", "_libgcc_mutex", "libgomp"),
    *(
        "openssl",
        "ca-certificates",
        "zlib",
        "readline",
        "sqlite",
        "tk",
        "xz",
        "ncurses",
        "libffi",
        "vc",
        "vs2015_runtime",
    ),
}


@dataclass(frozen=True)
class Match:
    """One conda dependency: `version` as conda writes it ("1.2.*", ">=1,<2", "==1.2"), "" for any."""

    name: str
    version: str = ""
    build: str = ""
    channel: str = ""

    def __str__(self) -> str:
        text = f"{self.channel}::{self.name}" if self.channel else self.name
        return " ".join(part for part in (text, self.version, self.build) if part)


@dataclass(frozen=True)
class CondaSpecification:
    """A parsed specification. `python` is the pin's version part ("3.11.*"); None when the specification has none."""

    python: str | None
    matches: tuple[Match, ...]
    pip: tuple[object, ...]
    channels: tuple[str, ...]


def parse(raw: Mapping[str, Any]) -> CondaSpecification:
    """A conda specification as its YAML reads: {name, channels, dependencies: [..., {pip: [...]}]}. Raises Invalid."""
    channels = raw.get("channels") or []
    dependencies = raw.get("dependencies") or []
    if not isinstance(channels, list) or not isinstance(dependencies, list):
        raise Invalid("In a conda specification, channels and dependencies are lists.", FIELD)
    python: str | None = None
    matches: dict[str, Match] = {}
    pip: list[object] = []
    for item in dependencies:
        if isinstance(item, dict):
            unknown = set(item) - {"pip"}
            if unknown or not isinstance(item.get("pip") or [], list):
                raise Invalid(f"Inside dependencies only 'pip:' with a list can stand; there is {sorted(item)}.", FIELD)
            pip.extend(item.get("pip") or [])
            continue
        match = parse_match(item)
        if match.name in matches or (match.name == "python" and python is not None):
            raise Invalid(f"The conda specification names {match.name!r} twice; keep one.", FIELD)
        if match.name == "python":
            python = match.version
        else:
            matches[match.name] = match
    kept = tuple(matches[name] for name in sorted(matches))
    return CondaSpecification(python, kept, tuple(pip), tuple(str(channel) for channel in channels))


def parse_match(item: object) -> Match:
    """A match specification: name, name=1.2, name==1.2, name>=1,<2, name=1.2=build, "name 1.2.* build", channel::name."""
    if not isinstance(item, str) or not item.strip():
        raise Invalid(f"A conda dependency must be a text such as 'numpy=1.26'; {item!r} is not.", FIELD)
    text = re.sub(r"\s+#.*$", "", item).strip()
    channel, colons, rest = text.rpartition("::")
    found = re.fullmatch(r"([A-Za-z0-9_][\w.\-]*)\s*(.*)", rest, re.DOTALL)
    if not found or "[" in rest or "\n" in rest or (colons and not re.fullmatch(r"[\w.\-/]+", channel)):
        raise Invalid(
            f"{item!r} is not a conda dependency that can be read; write 'name', 'name=1.2' or 'name>=1,<2'.", FIELD
        )
    name, constraint = found.group(1).lower(), found.group(2).strip()
    version, build = _constraint(constraint, item)
    return Match(name, version, build, channel)


def _constraint(text: str, item: str) -> tuple[str, str]:
    """(version, build) of what follows a name. conda's "=1.2" means 1.2 and everything below it: "1.2.*"."""
    if not text:
        return "", ""
    if text.startswith("=") and not text.startswith("=="):
        version, _, build = text[1:].partition("=")
        version, build = version.strip(), build.strip()
        if build or not version:  # name=1.2=build pins the version itself
            version = f"=={version}" if version else ""
        elif not version.endswith("*") and re.fullmatch(r"[\w.+!]+", version):
            version = f"{version}.*"
    elif re.match(r"[<>=!~]", text):
        version, build = re.sub(r"\s*([,|<>=!~])\s*", r"\1", text), ""
        if " " in version:
            version, build = version.split(" ", 1)
    else:  # "1.2.* build", the form of lock files; a bare version means exactly that one
        version, _, build = text.partition(" ")
        build = build.strip()
        if re.fullmatch(r"[\d][\w.+!]*", version):
            version = f"=={version}"
    if not re.fullmatch(r"[\w.+!*,|<>=~]*", version) or not re.fullmatch(r"[\w.*]*", build):
        raise Invalid(f"The version in {item!r} can't be read; write 'name=1.2' or 'name>=1,<2'.", FIELD)
    return ",".join(sorted(version.split(","))), build


@dataclass(frozen=True)
class FromPypi:
    """Conda dependencies as pip requirements, and one sentence for each, for the build log."""

    requirements: tuple[str, ...]
    sentences: tuple[str, ...]


def from_pypi(matches: tuple[Match, ...]) -> FromPypi:
    """What a site without conda channels installs in their place. Raises Invalid for a version only conda can say."""
    requirements: list[str] = []
    sentences: list[str] = []
    for match in matches:
        if match.name in INSIDE_WHEELS or match.name.startswith("lib"):
            sentences.append(
                f"conda {match}: left out, it is a system library and not a Python package; wheels bring their own"
            )
            continue
        name = ON_PYPI.get(match.name, match.name)
        requirement = name + pip_version(match)
        requirements.append(requirement)
        build = f" (the build {match.build} is conda's own and left out)" if match.build else ""
        sentences.append(
            f"conda {match}: taken from PyPI as {requirement}{build}, as this site allows no conda channel"
        )
    return FromPypi(tuple(requirements), tuple(sentences))


def pip_version(match: Match) -> str:
    """The pip clauses of a conda version: "1.2.*" -> "==1.2.*", ">=1,<2" as it is. Raises Invalid for alternatives (|)."""
    if not match.version or match.version == "*":
        return ""
    if "|" in match.version:
        raise Invalid(
            f"The conda dependency '{match}' gives alternatives with |, which PyPI's versions can't say, and this site "
            "allows no conda channel. Choose one version.",
            FIELD,
        )
    clauses = []
    for clause in match.version.split(","):
        found = re.fullmatch(r"(==|!=|>=|<=|~=|>|<|=)?(.+)", clause)
        operator, version = (found.group(1) or "==", found.group(2)) if found else ("==", clause)
        if operator in (">", ">=", "<", "<="):
            version = version.removesuffix(".*")
        elif operator == "=":
            operator, version = "==", version if version.endswith("*") else f"{version}.*"
        if version.endswith("*") and not version.endswith(".*"):
            version = version.removesuffix("*").rstrip(".") + ".*"
        clauses.append(operator + version)
    return ",".join(sorted(clauses))
