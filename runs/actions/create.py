"""Create runs: interactive ones that run elsewhere, script runs that a worker takes up, children."""

from __future__ import annotations

import datetime as dt
import re
import uuid
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from runs import limits
from runs.kinds.script import spec as script_spec
from runs.lifecycle import born
from runs.models import Run, RunProperty, RunTag, Snapshot, SnapshotFile, raw
from runs.models.raw import RunKey
from runs.queue import wake
from runs.states import State
from studio.compute import targets
from studio.environments import credentials
from studio.errors import Conflict, Invalid, NotFound
from studio.workspace.models import Workspace

SCRIPT_TYPE = "azureml.scriptrun"
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,255}")
_NAME = re.compile(r"[^/\\]+")
# Writing to an archived experiment makes it active again, as v1 has it.
_EXPERIMENT = """INSERT INTO runs_experiment (workspace_id, name, description, last_number, created_at)
VALUES (%s, %s, '', %s, %s)
ON CONFLICT (workspace_id, name) DO UPDATE SET last_number = runs_experiment.last_number + %s, archived_at = NULL
RETURNING id, last_number"""


@dataclass(slots=True)
class NewRun:
    """What a caller asks for; checked by `create`."""

    experiment: Any
    kind: Any = "interactive"
    parent_id: Any = None
    id: Any = None
    display_name: Any = ""
    description: Any = ""
    tags: Any = None
    properties: Any = None
    snapshot_id: Any = None
    definition: Any = None
    compute: Any = None
    started_at: Any = None
    type: Any = None


@dataclass(slots=True)
class Created:
    """A run that was just made, with what its JSON needs beside the row."""

    run: Run
    experiment: str
    tags: dict[str, str | None]
    properties: dict[str, str]
    snapshot_id: str | None
    repeated: bool = False
    """The id was there before: this is the run that the first call made."""


def experiment_name(value: Any) -> str:
    """A name that an experiment may have: a line of text without slashes, of at most 256 characters."""
    name = limits.clean_name(value, "experiment", "experiment_name")
    if not _NAME.fullmatch(name) or name in (".", ".."):
        raise Invalid(
            f"{name[:80]!r} can't name an experiment: it is part of addresses, so it has no slash.", "experiment"
        )
    return name


def create(workspace_id: int, by: str, new: NewRun) -> Created:
    """Make a run. An interactive one runs at once; a script waits for a worker, which is woken.

    The same `id` again gives the run that is there. Raises Invalid naming the field, NotFound for a parent, snapshot or
    compute that is not in the workspace, Conflict for an id that is somebody else's.
    """
    if new.kind not in (Run.Kind.INTERACTIVE, Run.Kind.SCRIPT):
        raise Invalid(f"A run's kind is interactive or script; {str(new.kind)[:40]!r} is neither.", "kind")
    name = experiment_name(new.experiment)
    identity = _identity(new.id, new.kind, name)
    tags = limits.clean_tags(new.tags or {})
    properties = limits.clean_properties(new.properties or {})
    display_name = limits.clean_text(new.display_name or "", "display_name", "display_name", lines=False)
    description = limits.clean_text(new.description or "", "description", "description")
    parent = _parent(workspace_id, new.parent_id)
    snapshot = _snapshot(workspace_id, new.snapshot_id)
    definition, compute = _definition(workspace_id, new, snapshot)
    if snapshot is not None:
        properties.setdefault("ContentSnapshotId", snapshot.content_id)
    now = timezone.now()
    interactive = new.kind == Run.Kind.INTERACTIVE
    run = Run(
        id=identity,
        workspace_id=workspace_id,
        kind=new.kind,
        type=limits.clean_text(new.type or ("" if interactive else SCRIPT_TYPE), "type", "tag_key", lines=False),
        display_name=display_name,
        description=description,
        state=State.RUNNING if interactive else State.NOT_STARTED,
        created_at=now,
        started_at=moment(new.started_at, "started_at") or now if interactive else None,
        parent_id=parent.id if parent else None,
        root_id=parent.root_id if parent else identity,
        definition=definition,
        snapshot_id=snapshot.pk if snapshot else None,
        compute=compute,
        submitted_by=by,
    )
    try:
        _insert(run, name, tags, properties)
    except IntegrityError:
        return _repeated(workspace_id, identity, name, new.id)
    if not interactive:
        wake(run.id)
    return Created(run, name, tags, properties, snapshot.content_id if snapshot else None)


def _identity(given: Any, kind: str, experiment: str) -> str:
    """The client's own id, or one as v1 made them: a GUID, for scripts <experiment>_<epoch>_<8 hex>."""
    if given is not None:
        if not isinstance(given, str) or not _ID.fullmatch(given):
            raise Invalid("A run's id has at most 256 letters, digits, - _ and ., with a letter or digit first.", "id")
        return given
    if kind == Run.Kind.INTERACTIVE:
        return str(uuid.uuid4())
    stem = re.sub(r"[^A-Za-z0-9_-]+", "-", experiment).strip("-_") or "run"
    return f"{stem[:200]}_{int(timezone.now().timestamp())}_{uuid.uuid4().hex[:8]}"


def _parent(workspace_id: int, parent_id: Any) -> RunKey | None:
    if parent_id is None:
        return None
    parent = raw.run_key(str(parent_id))
    if parent.workspace_id != workspace_id:
        raise raw.no_run(str(parent_id))
    return parent


def _snapshot(workspace_id: int, content_id: Any) -> Snapshot | None:
    if content_id is None:
        return None
    found = Snapshot.objects.filter(workspace_id=workspace_id, content_id=str(content_id)[:64]).first()
    if found is None:
        raise NotFound(
            f"There is no snapshot {str(content_id)[:80]!r} in this workspace; upload it first.", "snapshot_id"
        )
    return found


def _definition(workspace_id: int, new: NewRun, snapshot: Snapshot | None) -> tuple[dict[str, Any] | None, str]:
    """The checked definition and the name of the compute target."""
    asked = limits.clean_text(new.compute or "", "compute", "tag_key", lines=False)
    if new.kind == Run.Kind.INTERACTIVE:
        if new.definition is not None and not isinstance(new.definition, dict):
            raise Invalid("definition is an object.", "definition")
        return new.definition, asked
    if new.definition is None:
        raise Invalid("A script run needs a definition: what to run, and in which environment.", "definition")
    files = set(SnapshotFile.objects.filter(snapshot=snapshot).values_list("path", flat=True)) if snapshot else set()
    checked = script_spec.check(new.definition, files)
    compute = asked or checked.target
    if targets.find(workspace_id, compute) is None:
        raise NotFound(f"There is no compute target {compute!r} in this workspace; 'local' is in every one.", "compute")
    return _without_password(workspace_id, checked.raw), compute


def _without_password(workspace_id: int, definition: dict[str, Any]) -> dict[str, Any]:
    """The definition as it may be kept and shown: a registry's password goes where only builds find it."""
    environment = definition.get("environment")
    if not isinstance(environment, dict):
        return definition
    docker = environment.get("docker")
    if not isinstance(docker, dict) or not docker.get("baseImageRegistry"):
        return definition
    workspace = Workspace.objects.get(pk=workspace_id)
    return {**definition, "environment": credentials.put_away(workspace, environment)}


def moment(value: Any, field: str) -> dt.datetime | None:
    """A time on the wire (ISO 8601 with an offset or Z) as an aware datetime."""
    if value is None:
        return None
    try:
        found = dt.datetime.fromisoformat(value)
        if found.tzinfo is None:
            found = found.replace(tzinfo=dt.UTC)
        return found.astimezone(dt.UTC)
    except (TypeError, ValueError, OverflowError):
        raise Invalid(f"{field} is a time like 2026-01-31T12:00:00Z.", field) from None


def _insert(run: Run, experiment: str, tags: dict[str, str | None], properties: dict[str, str]) -> None:
    """Everything in one round trip: nobody else waits for the experiment's row longer than the database needs."""
    found = ("runs_experiment e WHERE e.workspace_id = %s AND e.name = %s", [run.workspace_id, experiment])
    statements: list[raw.Statement] = [
        (_EXPERIMENT, [run.workspace_id, experiment, 1, run.created_at, 1]),
        raw.insert(run, {"experiment_id": "e.id", "number": "e.last_number"}, found),
        raw.insert(born(run)),
    ]
    if tags:
        pairs = [value for pair in tags.items() for value in pair]
        sql = f"""INSERT INTO runs_runtag (run_id, experiment_id, key, value) SELECT r.id, r.experiment_id, t.column1, t.column2
            FROM runs_run r, (VALUES {raw.values(len(tags), 2)}) AS t WHERE r.id = %s"""
        statements.append((sql, [*pairs, run.id]))
    if properties:
        params = [value for key, text in properties.items() for value in (run.id, key, text)]
        sql = f"INSERT INTO runs_runproperty (run_id, key, value) VALUES {raw.values(len(properties), 3)}"
        statements.append((sql, params))
    run.experiment_id, run.number = raw.in_transaction(*statements)[1][0]


def insert_tags(runs: list[Run], tags: dict[str, str | None], properties: dict[str, str]) -> None:
    """The same tags and properties on new runs."""
    if tags:
        RunTag.objects.bulk_create(
            RunTag(run_id=run.id, experiment_id=run.experiment_id, key=key, value=value)
            for run in runs
            for key, value in tags.items()
        )
    if properties:
        RunProperty.objects.bulk_create(
            RunProperty(run_id=run.id, key=key, value=value) for run in runs for key, value in properties.items()
        )


def _repeated(workspace_id: int, identity: str, experiment: str, given: Any) -> Created:
    """The run that has this id already, when it can be what an earlier call made."""
    found = Run.objects.select_related("experiment", "snapshot").filter(pk=identity).first()
    if given is None or found is None:
        raise Conflict("The run could not be written; something it belongs to was deleted meanwhile. Try again.")
    if found.workspace_id != workspace_id or found.experiment.name != experiment:
        raise Conflict(f"The id {identity!r} is taken by another run; choose another one.", "id")
    tags = dict(RunTag.objects.filter(run=found).values_list("key", "value"))
    properties = dict(RunProperty.objects.filter(run=found).values_list("key", "value"))
    return Created(
        found, experiment, tags, properties, found.snapshot.content_id if found.snapshot else None, repeated=True
    )


# -- children ---------------------------------------------------------------------------------------------------------


def create_children(
    parent: RunKey, by: str, *, count: Any, tags: Any = None, properties: Any = None, display_names: Any = None
) -> list[str]:
    """Make `count` children at once, not started yet, in one transaction; their ids in order."""
    if display_names is not None and count is None and isinstance(display_names, list):
        count = len(display_names)
    if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= limits.limit("children_batch"):
        raise Invalid(f"count is a number from 1 to {limits.limit('children_batch'):,}.", "count")
    names = [""] * count if display_names is None else display_names
    if not isinstance(names, list) or len(names) != count:
        raise Invalid(f"display_names is a list of {count} names.", "display_names")
    names = [limits.clean_text(n or "", "display_names", "display_name", lines=False) for n in names]
    kept_tags = limits.clean_tags(tags or {})
    kept_properties = limits.clean_properties(properties or {})
    now = timezone.now()
    with transaction.atomic():
        row = raw.one(
            "UPDATE runs_experiment SET last_number = last_number + %s WHERE id = %s RETURNING last_number",
            [count, parent.experiment_id],
        )
        if row is None:
            raise raw.no_run(parent.id)
        first = row[0] - count + 1
        children = [
            Run(
                id=str(uuid.uuid4()),
                workspace_id=parent.workspace_id,
                experiment_id=parent.experiment_id,
                number=first + i,
                display_name=name,
                # A microsecond apart, so that they are listed in the order in which they were made.
                created_at=now + dt.timedelta(microseconds=i),
                parent_id=parent.id,
                root_id=parent.root_id,
                submitted_by=by,
            )
            for i, name in enumerate(names)
        ]
        Run.objects.bulk_create(children)
        type(born(children[0])).objects.bulk_create([born(child) for child in children])
        insert_tags(children, kept_tags, kept_properties)
    return [child.id for child in children]
