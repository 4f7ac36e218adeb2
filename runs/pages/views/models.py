"""The model registry: models, their versions, a version's files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_GET, require_http_methods

from runs.actions import models as registry
from runs.insights import summaries
from runs.models import Run
from runs.pages.access import may_edit, workspace_of
from runs.pages.views.actions import tags_as_text, tags_from
from runs.pages.zips import zip_of
from runs.queries import model_pages
from studio.errors import NotFound, StudioError
from studio.workspace import storage
from studio.workspace.models import ModelFile, ModelVersion, Role, Workspace

PIECE = 1 << 20


def model_url(ws: str, name: str, version: int | None = None) -> str:
    """The address of a model's page, or of one version's."""
    base = f"/w/{ws}/models/{quote(name, safe='')}/"
    return base if version is None else f"{base}{version}/"


def _common(workspace: Workspace) -> dict[str, Any]:
    return {"workspace": workspace, "root": f"/w/{workspace.name}", "can_edit": may_edit(workspace)}


@require_GET
def models(request: HttpRequest, ws: str) -> HttpResponse:
    """Every model with its newest version."""
    workspace = workspace_of(request, ws)
    search = request.GET.get("q", "").strip()
    found, following = model_pages.models_of(workspace, search=search, after=request.GET.get("after", ""))
    keep = {"q": search} if search else {}
    context = _common(workspace) | {
        "models": found,
        "search": search,
        "pager": {
            "first": "?" + urlencode(keep) if request.GET.get("after") else None,
            "next": "?" + urlencode(keep | {"after": following}) if following else None,
        },
    }
    return render(request, "models/models.html", context)


@require_GET
def model(request: HttpRequest, ws: str, name: str) -> HttpResponse:
    """A model's versions."""
    workspace = workspace_of(request, ws)
    found = model_pages.model_of(workspace, name)
    context = _common(workspace) | {"model": found, "versions": model_pages.versions_of(found)}
    return render(request, "models/model.html", context)


@require_GET
def version(request: HttpRequest, ws: str, name: str, version: int) -> HttpResponse:
    """One version: where it came from, what people say of it, its files."""
    workspace = workspace_of(request, ws)
    found = model_pages.version_of(workspace, name, version)
    run = (
        Run.objects.filter(workspace=workspace, pk=found.run_id).only("id", "display_name").first()
        if found.run_id
        else None
    )
    context = _common(workspace) | {
        "version": found,
        "model": found.model,
        "run": run,
        "files": model_pages.files_of(found),
        "base": model_url(ws, name, version),
        "model_id": str(found),
        "insights": summaries.of_model(found),
        "load": f'Model(workspace, "{found.model.name}", version={found.version}).download("models")',
    }
    return render(request, "models/version.html", context)


@require_http_methods(["GET", "POST"])
def edit_version(request: HttpRequest, ws: str, name: str, version: int) -> HttpResponse:
    """Its description and tags."""
    workspace = workspace_of(request, ws, Role.CONTRIBUTOR)
    found, problem = model_pages.version_of(workspace, name, version), None
    if request.method == "POST":
        try:
            registry.change(
                found, description=request.POST.get("description", ""), tags=tags_from(request.POST.get("tags", ""))
            )
        except StudioError as error:
            problem = error
        else:
            messages.success(request, "Saved.")
            return redirect(model_url(ws, name, version))
    text = request.POST.get("tags", "") if problem else tags_as_text(found.tags)
    context = _common(workspace) | {
        "version": found,
        "tags_text": text,
        "description": request.POST.get("description", found.description),
        "problem": problem,
        "base": model_url(ws, name, version),
    }
    return render(request, "models/edit.html", context, status=problem.status if problem else 200)


@require_http_methods(["GET", "POST"])
def delete_version(request: HttpRequest, ws: str, name: str, version: int) -> HttpResponse:
    """Ask first, then delete."""
    workspace = workspace_of(request, ws, Role.CONTRIBUTOR)
    found = model_pages.version_of(workspace, name, version)
    if request.method == "POST":
        registry.delete(found)
        messages.success(request, f"Version {version} of {name} was deleted.")
        left = model_pages.versions_of(found.model)
        return redirect(model_url(ws, name) if left else f"/w/{ws}/models/")
    context = _common(workspace) | {"version": found, "base": model_url(ws, name, version)}
    return render(request, "models/delete.html", context)


def _pieces(file: ModelFile) -> Iterator[bytes]:
    with storage.open_content(file.sha256) as content:
        while piece := content.read(PIECE):
            yield piece


def _file(found: ModelVersion, path: str) -> StreamingHttpResponse:
    file = ModelFile.objects.filter(version=found, path=path).first()
    if file is None:
        raise NotFound(f"The model has no file {path!r}.")
    response = StreamingHttpResponse(_pieces(file), content_type="application/octet-stream")
    response["Content-Length"] = str(file.size)
    response["Content-Disposition"] = content_disposition_header(True, path.rpartition("/")[2])
    response["X-Content-Type-Options"] = "nosniff"
    return response


@require_GET
def download(request: HttpRequest, ws: str, name: str, version: int) -> StreamingHttpResponse:
    """?file=path: one file; without it all as a zip. Always a download."""
    found = model_pages.version_of(workspace_of(request, ws), name, version)
    if path := request.GET.get("file"):
        return _file(found, path)
    members = ((file.path, found.created_at, _pieces(file)) for file in model_pages.files_of(found))
    response = StreamingHttpResponse(zip_of(members), content_type="application/zip")
    response["Content-Disposition"] = content_disposition_header(
        True, f"{found.model.name}-{found.version}.zip".replace("/", "_")
    )
    return response
