"""A run with everything in it, as a real script leaves it: metrics of every kind, images, logs, files, a snapshot."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import math
import uuid
import zipfile
from typing import Any

import numpy as np
import orjson
from django.utils import timezone
from PIL import Image

from runs.actions import metrics
from runs.models import Artifact, Log, LogChunk, Run, RunEvent, RunProperty, RunTag, Snapshot, SnapshotFile, raw
from runs.states import FINAL, State
from studio.workspace import storage
from studio.workspace.models import Workspace
from tests import builders

START = 1_700_000_000.0


def log(
    run: Run,
    name: str,
    values: list[Any],
    *,
    kind: str = "scalar",
    steps: list[int] | None = None,
    at: float = START,
    gap: float = 1.0,
) -> None:
    """Append values to the one column of a metric, ``gap`` seconds apart."""
    times = [at + gap * place for place in range(len(values))]
    series = {"name": name, "kind": kind, "columns": {"": values}, "steps": steps, "times": times}
    metrics.append(raw.run_key(run.id), str(uuid.uuid4()), [series])


def log_columns(run: Run, name: str, columns: dict[str, list[Any]], kind: str = "table") -> None:
    """Append rows to a metric of named columns."""
    count = len(next(iter(columns.values())))
    series = {"name": name, "kind": kind, "columns": columns, "steps": None, "times": [START + i for i in range(count)]}
    metrics.append(raw.run_key(run.id), str(uuid.uuid4()), [series])


def keep(content: bytes) -> str:
    """Store a content; its hash."""
    sha256 = hashlib.sha256(content).hexdigest()
    with storage.kept_small(content, sha256):
        return sha256


def artifact(run: Run, path: str, content: bytes, content_type: str = "application/octet-stream") -> Artifact:
    """A file of the run."""
    sha256 = keep(content)
    return Artifact.objects.create(run=run, path=path, size=len(content), sha256=sha256, content_type=content_type)


def live_log(run: Run, path: str, *chunks: bytes) -> Log:
    """A log that still grows, in the chunks in which it came."""
    made = Log.objects.create(run=run, path=path, size=sum(map(len, chunks)))
    offset = 0
    for chunk in chunks:
        LogChunk.objects.create(log=made, offset=offset, data=chunk)
        offset += len(chunk)
    return made


def document(run: Run, name: str, kind: str, content: Any) -> None:
    """A typed metric: its JSON as a file, its value the file's address."""
    artifact(run, name, orjson.dumps(content), "application/json")
    log(run, name, [f"aml://artifactId/ExperimentRun/dcid.{run.id}/{name}"], kind=kind)


def image(run: Run, name: str, at: int, color: tuple[int, int, int], size: tuple[int, int] = (320, 220)) -> None:
    """A logged image, drawn as a plain gradient."""
    grid = np.zeros((size[1], size[0], 3), np.uint8)
    grid[:, :] = color
    grid[:, :, 0] = np.linspace(0, 255, size[0], dtype=np.uint8)
    grid[:, :, 1] += np.linspace(0, 60, size[1], dtype=np.uint8)[:, None]
    data = io.BytesIO()
    Image.fromarray(grid).save(data, "PNG")
    path = f"{name}_{at}.png"
    artifact(run, path, data.getvalue(), "image/png")
    log(run, name, [f"aml://artifactId/ExperimentRun/dcid.{run.id}/{path}"], kind="image", steps=[at], at=START + at)


def snapshot(workspace: Workspace, files: dict[str, bytes]) -> Snapshot:
    """A snapshot that holds these files, found again when it is there."""
    import hashlib

    hashes = {path: hashlib.sha256(content).hexdigest() for path, content in files.items()}
    listing = "".join(f"{path}\0644\0{hashes[path]}\n" for path in sorted(files))
    content_id = hashlib.sha256(listing.encode()).hexdigest()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    data = packed.getvalue()
    made, fresh = Snapshot.objects.get_or_create(
        workspace=workspace,
        content_id=content_id,
        defaults={"zip_sha256": keep(data), "zip_size": len(data), "size": sum(map(len, files.values()))},
    )
    if fresh:
        SnapshotFile.objects.bulk_create(
            SnapshotFile(snapshot=made, path=path, size=len(content), sha256=hashes[path])
            for path, content in files.items()
        )
    return made


TRAIN = b'''"""Train a classifier on the diabetes patients."""

import argparse

from azureml.core import Run
from sklearn.linear_model import LogisticRegression


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rate", type=float, default=0.1)
    rate = parser.parse_args().rate
    run = Run.get_context()
    for step in range(20):
        run.log("loss", 1 / (1 + step * rate), step=step)
    print(f"done with {rate:.3f}")


if __name__ == "__main__":
    main()
'''
FILES = {
    "train.py": TRAIN,
    "util/data.py": b"ROWS = 442\n",
    "README.md": b"# Diabetes\n\nThe *demo*.\n",
    "conda.yml": b"name: demo\n",
}
LOG = (
    b"2026-11-25 00:00:01 INFO  data loaded: 442 rows\n"
    b"\x1b[32mepoch 1\x1b[0m loss 0.912\n"
    b"\x1b[33mWARNING\x1b[0m the learning rate is high\n"
    b"epoch 2 loss 0.644 <b>not bold</b>\n"
)
DEFINITION = {
    "script": "train.py",
    "arguments": ["--rate", "0.1", "--epochs=20", "--verbose"],
    "target": "cpu-cluster",
    "environment": {
        "name": "sklearn-env",
        "version": "3",
        "python": {"userManagedDependencies": False},
        "docker": {"baseImage": "atelier-base:bookworm"},
    },
    "environmentVariables": {"OMP_NUM_THREADS": "2"},
}
STAGES = (
    ("NotStarted", 1),
    ("Starting", 0.5),
    ("Provisioning", 30),
    ("Preparing", 80),
    ("Queued", 3),
    ("Running", 400),
    ("Finalizing", 4),
)


def accuracy_table() -> dict[str, Any]:
    """A plausible two-class accuracy table."""
    draw = np.random.default_rng(7)
    truth = draw.integers(0, 2, 400)
    scores = np.clip(truth * 0.35 + draw.random(400) * 0.65, 0, 1)

    def counts(positive: np.ndarray, score: np.ndarray, cuts: np.ndarray) -> list[list[int]]:
        return [
            [
                int(((score >= c) & positive).sum()),
                int(((score >= c) & ~positive).sum()),
                int(((score < c) & ~positive).sum()),
                int(((score < c) & positive).sum()),
            ]
            for c in cuts
        ]

    cuts = np.linspace(0, 1, 101)
    data = {
        "probability_tables": [counts(truth == 0, 1 - scores, cuts), counts(truth == 1, scores, cuts)],
        "probability_thresholds": cuts.tolist(),
        "class_labels": ["no", "yes"],
    }
    data["percentile_tables"], data["percentile_thresholds"] = (
        data["probability_tables"],
        data["probability_thresholds"],
    )
    return {"schema_type": "accuracy_table", "schema_version": "v1", "data": data}


def events(run: Run, created: dt.datetime) -> None:
    """The states on the way to where the run is."""
    RunEvent.objects.filter(run=run).delete()
    at, rows = created, []
    for state, seconds in STAGES:
        reason = "Waits for a node of cpu-cluster to come up." if state == "Provisioning" else ""
        rows.append(RunEvent(run=run, state=state, at=at, reason=reason))
        if state == run.state:
            break
        at += dt.timedelta(seconds=seconds)
    if run.state in FINAL:
        rows.append(RunEvent(run=run, state=run.state, at=at, reason=""))
    RunEvent.objects.bulk_create(rows)


def rich_run(
    workspace: Workspace,
    *,
    state: State = State.COMPLETED,
    experiment_name: str = "diabetes",
    seed: int = 0,
    **fields: Any,
) -> Run:
    """A whole run. ``seed`` changes its numbers."""
    draw = np.random.default_rng(seed)
    created = fields.pop("created_at", timezone.now() - dt.timedelta(minutes=20 + seed))
    run = builders.run(
        workspace,
        experiment_name=experiment_name,
        state=state,
        kind="script",
        type="azureml.scriptrun",
        display_name=fields.pop("display_name", f"calm_lovelace_{seed}"),
        description=fields.pop("description", "A **first** try with `logistic regression`:\n\n- rate 0.1\n- 5 folds"),
        submitted_by="olga@example.org",
        compute=fields.pop("compute", "cpu-cluster"),
        created_at=created,
        started_at=created + dt.timedelta(seconds=114),
        ended_at=created + dt.timedelta(seconds=519) if state in FINAL else None,
        definition=fields.pop("definition", DEFINITION),
        snapshot=fields.pop("snapshot", None) or snapshot(workspace, FILES),
        image="azureml/azureml_0123456789abcdef0123456789abcdef",
        **fields,
    )
    events(run, created)
    for key, value in (("model", "logistic"), ("dataset", "diabetes"), ("baseline", None)):
        RunTag.objects.create(run=run, experiment_id=run.experiment_id, key=key, value=value)
    for key, value in (
        ("azureml.git.repository_uri", "https://git.example.org/lab/diabetes"),
        ("azureml.git.branch", "main"),
        ("azureml.git.commit", "4f2c0b7e1c8f9a4f2c0b7e1c8f9a4f2c0b7e1c8f"),
        ("azureml.git.dirty", "True"),
    ):
        RunProperty.objects.create(run=run, key=key, value=value)
    steps = list(range(120))
    noise = draw.normal(0, 0.03, 120)
    log(run, "loss", [float(1.4 * math.exp(-s / 35) + 0.2 + n) for s, n in zip(steps, noise, strict=True)], steps=steps)
    log(
        run,
        "accuracy",
        [float(0.95 - 0.45 * math.exp(-s / 25) + n / 3) for s, n in zip(steps, noise, strict=True)],
        steps=steps,
    )
    log(
        run,
        "val_accuracy",
        [float(0.91 - 0.42 * math.exp(-s / 30) + n / 2) for s, n in zip(steps, noise[::-1], strict=True)],
        steps=steps,
    )
    log(run, "rate", [0.1])
    log(run, "rows", [442])
    log(run, "solver", ["lbfgs"])
    log(run, "fold scores", [0.71, 0.74, 0.69, 0.77, 0.73], kind="list")
    log_columns(
        run,
        "precision by fold",
        {"fold": ["one", "two", "three"], "train": [0.91, 0.93, 0.9], "test": [0.8, 0.84, 0.79]},
    )
    log_columns(
        run, "cos over x", {"x": [i / 8 for i in range(50)], "cos": [math.cos(i / 8) for i in range(50)]}, kind="row"
    )
    document(
        run,
        "confusion",
        "confusion_matrix",
        {
            "schema_type": "confusion_matrix",
            "schema_version": "v1",
            "data": {"class_labels": ["low", "high"], "matrix": [[188, 33], [41, 180]]},
        },
    )
    document(run, "scores", "accuracy_table", accuracy_table())
    for at in (1, 5, 20):
        image(run, "ROC", at, (10, 40 + at * 6, 160))
    image(run, "label distribution", 1, (10, 120, 60))
    artifact(run, "azureml-logs/70_driver_log.txt", LOG * 20 + b"done with 0.100\n", "text/plain")
    artifact(run, "azureml-logs/20_image_build_log.txt", b"Step 1/4 : FROM atelier-base:bookworm\n", "text/plain")
    artifact(run, "logs/azureml/execution.log", b"started\n", "text/plain")
    artifact(run, "outputs/model.pkl", b"\x80\x04" + bytes(2000))
    artifact(run, "outputs/metrics.json", orjson.dumps({"accuracy": 0.91, "folds": [0.7, 0.8]}), "application/json")
    artifact(
        run,
        "outputs/patients.csv",
        b"age,sex,target\n" + b"".join(b"%d,%d,%d\n" % (20 + i % 60, i % 2, i) for i in range(300)),
        "text/csv",
    )
    artifact(run, "outputs/report.md", b"# Report\n\n| fold | score |\n|---|---|\n| 1 | 0.7 |\n", "text/markdown")
    artifact(run, "outputs/report.html", b"<h1>Report</h1><script>document.title='owned'</script>", "text/html")
    artifact(
        run,
        "outputs/plots/tree.svg",
        b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 60"><rect width="100" height="60" fill="teal"/></svg>',
        "image/svg+xml",
    )
    return run
