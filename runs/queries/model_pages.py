"""The model registry as pages read it."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count, F, OuterRef, Subquery

from studio.errors import NotFound
from studio.workspace.models import Model, ModelFile, ModelVersion, Workspace

PAGE = 100


@dataclass(frozen=True)
class Listed:
    """A model with its newest version; ``versions`` counts those that are there."""

    model: Model
    newest: ModelVersion
    versions: int


def models_of(workspace: Workspace, *, search: str = "", after: str = "") -> tuple[list[Listed], str | None]:
    """(models by name, the name after which the next page begins). Two queries."""
    newest = ModelVersion.objects.filter(model=OuterRef("pk")).order_by("-version").values("pk")[:1]
    rows = (
        Model.objects.filter(workspace=workspace, name__gt=after)
        .annotate(newest_id=Subquery(newest), count=Count("versions"))
        .filter(newest_id__isnull=False)
        .order_by("name")
    )
    if search:
        rows = rows.filter(name__icontains=search)
    found = list(rows[: PAGE + 1])
    versions = ModelVersion.objects.in_bulk([row.newest_id for row in found])
    listed = [Listed(row, versions[row.newest_id], row.count) for row in found[:PAGE] if row.newest_id in versions]
    return listed, found[PAGE - 1].name if len(found) > PAGE else None


def model_of(workspace: Workspace, name: str) -> Model:
    """The model by its name, or NotFound."""
    found = Model.objects.filter(workspace=workspace, name=name).first()
    if found is None:
        raise NotFound(f"There is no model {name!r} in {workspace.name}.")
    return found


def version_of(workspace: Workspace, name: str, version: int) -> ModelVersion:
    """One version, or NotFound."""
    found = ModelVersion.objects.filter(model__workspace=workspace, model__name=name, version=version)
    one = found.select_related("model").first()
    if one is None:
        raise NotFound(f"There is no version {version} of the model {name!r} in {workspace.name}.")
    return one


def versions_of(model: Model) -> list[ModelVersion]:
    """Newest first."""
    return list(ModelVersion.objects.filter(model=model).order_by(F("version").desc()))


def files_of(version: ModelVersion) -> list[ModelFile]:
    """Its files by path."""
    return list(ModelFile.objects.filter(version=version).order_by("path"))
