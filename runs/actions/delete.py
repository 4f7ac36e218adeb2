"""Delete runs and experiments, with everything below them and the files that nothing else needs."""

from __future__ import annotations

from django.db import transaction

from runs.actions.contents import drop_unnamed
from runs.models import Artifact, Experiment, Run, Snapshot, raw
from runs.models.raw import RunKey
from runs.states import NOT_FINAL
from studio.errors import Conflict

_OPEN = [str(state) for state in NOT_FINAL]


def delete_run(run: RunKey) -> int:
    """Delete a run and every run below it; how many. Conflict while one of them is not final."""
    return delete_runs([run.id])


def delete_runs(run_ids: list[str]) -> int:
    """Delete several runs with what is below them, in one transaction."""
    with transaction.atomic():
        ids = below(run_ids)
        still = Run.objects.filter(pk__in=ids, state__in=_OPEN).first()
        if still is not None:
            raise Conflict(
                f"The run {still.pk} is {still.status}; cancel it and wait for its end before you delete it."
            )
        _delete(ids)
    return len(ids)


def below(run_ids: list[str]) -> list[str]:
    """The runs and all their descendants."""
    if not run_ids:
        return []
    sql = (
        f"WITH RECURSIVE below(id) AS (SELECT id FROM runs_run WHERE id IN ({raw.marks(len(run_ids))}) "
        "UNION SELECT r.id FROM runs_run r JOIN below b ON r.parent_id = b.id) SELECT id FROM below"
    )
    return [key for (key,) in raw.rows(sql, run_ids)]


def _delete(ids: list[str]) -> None:
    for at in range(0, len(ids), 500):
        part = ids[at : at + 500]
        hashes = set(Artifact.objects.filter(run_id__in=part).values_list("sha256", flat=True))
        snapshots = set(Run.objects.filter(pk__in=part).exclude(snapshot=None).values_list("snapshot_id", flat=True))
        Run.objects.filter(pk__in=part).delete()
        unused = Snapshot.objects.filter(pk__in=snapshots, runs=None)
        hashes |= set(unused.values_list("zip_sha256", flat=True))
        unused.delete()
        drop_unnamed(hashes)


def delete_experiment(experiment: Experiment) -> int:
    """Delete an experiment and its runs; how many runs. Conflict while one of them is not final."""
    with transaction.atomic():
        still = Run.objects.filter(experiment=experiment, state__in=_OPEN).first()
        if still is not None:
            raise Conflict(
                f"The experiment {experiment.name!r} has a run that is {still.status} ({still.pk}); cancel it first."
            )
        ids = list(Run.objects.filter(experiment=experiment).values_list("pk", flat=True))
        _delete(below(ids))
        experiment.delete()
    return len(ids)
