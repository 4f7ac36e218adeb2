"""Images and virtual environments that nobody needs any more: which they are, and their removal."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import psutil
from django.utils import timezone

from studio.environments import queries
from studio.environments.building import image, venv
from studio.environments.models import ACTIVE, Build, Image, Use
from studio.errors import Invalid, StudioError
from studio.workspace.models import Workspace

DEFAULT_DAYS = 30


@dataclass(frozen=True)
class Outcome:
    """What a prune did: images removed, bytes of theirs, and a sentence for each that had to stay."""

    removed: int
    size: int
    kept: list[str]


def missing(found: Iterable[Image]) -> set[int]:
    """Which of these records' images are not there any more; an engine that is away is not asked twice."""
    there: dict[str, set[str] | None] = {}
    gone = set()
    for one in found:
        if one.backend == "process":
            if not Path(one.name).is_dir():
                gone.add(one.pk)
            continue
        if one.engine not in there:
            try:
                there[one.engine] = image.there(one.engine or None)
            except StudioError:
                there[one.engine] = None
        tags = there[one.engine]
        if tags is not None and one.name not in tags:
            gone.add(one.pk)
    return gone


def days_of(text: str) -> int:
    """The days without use after which an image may go. Raises Invalid."""
    if not text.isdigit() or not 0 <= int(text) <= 3650:
        raise Invalid("The days without use must be a whole number from 0 to 3,650.", "days")
    return int(text)


def unused(workspace: Workspace, days: int) -> list[Image]:
    """What this workspace alone has used, and not for so many days; largest first."""
    before = timezone.now() - timedelta(days=days)
    others = set(Use.objects.exclude(workspace=workspace).values_list("key", flat=True))
    awaited = set(Build.objects.filter(state__in=ACTIVE).values_list("key", flat=True))
    found = queries.images(workspace).filter(used_at__lte=before)
    return sorted((one for one in found if one.key not in others | awaited), key=lambda one: -one.size)


def prune(workspace: Workspace, days: int, chosen: Iterable[int]) -> Outcome:
    """Removes the chosen of those that are still unused now; one that a job runs in stays."""
    wanted, removed, size = set(chosen), 0, 0
    kept: list[str] = []
    for one in unused(workspace, days):
        if one.pk not in wanted:
            continue
        if one.backend == "process" and _runs_in(one.name):
            kept.append(f"{one.name}: a job runs in it.")
            continue
        try:
            if one.backend == "process":
                venv.remove(one.name)
            else:
                image.remove(one.name, engine=one.engine or None)
        except StudioError as error:
            kept.append(f"{one.name}: {error.message}")
            continue
        Image.objects.filter(pk=one.pk).update(removed_at=timezone.now())
        removed, size = removed + 1, size + one.size
    return Outcome(removed, size, kept)


def _runs_in(folder: str) -> bool:
    """Whether a process of this host was started from inside a folder."""
    for process in psutil.process_iter(["cmdline"]):
        command = process.info["cmdline"] or []
        if any(word.startswith(folder + "/") for word in command[:2]):
            return True
    return not Path(folder).is_absolute()
