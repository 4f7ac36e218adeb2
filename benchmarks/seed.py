"""Fills each server's own tables with runs, because its front door would take half an hour for a hundred thousand.

The rows are those that the server itself writes for a finished run with two metrics and a tag.
"""

from __future__ import annotations

import json
import os
import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.peers import AtelierPeer, MlflowPeer
from scripts.supervisor import ROOT

SOLVERS = ("adam", "sgd", "lbfgs", "saga", "newton")


def rows(first: int, count: int) -> Iterable[tuple[int, float, float, str]]:
    """(number, accuracy, loss, solver): the same for both servers."""
    draw = random.Random(first)
    for number in range(first, first + count):
        yield number, draw.random(), draw.random(), SOLVERS[number % len(SOLVERS)]


def seed_atelier(peer: AtelierPeer, first: int, count: int) -> None:
    """In a process with Django on the server's data."""
    environment = {**peer.server.environment, "DJANGO_SETTINGS_MODULE": "studio.settings"}
    command = [sys.executable, "-m", "benchmarks.seed", peer.server.workspace, str(first), str(count)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])


def _inside_django(workspace_name: str, first: int, count: int) -> None:
    import django

    django.setup()
    from django.db import transaction
    from django.utils import timezone

    from runs.models import Experiment
    from studio.workspace.models import Workspace

    workspace = Workspace.objects.get(name=workspace_name)
    experiment, _ = Experiment.objects.get_or_create(workspace=workspace, name="seeded")
    now = timezone.now() - timedelta(days=1)
    everything = list(rows(first, count))
    for start in range(0, count, 5000):
        with transaction.atomic():
            _write_part(experiment, everything[start : start + 5000], now)
    Experiment.objects.filter(pk=experiment.pk).update(last_number=first + count)


def _write_part(experiment: Any, part: Sequence[tuple[Any, ...]], now: datetime) -> None:
    """Runs with what stands beside each, as the server itself writes them."""
    from runs.metricstore import pack
    from runs.models import MetricChunk, MetricSeries, Run, RunEvent, RunTag

    runs = [
        Run(
            id=f"seeded_{number:08d}",
            root_id=f"seeded_{number:08d}",
            workspace_id=experiment.workspace_id,
            experiment=experiment,
            number=number + 1,
            state="Completed",
            created_at=now + timedelta(milliseconds=number),
            started_at=now + timedelta(milliseconds=number),
            ended_at=now + timedelta(seconds=60),
            submitted_by="bench",
        )
        for number, *_ in part
    ]
    Run.objects.bulk_create(runs, batch_size=500)
    RunEvent.objects.bulk_create([RunEvent(run=run, state="Completed", at=now) for run in runs], batch_size=1000)
    RunTag.objects.bulk_create(
        [
            RunTag(run=run, experiment_id=experiment.pk, key="solver", value=row[3])
            for run, row in zip(runs, part, strict=True)
        ],
        batch_size=1000,
    )
    series = [
        MetricSeries(
            run=run,
            experiment_id=experiment.pk,
            name=name,
            kind="scalar",
            type="float",
            count=1,
            loose=1,
            last=value,
            last_text=json.dumps(value),
            last_time=now.timestamp(),
            min=value,
            max=value,
        )
        for run, row in zip(runs, part, strict=True)
        for name, value in (("accuracy", row[1]), ("loss", row[2]))
    ]
    MetricSeries.objects.bulk_create(series, batch_size=500)
    MetricChunk.objects.bulk_create(
        [MetricChunk(series=s, start=0, count=1, data=pack([s.last], None, [s.last_time]).to_blob()) for s in series],
        batch_size=1000,
    )


def _mlflow_rows(peer: MlflowPeer, first: int, count: int) -> dict[str, list[tuple[Any, ...]]]:
    now = int(time.time() * 1000) - 86_400_000
    runs, metrics, tags = [], [], []
    for number, accuracy, loss, solver in rows(first, count):
        run = f"{number:032x}"
        uri = f"mlflow-artifacts:/{peer.seeded}/{run}/artifacts"
        runs.append((run, f"run-{number}", "UNKNOWN", "", "", "bench", "FINISHED", now + number, now + number + 60_000, None,
                     "", "active", uri, int(peer.seeded)))  # fmt: skip
        metrics += [("accuracy", accuracy, now, run, 0, False), ("loss", loss, now, run, 0, False)]
        tags += [("solver", solver, run), ("mlflow.runName", f"run-{number}", run), ("mlflow.user", "bench", run)]
    return {
        "runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, status, start_time, end_time, "
        "deleted_time, source_version, lifecycle_stage, artifact_uri, experiment_id)": runs,
        "metrics (key, value, timestamp, run_uuid, step, is_nan)": metrics,
        "latest_metrics (key, value, timestamp, run_uuid, step, is_nan)": metrics,
        "tags (key, value, run_uuid)": tags,
    }


def _fill(database: str, tables: dict[str, list[tuple[Any, ...]]]) -> None:
    if database.startswith("sqlite:///"):
        with sqlite3.connect(database.removeprefix("sqlite:///"), timeout=60) as connection:
            for table, values in tables.items():
                marks = ", ".join("?" * len(values[0]))
                connection.executemany(f"INSERT INTO {table} VALUES ({marks})", values)
        return
    import psycopg

    with psycopg.connect(database) as connection, connection.cursor() as cursor:
        for table, values in tables.items():
            with cursor.copy(f"COPY {table} FROM STDIN") as copy:  # type: ignore[call-overload]
                for row in values:
                    copy.write_row(row)


def seed_mlflow(peer: MlflowPeer, first: int, count: int) -> None:
    """Straight into its tables."""
    _fill(peer.server.database, _mlflow_rows(peer, first, count))


def seed_mlflow_points(peer: MlflowPeer, run: str, name: str, values: list[float]) -> None:
    """The points of one metric, as its log-batch would have left them."""
    now = int(time.time() * 1000)
    points = [(name, value, now, run, step, False) for step, value in enumerate(values)]
    _fill(
        peer.server.database,
        {
            "metrics (key, value, timestamp, run_uuid, step, is_nan)": points,
            "latest_metrics (key, value, timestamp, run_uuid, step, is_nan)": points[-1:],
        },
    )


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "studio.settings")
    _inside_django(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
