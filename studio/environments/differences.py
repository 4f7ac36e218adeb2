"""Two versions of an environment side by side: their definitions, and the packages they resolved to. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml


@dataclass(frozen=True)
class Line:
    """A line of a diff; `kind` is plus, minus, place (where in the text) or same."""

    kind: str
    text: str


def as_text(definition: Mapping[str, Any]) -> str:
    """A definition as people read it: YAML with empty parts left out."""
    return yaml.safe_dump(_without_empty(definition), sort_keys=True, default_flow_style=False, width=120)


def _without_empty(value: Any) -> Any:
    if isinstance(value, Mapping):
        kept = {str(key): _without_empty(part) for key, part in value.items() if key != "version"}
        return {key: part for key, part in kept.items() if part not in (None, "", {}, [], False)}
    if isinstance(value, list):
        return [_without_empty(part) for part in value]
    return value


def lines(old: str, new: str, context: int = 3) -> list[Line]:
    """A unified diff of two texts, as lines with their kind."""
    found = list(difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=context))
    return shown("\n".join(found[2:]))


def shown(diff: str) -> list[Line]:
    """The lines of a unified diff with their kind."""
    kinds = {"+": "plus", "-": "minus", "@": "place"}
    return [
        Line(kinds.get(line[:1], "same"), line) for line in diff.splitlines() if not line.startswith(("+++", "---"))
    ]
