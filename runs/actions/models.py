"""The model registry: a name's next version from a run's files or from an upload."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone

from runs import limits
from runs.actions.contents import drop_unnamed
from runs.models import Artifact, Run, raw
from runs.models.raw import RunKey
from runs.paths import check_path
from studio.errors import Conflict, Invalid, NotFound, TooLarge
from studio.workspace import storage
from studio.workspace.models import ModelFile, ModelUpload, ModelVersion
from studio.workspace.storage import Incoming

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
UPLOAD = re.compile(r"[A-Za-z0-9_-]{1,64}")
# An upload that nobody registered within this time was given up.
FORGOTTEN = dt.timedelta(days=1)
_NEXT = """INSERT INTO workspace_model (workspace_id, name, last_version, created_at) VALUES (%s, %s, 1, %s)
ON CONFLICT (workspace_id, name) DO UPDATE SET last_version = workspace_model.last_version + 1
RETURNING id, last_version"""


@dataclass(slots=True)
class NewModel:
    """What is said of a version when it is registered; checked by `register`."""

    name: Any
    description: Any = ""
    tags: Any = None
    properties: Any = None
    framework: Any = ""
    framework_version: Any = ""
    datasets: Any = None
    sample_input: Any = None


@dataclass(frozen=True, slots=True)
class File:
    """A file of the version to be: its path in the model, and the stored content."""

    path: str
    size: int
    sha256: str


def upload(workspace_id: int, upload_id: str, path: str, body: storage.Readable) -> File:
    """Take a file for a model that will be registered with this upload id."""
    if not UPLOAD.fullmatch(upload_id):
        raise Invalid("An upload's id has at most 64 letters, digits, - and _; make a UUID.", "upload_id")
    check_path(path)
    with Incoming(limits.limit("artifact_bytes"), "The model's file") as incoming:
        incoming.read_from(body)
        with storage.held([incoming.sha256]):
            incoming.keep()
            with transaction.atomic():
                ModelUpload.objects.filter(workspace_id=workspace_id, upload_id=upload_id, path=path).delete()
                count = ModelUpload.objects.filter(workspace_id=workspace_id, upload_id=upload_id).count()
                limits.at_most("model_files", count + 1, "The files of a model")
                ModelUpload.objects.create(
                    workspace_id=workspace_id,
                    upload_id=upload_id,
                    path=path,
                    size=incoming.size,
                    sha256=incoming.sha256,
                )
        return File(path, incoming.size, incoming.sha256)


def register_upload(
    workspace_id: int, by: str, upload_id: Any, new: NewModel, run: RunKey | None = None
) -> ModelVersion:
    """The next version of `new.name`, with the files that were uploaded under this id."""
    rows = list(ModelUpload.objects.filter(workspace_id=workspace_id, upload_id=str(upload_id)[:64]).order_by("path"))
    if not rows:
        raise NotFound("Nothing was uploaded under this upload_id, or it was registered before.", "upload_id")
    files = [File(row.path, row.size, row.sha256) for row in rows]
    with storage.held(file.sha256 for file in files), transaction.atomic():
        made = _register(workspace_id, by, new, files, run)
        ModelUpload.objects.filter(pk__in=[row.pk for row in rows]).delete()
    _forget_uploads()
    return made


def register_from_run(by: str, run: RunKey, path: Any, new: NewModel) -> ModelVersion:
    """The next version of `new.name`, with an artifact of the run, or with all below a folder of its artifacts.

    The files keep their names from the path's last part on: outputs/model.pkl is model.pkl in the model.
    """
    if not isinstance(path, str) or not path.strip("/"):
        raise Invalid("path names a file or folder of the run's artifacts, as outputs/model.pkl.", "path")
    path = path.strip("/")
    rows = [row for row in Artifact.objects.filter(run=run.id).order_by("path") if _within(row.path, path)]
    if not rows:
        known = Artifact.objects.filter(run=run.id).order_by("path").values_list("path", flat=True)[:5]
        there = f" It has {', '.join(known)} …" if known else " It has no files yet."
        raise NotFound(f"The run has no file or folder {path[:200]!r}.{there}", "path")
    cut = len(path.rpartition("/")[0]) + 1 if "/" in path else 0
    files = [File(row.path[cut:], row.size, row.sha256) for row in rows]
    with storage.held(file.sha256 for file in files), transaction.atomic():
        if Artifact.objects.filter(pk__in=[row.pk for row in rows]).count() != len(rows):
            raise raw.no_run(run.id)  # deleted meanwhile, and its contents perhaps with it
        return _register(run.workspace_id, by, new, files, run)


def _within(path: str, wanted: str) -> bool:
    return path == wanted or path.startswith(wanted + "/")


def _register(workspace_id: int, by: str, new: NewModel, files: Sequence[File], run: RunKey | None) -> ModelVersion:
    if len(files) > limits.limit("model_files"):
        raise TooLarge(f"A model has at most {limits.limit('model_files'):,} files; this has {len(files):,}.")
    if not isinstance(new.name, str) or not NAME.fullmatch(new.name):
        raise Invalid(
            "A model's name has at most 255 letters, digits, -, _ and ., with a letter or digit first.", "name"
        )
    if new.datasets is not None and not isinstance(new.datasets, list):
        raise Invalid("datasets is a list of {scenario, name}.", "datasets")
    version = ModelVersion(
        description=limits.clean_text(new.description or "", "description", "description"),
        tags=limits.clean_tags(new.tags or {}),
        properties=limits.clean_properties(new.properties or {}),
        framework=limits.clean_text(new.framework or "", "framework", "tag_key", lines=False),
        framework_version=limits.clean_text(
            str(new.framework_version or ""), "framework_version", "tag_key", lines=False
        ),
        datasets=new.datasets or [],
        sample_input=new.sample_input,
        is_folder=len(files) > 1 or "/" in files[0].path,
        size=sum(file.size for file in files),
        created_by=by,
        **_origin(run),
    )
    row = raw.one(_NEXT, [workspace_id, new.name, timezone.now()])
    assert row is not None
    version.model_id, version.version = row
    version.save(force_insert=True)
    ModelFile.objects.bulk_create(
        [ModelFile(version=version, path=file.path, size=file.size, sha256=file.sha256) for file in files],
        batch_size=500,
    )
    return version


def _origin(run: RunKey | None) -> dict[str, Any]:
    """The run, its experiment, and the environment that it had."""
    if run is None:
        return {}
    found = Run.objects.select_related("experiment").get(pk=run.id)
    environment = (found.definition or {}).get("environment")
    return {
        "run_id": found.pk,
        "experiment": found.experiment.name,
        "environment": environment if isinstance(environment, dict) else None,
    }


def find(workspace_id: int, name: str, version: int) -> ModelVersion:
    """The version, or NotFound."""
    found = (
        ModelVersion.objects.select_related("model")
        .filter(model__workspace_id=workspace_id, model__name=name, version=version)
        .first()
    )
    if found is None:
        raise NotFound(f"There is no model {name[:260]}:{version} in this workspace.")
    return found


def change(version: ModelVersion, **given: Any) -> None:
    """Change the description and tags, add properties. A property that is there keeps its value, or it is a Conflict."""
    fields: dict[str, Any] = {}
    if given.get("description") is not None:
        fields["description"] = limits.clean_text(given["description"], "description", "description")
    if given.get("tags") is not None:
        fields["tags"] = limits.clean_tags(given["tags"])
    with transaction.atomic():
        row = ModelVersion.objects.select_for_update().filter(pk=version.pk).first()
        if row is None:
            raise NotFound("The model was deleted meanwhile.")
        if given.get("properties") is not None:
            fields["properties"] = _more_properties(row.properties, limits.clean_properties(given["properties"]))
        if fields:
            ModelVersion.objects.filter(pk=row.pk).update(**fields)
    for name, value in fields.items():
        setattr(version, name, value)


def _more_properties(old: dict[str, str], new: dict[str, str]) -> dict[str, str]:
    for key, value in new.items():
        if old.get(key, value) != value:
            raise Conflict(
                f"The property {key!r} is {old[key]!r} and can't become {value!r}: properties are set once.", key
            )
    merged = {**old, **new}
    limits.at_most("properties", len(merged), "A model's properties")
    return merged


def delete(version: ModelVersion) -> None:
    """Delete a version and the files that nothing else needs. Its number is not used again."""
    with transaction.atomic():
        hashes = list(version.files.values_list("sha256", flat=True))
        ModelVersion.objects.filter(pk=version.pk).delete()
        drop_unnamed(hashes)


def _forget_uploads() -> None:
    with transaction.atomic():
        old = ModelUpload.objects.filter(created_at__lt=timezone.now() - FORGOTTEN)
        hashes = list(old.values_list("sha256", flat=True))
        if hashes:
            old.delete()
            drop_unnamed(hashes)
