"""What lists, pages and the beat ask of the database costs the same whatever else there is: the plans say so."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from runs.execution import worker
from runs.models import Experiment, MetricSeries, Run
from runs.states import State
from tests import builders

pytestmark = pytest.mark.django_db

# Many beside what is looked for; a plan that walks them examines at least so many rows.
MANY = 3000
Statements = list[tuple[str, Any]]


@pytest.fixture
def crowded(lab) -> Experiment:
    """3,000 completed runs with a metric; one that failed, one archived and one under way, all older than they."""
    experiment = builders.experiment(lab, "crowd")
    old = timezone.now() - dt.timedelta(days=9)
    for state, archived in ((State.FAILED, None), (State.COMPLETED, old), (State.NOT_STARTED, None)):
        fields = {"kind": Run.Kind.SCRIPT} if state == State.NOT_STARTED else {}
        builders.run(lab, experiment_name="crowd", state=state, created_at=old, archived_at=archived, **fields)
    now = timezone.now()
    many = [
        Run(id=f"crowd_{i}", root_id=f"crowd_{i}", workspace=lab, experiment=experiment, number=i + 10,
            state=State.COMPLETED, created_at=now + dt.timedelta(milliseconds=i), started_at=now, ended_at=now)
        for i in range(MANY)
    ]  # fmt: skip
    Run.objects.bulk_create(many, batch_size=500)
    MetricSeries.objects.bulk_create(
        [
            MetricSeries(run=run, experiment_id=experiment.pk, name="auc", kind="scalar", type="float", count=1,
                         last=run.number, last_text=str(run.number), min=0, max=1, last_time=0.0)
            for run in many
        ],
        batch_size=500,
    )  # fmt: skip
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE runs_run, runs_metricseries, runs_runtag")
    return experiment


def asked(work: Callable[[], object]) -> Statements:
    """The SELECTs that `work` makes, with their parameters."""
    found: Statements = []

    def keep(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.lstrip().startswith(("SELECT", "WITH")):
            found.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(keep):
        work()
    assert found
    return found


def prefer_indexes(cursor: Any) -> None:
    """PostgreSQL reads so few rows faster one after the other; the question is what there is for more."""
    if connection.vendor == "postgresql":
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL random_page_cost = 0")


def examined(sql: str, params: Any) -> int:
    """Rows that PostgreSQL looks at, thrown away or not, in its hungriest step."""
    with connection.cursor() as cursor:
        prefer_indexes(cursor)
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", params)
        plan = cursor.fetchone()[0]
    rows = []

    def walk(node: dict[str, Any]) -> None:
        seen = node["Actual Rows"] + node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Join Filter", 0)
        rows.append(seen * node["Actual Loops"])
        for below in node.get("Plans", ()):
            walk(below)

    walk((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"])
    return int(max(rows))


def plan_of(sql: str, params: Any) -> list[str]:
    """The steps of a statement in the database's own words."""
    with connection.cursor() as cursor:
        prefer_indexes(cursor)
        cursor.execute(f"EXPLAIN {'' if connection.vendor == 'postgresql' else 'QUERY PLAN'} {sql}", params)
        return [str(row[-1]) for row in cursor.fetchall()]


def walks(sql: str, params: Any) -> list[str]:
    """Steps in which SQLite reads all of a table of runs or of what belongs to them."""
    scans = [step for step in plan_of(sql, params) if step == "SCAN r" or step.startswith("SCAN runs_")]
    return [step for step in scans if "runs_not_final" not in step]


def costs_little(statements: Statements) -> None:
    """No statement looks at a number of rows that grows with the number of runs."""
    for sql, params in statements:
        if connection.vendor == "postgresql":
            assert examined(sql, params) < MANY / 3, sql
        else:
            assert not walks(sql, params), sql


ADDRESSES = [
    "/w/lab/",
    "/w/lab/experiments/",
    "/w/lab/experiments/crowd/",
    "/w/lab/experiments/crowd/?status=Failed",
    "/w/lab/experiments/crowd/?status=CancelRequested",
    "/w/lab/experiments/crowd/?status=Failed&order=-metric:auc",
    "/w/lab/experiments/crowd/?archived=1",
    "/w/lab/experiments/crowd/?order=-metric:auc",
    "/w/lab/experiments/crowd/?metric=auc&op=ge&value=99999",
    "/w/lab/experiments/crowd/?metric=no-such-metric",
    "/w/lab/experiments/crowd/?tag=no-such-tag",
    "/w/lab/runs/crowd_7/",
    "/w/lab/runs/crowd_7/metrics/",
    "/w/lab/runs/crowd_7/children/",
    "/w/lab/models/",
    "/w/lab/queue/",
    "/w/lab/compute/",
    "/w/lab/experiments/crowd/?{query}",
]
OWN_INDEX = {
    "?status=Failed": "runs_of_a_state",
    "?archived=1": "runs_archived",
    "?order=-metric:auc": "runs_by_metric",
}


def test_a_page_looks_at_no_more_rows_however_many_runs_there_are(client: Client, owner, crowded: Experiment) -> None:
    client.force_login(owner)
    for address in ADDRESSES:
        answers: list[Any] = []
        statements = asked(lambda answers=answers, address=address: answers.append(client.get(address)))
        assert answers[0].status_code == 200, address
        costs_little(statements)
        for query, index in OWN_INDEX.items():
            if address.endswith(f"/crowd/{query}"):
                plans = "\n".join(step for sql, params in statements for step in plan_of(sql, params))
                assert index in plans, (address, plans)


def test_the_beat_finds_the_runs_under_way_without_looking_at_the_others(crowded: Experiment) -> None:
    woken = []
    costs_little(asked(lambda: woken.append(worker.wake_all())))
    assert woken == [1]
