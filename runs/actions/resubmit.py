"""Submit a run again: the same folder, definition and compute, as a new run."""

from __future__ import annotations

from runs.actions.create import Created, NewRun, create
from runs.actions.tags import properties_of, tags_of
from runs.models import Run
from runs.models.raw import RunKey
from studio.errors import Conflict, NotFound

FROM = "azureml.resubmittedFrom"
# What describes the source stays true; what the server found out of the old run (image, compute) does not.
KEPT = ("azureml.git.", "mlflow.source.git.")


def resubmit(key: RunKey, by: str) -> Created:
    """A new run like this one, waiting for a worker. Conflict for a run that no worker ran."""
    run = Run.objects.select_related("experiment", "snapshot").filter(pk=key.id).first()
    if run is None:
        raise NotFound("The run was deleted meanwhile.")
    if run.kind != Run.Kind.SCRIPT or run.definition is None:
        raise Conflict(
            "Only a submitted script can be run again from here; an interactive run is started by its own script."
        )
    properties = {name: value for name, value in properties_of(run.pk).items() if name.startswith(KEPT)}
    new = NewRun(
        experiment=run.experiment.name,
        kind=run.kind,
        display_name=run.display_name,
        description=run.description,
        tags=tags_of(run.pk),
        properties={**properties, FROM: run.pk},
        snapshot_id=run.snapshot.content_id if run.snapshot else None,
        definition=run.definition,
        compute=run.compute,
        type=run.type,
    )
    return create(run.workspace_id, by, new)
