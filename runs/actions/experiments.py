"""Experiments: made, described, archived."""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from runs import limits
from runs.actions.create import experiment_name
from runs.actions.tags import set_experiment_tags
from runs.models import Experiment


def get_or_create(
    workspace_id: int, name: Any, *, description: Any = None, tags: Any = None
) -> tuple[Experiment, bool]:
    """The experiment of that name, and whether it is new. A description and tags count for a new one."""
    name = experiment_name(name)
    text = limits.clean_text(description or "", "description", "description")
    limits.clean_tags(tags or {}, key="experiment_tag_key")
    found = Experiment.objects.filter(workspace_id=workspace_id, name=name).first()
    if found is not None:
        return found, False
    try:
        with transaction.atomic():
            made = Experiment.objects.create(workspace_id=workspace_id, name=name, description=text)
            if tags:
                set_experiment_tags(made.pk, tags)
    except IntegrityError:  # made by another at the same time
        return Experiment.objects.get(workspace_id=workspace_id, name=name), False
    return made, True


def change(experiment: Experiment, **given: Any) -> None:
    """Change the description and the tags; what is not given stays."""
    if "description" in given:
        text = limits.clean_text(given["description"] or "", "description", "description")
        Experiment.objects.filter(pk=experiment.pk).update(description=text)
    if "tags" in given:
        set_experiment_tags(experiment.pk, given["tags"] or {})


def archive(experiment: Experiment) -> None:
    """Leave it out of lists; writing to it brings it back."""
    Experiment.objects.filter(pk=experiment.pk, archived_at=None).update(archived_at=timezone.now())


def activate(experiment: Experiment) -> None:
    """Bring it back into lists."""
    Experiment.objects.filter(pk=experiment.pk).update(archived_at=None)
