"""One action on several runs: what was done in a sentence, and a sentence for each run that refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.utils import timezone

from runs.actions import state, tags
from runs.models import Run, raw
from studio.errors import Invalid, StudioError


def _cancel(run: Run, form: Mapping[str, Any], by: str) -> None:
    state.cancel(raw.run_key(run.id), by)


def _tag(run: Run, form: Mapping[str, Any], by: str) -> None:
    key, _, value = str(form.get("tag") or "").partition("=")
    if not key.strip():
        raise Invalid("Write a tag: its name alone, or name=value.", "tag")
    tags.set_tags(raw.run_key(run.id), {key.strip(): value.strip() or None})


def _archive(run: Run, form: Mapping[str, Any], by: str) -> None:
    Run.objects.filter(pk=run.pk).update(archived_at=timezone.now())


def _activate(run: Run, form: Mapping[str, Any], by: str) -> None:
    Run.objects.filter(pk=run.pk).update(archived_at=None)


ACTIONS: dict[str, tuple[str, Callable[[Run, Mapping[str, Any], str], None]]] = {
    "cancel": ("asked to cancel", _cancel),
    "tag": ("tagged", _tag),
    "archive": ("archived", _archive),
    "activate": ("brought back", _activate),
}


def apply(action: str, runs: Sequence[Run], form: Mapping[str, Any], by: str) -> tuple[str, list[str]]:
    """("3 runs were tagged.", [why the others weren't]). An unknown action is refused whole."""
    if action not in ACTIONS:
        raise Invalid(f"There is no action {action!r}; there are {', '.join(ACTIONS)}.", "do")
    words, act = ACTIONS[action]
    refused: list[str] = []
    for run in runs:
        try:
            act(run, form, by)
        except StudioError as error:
            refused.append(f"{run}: {error.message}")
    count = len(runs) - len(refused)
    done = f"{count} run{' was' if count == 1 else 's were'} {words}." if count else ""
    return done, refused
