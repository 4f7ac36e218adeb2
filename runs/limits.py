"""The documented limits, in one place, each with the sentence that people read when they pass it.

The figures are those of the v1 service where it published one. A server may set others with
ATELIER_LIMITS="snapshot_files=5000,tags=100". What is refused is refused before anything is written.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any

from django.conf import settings

from studio.errors import Invalid, TooLarge

DEFAULTS: dict[str, int] = {
    "experiment_name": 256,
    "run_id": 256,
    "display_name": 256,
    "description": 5000,
    "tags": 50,
    "tag_key": 100,
    "tag_value": 1000,
    "experiment_tag_key": 250,
    "properties": 50,
    "property_key": 100,
    "property_value": 1000,
    "error_message": 3000,
    "warning": 300,
    "metric_names": 50,
    "metric_rows": 1_000_000,
    "metric_columns": 15,
    "metric_name": 255,
    "metric_value": 255,
    # Our own: one request's points. v1 had 250 rows, which only cost more requests for the same rows.
    "metric_batch_points": 100_000,
    "artifact_path": 5000,
    "artifact_bytes": 20 * 1024**3,
    "bundle_files": 10_000,
    "model_files": 1500,
    # Our own: files that people keep with a workspace.
    "datastore_files": 10_000,
    "datastore_bytes": 200 * 1024**3,
    "snapshot_bytes": 300 * 1024**2,
    "snapshot_files": 2000,
    "log_chunk_bytes": 8 * 1024**2,
    "log_bytes": 1024**3,
    "body_bytes": 32 * 1024**2,
    "children_batch": 1000,
    "definition_bytes": 1024**2,
}


def limit(name: str) -> int:
    """The figure that counts here: the server's own, else the documented one."""
    own: Mapping[str, int] = getattr(settings, "LIMITS", {})
    return own.get(name, DEFAULTS[name])


def at_most(name: str, count: int, what: str) -> None:
    """TooLarge when `count` passes the limit `name`; `what` begins the sentence ("A run has …")."""
    most = limit(name)
    if count > most:
        raise TooLarge(f"{what}: {count:,} is more than the limit of {most:,}.")


def megabytes(name: str, size: int, what: str) -> None:
    """The same for bytes, said in MB."""
    most = limit(name)
    if size > most:
        raise TooLarge(f"{what} exceeds the limit of {most / 1024**2:.1f} MB.")


# -- text -------------------------------------------------------------------------------------------------------------
_SPACES = frozenset("\t\n\r")


def clean_text(value: Any, field: str, name: str, *, lines: bool = True) -> str:
    """Text of at most limit(`name`) characters without control characters (line breaks and tabs only when `lines`)."""
    if not isinstance(value, str):
        raise Invalid(f"{field} is text; {type(value).__name__} was given.", field)
    if len(value) > limit(name):
        raise Invalid(f"{field} has {len(value):,} characters; the limit is {limit(name):,}.", field)
    bad = control_character(value, lines=lines)
    if bad is not None:
        raise Invalid(f"{field} holds the control character U+{ord(bad):04X}, which can't be kept or shown.", field)
    return value


def control_character(value: str, *, lines: bool) -> str | None:
    """The first control character or lone surrogate of a text, None when there is none."""
    if value.isprintable():
        return None
    for character in value:
        if lines and character in _SPACES:
            continue
        if unicodedata.category(character) in ("Cc", "Cs"):
            return character
    return None


def clean_name(value: Any, field: str, name: str) -> str:
    """One line of text with at least one visible character."""
    text = clean_text(value, field, name, lines=False)
    if not text.strip():
        raise Invalid(f"{field} is empty.", field)
    return text


def clean_tags(tags: Any, *, key: str = "tag_key") -> dict[str, str | None]:
    """Tags as they are kept: a key to text or None (a tag without a value)."""
    if not isinstance(tags, dict):
        raise Invalid('tags is an object: {"key": "value" or null}.', "tags")
    at_most("tags", len(tags), "These would be too many tags of one run or experiment")
    return {
        clean_name(k, "tag key", key): None if v is None else clean_text(text_of(v), f"tag {k!r}", "tag_value")
        for k, v in tags.items()
    }


def clean_properties(properties: Any) -> dict[str, str]:
    """Properties as they are kept: a key to text. A value that is not text is kept as its text."""
    if not isinstance(properties, dict):
        raise Invalid('properties is an object: {"key": "value"}.', "properties")
    at_most("properties", len(properties), "These would be too many properties of one run")
    cleaned = {}
    for k, v in properties.items():
        if v is None:
            raise Invalid(f"The property {k!r} has no value; a property keeps one for good.", "properties")
        name = clean_name(k, "property key", "property_key")
        cleaned[name] = clean_text(text_of(v), f"property {k!r}", "property_value")
    return cleaned


def text_of(value: Any) -> Any:
    """v1 scripts give numbers and booleans as tags and properties; they are kept as Python writes them."""
    return str(value) if isinstance(value, (int, float)) else value
