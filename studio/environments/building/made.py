"""What a build made."""

from __future__ import annotations

from dataclasses import dataclass

from studio.environments.models import Lock


@dataclass(frozen=True)
class Made:
    """An image (`name` is its tag, `digest` its content's) or a virtual environment (`name` is its folder)."""

    name: str
    digest: str
    size: int
    python: str
    lock: Lock | None
    source: str = "built"
    base_image: str = ""
    base_digest: str = ""
