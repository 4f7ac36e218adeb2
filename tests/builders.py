"""Rows for tests, in one line each. What a test is about it says; the rest has a sensible value."""

from __future__ import annotations

import datetime as dt
import itertools
from typing import Any

from django.utils import timezone

from runs.lifecycle import born
from runs.models import Experiment, Run
from runs.states import FINAL, State
from studio.workspace.models import Workspace

_counter = itertools.count(1)


def experiment(workspace: Workspace, name: str = "trials") -> Experiment:
    """The experiment of that name."""
    return Experiment.objects.get_or_create(workspace=workspace, name=name)[0]


def run(
    workspace: Workspace,
    *,
    experiment_name: str = "trials",
    state: State = State.RUNNING,
    parent: Run | None = None,
    **fields: Any,
) -> Run:
    """A run in `state`, with the event of its birth and sensible times."""
    owner = parent.experiment if parent else experiment(workspace, experiment_name)
    number = next(_counter)
    owner.refresh_from_db(fields=["last_number"])
    Experiment.objects.filter(pk=owner.pk).update(last_number=owner.last_number + 1)
    identity = fields.pop("id", f"{owner.name}_{1_700_000_000 + number}_{number:08x}")
    now = timezone.now()
    made = Run(
        id=identity,
        workspace=workspace,
        experiment=owner,
        number=owner.last_number + 1,
        state=state,
        parent=parent,
        root_id=parent.root_id if parent else identity,
        created_at=fields.pop("created_at", now),
        started_at=fields.pop("started_at", now if state != State.NOT_STARTED else None),
        ended_at=fields.pop("ended_at", now + dt.timedelta(seconds=42) if state in FINAL else None),
        **fields,
    )
    made.save(force_insert=True)
    born(made).save()
    return made
