"""Which run a run's token stands for."""

from __future__ import annotations

from runs.models import raw
from runs.models.raw import RunKey
from runs.states import is_final
from studio.workspace.principals import RunIdentity

_SQL = """SELECT r.id, r.state, r.workspace_id, r.experiment_id, r.parent_id, r.root_id, r.kind, w.name, r.submitted_by
FROM runs_run r JOIN workspace_workspace w ON w.id = r.workspace_id WHERE r.token_digest = %s AND r.token_digest <> ''"""


def run_of(digest: str) -> RunIdentity | None:
    """The run with this token's digest, None for an unknown one and for that of a run that is final."""
    row = next(iter(raw.together((_SQL, [digest]))[0]), None)
    if row is None or is_final(row[1]):
        return None
    key = RunKey._make(row[:7])
    return RunIdentity(key.id, key.workspace_id, row[7], key.state, row[8], key)
