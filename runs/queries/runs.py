"""Runs as the API shows them: one by id, and lists that cost the same at any length.

Lists go by keyset: a page begins after the last row of the one before, found through an index. The rows are read by
hand-written SQL and written as JSON without a model in between; a thousand runs take some milliseconds.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from django.conf import settings
from django.db import connection

from runs.models import raw
from runs.queries import cursors
from runs.queries.metrics import last_values
from runs.states import CANCEL_REQUESTED, FINAL, State
from studio.errors import Invalid

_FINAL = sorted(str(state) for state in FINAL)
_FINAL_SET = frozenset(_FINAL)
# The three names are looked up for each row shown. As joins they made PostgreSQL weigh every order of five tables or
# more, which took longer than finding the hundred rows.
COLUMNS = (
    "r.id, (SELECT e.name FROM runs_experiment e WHERE e.id = r.experiment_id), "
    "(SELECT w.name FROM workspace_workspace w WHERE w.id = r.workspace_id), r.kind, r.type, r.number, r.display_name, "
    "r.description, r.state, r.cancel_requested_at, r.parent_id, r.root_id, r.created_at, r.started_at, r.ended_at, "
    "r.archived_at, r.submitted_by, r.compute, r.definition, "
    "(SELECT s.content_id FROM runs_snapshot s WHERE s.id = r.snapshot_id), r.error_code, r.error_message, "
    "r.error_details, r.warnings, r.waiting_for, r.image"
)
METRIC = "metric:"


@dataclass(slots=True)
class Filters:
    """What a list is narrowed to. `parent` "" means top-level runs only, None any."""

    workspace_id: int
    experiment_id: int | None = None
    statuses: Sequence[str] = ()
    type: str | None = None
    tags: Sequence[str] = ()
    properties: Sequence[str] = ()
    parent: str | None = None
    ids: Sequence[str] | None = None
    archived: bool | None = False
    extra: list[tuple[str, list[Any]]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a list in the wire's form, and the cursor of the next one."""

    items: list[dict[str, Any]]
    next: str | None


# -- one run ----------------------------------------------------------------------------------------------------------


def get(run_id: str) -> dict[str, Any]:
    """The run's JSON, or NotFound."""
    found = raw.together((f"SELECT {COLUMNS} FROM runs_run r WHERE r.id = %s", [run_id]))[0]
    if not found:
        raise raw.no_run(run_id)
    return render(found)[0]


def get_many(run_ids: Sequence[str]) -> list[dict[str, Any]]:
    """The JSON of runs in the order of the ids; one that is gone is left out."""
    if not run_ids:
        return []
    where, params = raw.among("r.id", run_ids)
    found = raw.together((f"SELECT {COLUMNS} FROM runs_run r WHERE {where}", params))[0]
    by_id = {item["id"]: item for item in render(found)}
    return [by_id[run_id] for run_id in run_ids if run_id in by_id]


def render(rows: Sequence[tuple[Any, ...]], names: Sequence[str] = ()) -> list[dict[str, Any]]:
    """The JSON of rows of COLUMNS, with the last values of the metrics `names` when there are any."""
    ids = [row[0] for row in rows]
    if not ids:
        return []
    asked = [_pairs("runs_runtag", ids), _pairs("runs_runproperty", ids)]
    if names:
        asked.append(last_values(ids, names))
    tags, properties, *values = map(_by_run, raw.together(*asked))
    items = [run_json(row, tags.get(row[0], {}), properties.get(row[0], {})) for row in rows]
    for found in values:
        for item in items:
            texts = found.get(item["id"], {})
            item["metrics"] = {name: orjson.Fragment(text) for name, text in texts.items()}
    return items


def _pairs(table: str, ids: Sequence[str]) -> raw.Statement:
    where, params = raw.among("run_id", ids)
    return f"SELECT run_id, key, value FROM {table} WHERE {where} ORDER BY id", params


def _by_run(rows: Sequence[tuple[Any, ...]]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for run_id, key, value in rows:
        found.setdefault(run_id, {})[key] = value
    return found


def portal_url(workspace: str, run_id: str) -> str:
    """The run's page."""
    return f"{settings.SERVER_URL}/w/{workspace}/runs/{run_id}/"


def _json(value: Any) -> Any:
    """A JSON column of a raw row: text on both databases, written out as it is."""
    return orjson.Fragment(value) if isinstance(value, (str, bytes)) else value


def run_json(row: tuple[Any, ...], tags: dict[str, Any], properties: dict[str, Any]) -> dict[str, Any]:
    """A run as the API shows it, from a row of COLUMNS."""
    (
        id_, experiment, workspace, kind, type_, number, display_name, description, state, cancel_requested_at,
        parent_id, root_id, created_at, started_at, ended_at, archived_at, submitted_by, compute, definition,
        snapshot_id, error_code, error_message, error_details, warnings, waiting_for, image,
    ) = row  # fmt: skip
    error = None
    if error_code or error_message:
        error = {"code": error_code or "UserError", "message": error_message, "details": error_details}
    inputs, outputs = data_of(definition)
    return {
        "id": id_,
        "experiment": experiment,
        "workspace": workspace,
        "kind": kind,
        "type": type_,
        "number": number,
        "display_name": display_name,
        "description": description,
        "status": CANCEL_REQUESTED if cancel_requested_at and state not in _FINAL_SET else state,
        "parent_id": parent_id,
        "root_id": root_id,
        "created_at": raw.moment(created_at),
        "started_at": raw.moment(started_at),
        "ended_at": raw.moment(ended_at),
        "archived_at": raw.moment(archived_at),
        "submitted_by": submitted_by,
        "compute": compute,
        "tags": tags,
        "properties": properties,
        "definition": _json(definition),
        "snapshot_id": snapshot_id,
        "error": error,
        "warnings": _json(warnings),
        "cancel_requested_at": raw.moment(cancel_requested_at),
        "waiting_for": waiting_for,
        "image": image,
        "portal_url": portal_url(workspace, id_),
        "inputs": inputs,
        "outputs": outputs,
    }


def data_of(definition: Any) -> tuple[list[Any], list[Any]]:
    """What the definition names as inputs and outputs: [{name, …}] of its `data` and `outputData`."""
    if not definition:
        return [], []
    if isinstance(definition, (str, bytes)):  # a raw row's JSON: parsed only where there is something in it
        if 'ata"' not in str(definition):
            return [], []
        definition = orjson.loads(definition)
    found = []
    for key in ("data", "outputData"):
        named = definition.get(key) if isinstance(definition, dict) else None
        entries = named.items() if isinstance(named, dict) else ()
        found.append([{"name": name, **(value if isinstance(value, dict) else {})} for name, value in entries])
    return found[0], found[1]


# -- lists ------------------------------------------------------------------------------------------------------------


def page(
    filters: Filters,
    *,
    order: str = "-created_at",
    limit: int = 100,
    cursor: str | None = None,
    metrics: Sequence[str] = (),
) -> Page:
    """One page of the runs that pass the filters.

    `order` is created_at or metric:<name> (by the last value; runs without one come last), with - for descending.
    """
    where, params = _conditions(filters)
    by_metric = order.removeprefix("-").startswith(METRIC)
    if by_metric:
        rows, following = _by_metric(filters, where, params, order, limit, cursor)
    elif order in ("created_at", "-created_at"):
        rows, following = _by_time(filters, where, params, order, limit, cursor)
    else:
        raise Invalid(
            f"order is {order[:80]!r}; it is created_at, -created_at, metric:<name> or -metric:<name>.", "order"
        )
    return Page(render(rows, metrics), following)


def _conditions(filters: Filters) -> tuple[list[str], list[Any]]:
    where: list[str] = []
    params: list[Any] = []

    def add(sql: str, *values: Any) -> None:
        where.append(sql)
        params.extend(values)

    if filters.experiment_id is not None:
        add("r.experiment_id = %s", filters.experiment_id)
    elif filters.parent in (None, ""):
        add("r.workspace_id = %s", filters.workspace_id)
    if filters.parent == "":
        add("r.parent_id IS NULL")
    elif filters.parent is not None:
        add("r.parent_id = %s", filters.parent)
    if filters.ids is not None:
        sql, keys = raw.among("r.id", filters.ids)
        add(sql, *keys)
    if filters.archived is not None:
        add("r.archived_at IS NOT NULL" if filters.archived else "r.archived_at IS NULL")
    if filters.type:
        add("r.type = %s", filters.type)
    if filters.statuses:
        add(*_status(filters.statuses))
    for text in filters.tags:
        _pair(add, "runs_runtag", text)
    for text in filters.properties:
        _pair(add, "runs_runproperty", text)
    for sql, values in filters.extra:
        add(sql, *values)
    return where, params


def _status(statuses: Sequence[str]) -> tuple[Any, ...]:
    known = {str(state) for state in State} | {CANCEL_REQUESTED}
    unknown = [status for status in statuses if status not in known]
    if unknown:
        raise Invalid(f"{unknown[0][:40]!r} is no status of a run; there are {', '.join(sorted(known))}.", "status")
    plain = [status for status in statuses if status != CANCEL_REQUESTED]
    final = raw.marks(len(_FINAL))
    parts, params = [], []
    if plain:
        # A run on its way out shows as CancelRequested, and so is not found by the state that it still has.
        parts.append(
            f"(r.state IN ({raw.marks(len(plain))}) AND (r.cancel_requested_at IS NULL OR r.state IN ({final})))"
        )
        params += [*plain, *_FINAL]
    if CANCEL_REQUESTED in statuses:
        parts.append(f"(r.cancel_requested_at IS NOT NULL AND r.{raw.UNDER_WAY})")
    return ("(" + " OR ".join(parts) + ")", *params)


def _pair(add: Any, table: str, text: str) -> None:
    """key, or key=value."""
    key, equals, value = text.partition("=")
    sql = f"EXISTS (SELECT 1 FROM {table} t WHERE t.run_id = r.id AND t.key = %s"
    if equals:
        add(f"{sql} AND t.value = %s)", key, value)
    else:
        add(f"{sql})", key)


def _time_of(text: str) -> Any:
    """A cursor's time as a parameter: PostgreSQL takes a datetime, SQLite compares the text that it keeps."""
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise Invalid(
            "This cursor does not belong to this list; ask for the first page without one.", "cursor"
        ) from None
    if connection.vendor == "sqlite":
        return text.removesuffix("Z").replace("T", " ")
    return moment


def _read(filters: Filters, sql: str, params: list[Any]) -> list[tuple[Any, ...]]:
    """The rows of a list. One that only says where is prepared, and soon planned no more: its number of rows stands in the
    statement, so that no plan is made for another. One with a filter is planned for its values, rare or common."""
    if (
        filters.statuses
        or filters.type
        or filters.tags
        or filters.properties
        or filters.ids is not None
        or filters.extra
    ):
        return raw.rows(sql, params)
    return raw.together((sql, params))[0]


def _by_time(
    filters: Filters, where: list[str], params: list[Any], order: str, limit: int, cursor: str | None
) -> tuple[list[tuple[Any, ...]], str | None]:
    where, params = list(where), list(params)
    sign, way = ("<", "DESC") if order.startswith("-") else (">", "ASC")
    if cursor:
        created, last_id = cursors.decode(cursor, order, (str, str))
        where.append(f"(r.created_at, r.id) {sign} (%s, %s)")
        params += [_time_of(created), last_id]
    sql = f"SELECT {COLUMNS} FROM runs_run r WHERE {' AND '.join(where)} ORDER BY r.created_at {way}, r.id {way} LIMIT {limit + 1}"
    rows = _read(filters, sql, params)
    if len(rows) <= limit:
        return rows, None
    last = rows[limit - 1]
    return rows[:limit], cursors.encode(order, raw.iso(last[12]), last[0])


def _by_metric(
    filters: Filters, where: list[str], params: list[Any], order: str, limit: int, cursor: str | None
) -> tuple[list[tuple[Any, ...]], str | None]:
    """First the runs with a number, off the index (experiment, name, column, last, run); then those without."""
    name = order.removeprefix("-").removeprefix(METRIC)
    rest = f"rest:{name}"
    rows: list[tuple[Any, ...]] = []
    if cursor is None or not _is_rest(cursor, rest):
        rows, following = _with_number(filters, where, params, order, name, limit, cursor)
        if following:
            return rows, following
        cursor = None
    without = (
        "NOT EXISTS (SELECT 1 FROM runs_metricseries m WHERE m.run_id = r.id AND m.name = %s AND m.\"column\" = '' "
        "AND m.last IS NOT NULL)"
    )
    wanted = limit - len(rows)
    values = [*params, name]
    conditions = [*where, without]
    if cursor:
        created, last_id = cursors.decode(cursor, rest, (str, str))
        conditions.append("(r.created_at, r.id) < (%s, %s)")
        values += [_time_of(created), last_id]
    sql = (
        f"SELECT {COLUMNS} FROM runs_run r WHERE {' AND '.join(conditions)} "
        f"ORDER BY r.created_at DESC, r.id DESC LIMIT {wanted + 1}"
    )
    more = raw.rows(sql, values)
    if len(more) <= wanted:
        return rows + more, None
    shown = more[:wanted]
    # A page that the runs with a number fill exactly is followed by the first of those without.
    mark = (
        cursors.encode(rest, raw.iso(shown[-1][12]), shown[-1][0]) if shown else cursors.encode(rest, _END_OF_TIME, "")
    )
    return rows + shown, mark


_END_OF_TIME = "9999-12-31T23:59:59Z"


def _is_rest(cursor: str, rest: str) -> bool:
    try:
        cursors.decode(cursor, rest, (str, str))
    except Invalid:
        return False
    return True


def _with_number(
    filters: Filters, where: list[str], params: list[Any], order: str, name: str, limit: int, cursor: str | None
) -> tuple[list[tuple[Any, ...]], str | None]:
    sign, way = ("<", "DESC") if order.startswith("-") else (">", "ASC")
    if filters.experiment_id is not None:
        of_series = "m.experiment_id = %s"
        values: list[Any] = [filters.experiment_id]
    else:
        of_series = "m.experiment_id IN (SELECT x.id FROM runs_experiment x WHERE x.workspace_id = %s)"
        values = [filters.workspace_id]
    conditions = [of_series, "m.name = %s", "m.\"column\" = ''", "m.last IS NOT NULL", *where]
    values += [name, *params]
    if cursor:
        last, last_id = cursors.decode(cursor, order, ((int, float, str), str))
        conditions.append(f"(m.last, m.run_id) {sign} (%s, %s)")
        values += [float(last), last_id]
    sql = (
        f"SELECT {COLUMNS}, m.last FROM runs_metricseries m JOIN runs_run r ON r.id = m.run_id "
        f"WHERE {' AND '.join(conditions)} ORDER BY m.last {way}, m.run_id {way} LIMIT {limit + 1}"
    )
    rows = _read(filters, sql, values)
    if len(rows) <= limit:
        return [row[:-1] for row in rows], None
    final = rows[limit - 1]
    last_value = final[-1] if abs(final[-1]) != float("inf") else repr(final[-1])
    return [row[:-1] for row in rows[:limit]], cursors.encode(order, last_value, final[0])
