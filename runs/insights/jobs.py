"""Child runs that do an insight's heavy work: in the run's own environment, on its compute, never in the web process.

A job's token reaches its own run alone, so what it needs (data, a model's files) is named again among the child's own
artifacts; the content is kept once.
"""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from runs.actions.artifacts import Stored, name_files
from runs.actions.create import NewRun, create
from runs.insights import files
from runs.models import Artifact, Run
from studio.compute.models import ComputeTarget
from studio.environments import register
from studio.errors import Invalid, NotFound
from studio.workspace import storage
from studio.workspace.models import ModelFile, ModelVersion

INPUTS = "inputs"
MODEL = f"{INPUTS}/model"
#: For runs that were not submitted with an environment: what the jobs themselves need.
PACKAGES = [
    "numpy",
    "pandas",
    "scikit-learn==1.9.1",
    "fairlearn==0.15.0",
    "interpret==0.7.8",
    "lightgbm==4.7.0",
    "joblib",
]


def environment_of(run: Run, model: ModelVersion | None = None, wanted: Any = "") -> dict[str, Any]:
    """The environment a job for `run` has: the wanted one (a definition, or the name of a registered one), else the
    run's own, else its model's, else one with what the jobs need."""
    if isinstance(wanted, dict) and wanted:
        return wanted
    if wanted:
        return register.get(run.workspace, str(wanted)).definition
    definition = run.definition or {}
    own = definition.get("environment")
    if isinstance(own, dict) and own:
        return own
    if model is not None and model.environment:
        return model.environment
    return {
        "name": "atelier-insights",
        "python": {
            "userManagedDependencies": False,
            "condaDependencies": {"dependencies": ["python=3.11", {"pip": PACKAGES}]},
        },
    }


def start(
    run: Run,
    by: str,
    *,
    module: str,
    name: str,
    kind: str,
    seconds: int,
    compute: str = "",
    properties: dict[str, str],
    inputs: list[tuple[str, Artifact | ModelFile]],
    documents: dict[str, bytes] | None = None,
    model: ModelVersion | None = None,
    environment: Any = "",
) -> Run:
    """Start a child run of `run` that executes `module` of the SDK. inputs: (path in the child, file it shows)."""
    definition = {
        "command": ["python", "-m", module],
        "environment": environment_of(run, model, environment),
        "maxRunDurationSeconds": seconds,
        "target": compute or run.compute or "local",
    }
    with transaction.atomic():
        made = create(
            run.workspace_id,
            by,
            NewRun(
                experiment=run.experiment.name,
                kind="script",
                parent_id=run.id,
                display_name=name,
                definition=definition,
                compute=compute or run.compute or "local",
                properties=properties,
                type=kind,
            ),
        )
        named = [Stored(f"{INPUTS}/{path}", source.size, source.sha256) for path, source in inputs]
        with storage.held(one.sha256 for one in named):
            name_files(made.run.pk, named)
        for path, data in (documents or {}).items():
            files.write(made.run.pk, f"{INPUTS}/{path}", data)
    return made.run


def artifact(run: Run, path: str) -> Artifact:
    """A file of the run; NotFound names it."""
    found = Artifact.objects.filter(run=run, path=path).first()
    if found is None:
        raise NotFound(f"This run has no file {path[:200]!r}.", field="data")
    return found


def models_of(run: Run) -> list[str]:
    """What of the run may be a model: files in outputs/ that joblib can load, and the versions registered from it."""
    rows: QuerySet[Artifact] = Artifact.objects.filter(run=run, path__startswith="outputs/")
    paths = [
        p
        for p in rows.order_by("path").values_list("path", flat=True)[:5000]
        if p.endswith((".pkl", ".joblib", ".pickle"))
    ]
    versions = ModelVersion.objects.filter(run_id=run.id, model__workspace_id=run.workspace_id).select_related("model")
    named = [str(v) for v in versions.order_by("model__name", "-version")[:100]]
    return named + paths[:100]


def model_files(run: Run, name: str) -> tuple[list[tuple[str, Artifact | ModelFile]], ModelVersion | None]:
    """The files of a model, by the id of a registered one ("name:version") or a path in the run's outputs."""
    stem, _, version = name.rpartition(":")
    if stem and version.isdecimal() and len(version) < 10:
        found = ModelVersion.objects.filter(
            model__workspace_id=run.workspace_id, model__name=stem, version=int(version)
        ).first()
        if found is None:
            raise NotFound(f"There is no model {name[:200]!r} in this workspace.", field="model")
        listed = list(found.files.order_by("path"))
        return [(f"model/{f.path}", f) for f in listed], found
    single = Artifact.objects.filter(run=run, path=name).first()
    if single is None:
        raise Invalid(f"{name[:200]!r} is neither a file of this run nor a registered model.", field="model")
    return [(f"model/{name.rsplit('/', 1)[-1]}", single)], None


def environments_of(run: Run) -> list[str]:
    """The environments a form offers, by name."""
    return [one.name for one in register.listed(run.workspace)]


def computes_of(run: Run) -> list[str]:
    """The compute targets a form offers, by name."""
    targets = ComputeTarget.objects.filter(workspace_id=run.workspace_id)
    return list(targets.order_by("name").values_list("name", flat=True)[:200])
