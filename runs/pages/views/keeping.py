"""A run as something to keep: submit it again, register its model."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from runs.actions import models, resubmit
from runs.models import Artifact, raw
from runs.pages.access import run_of
from runs.pages.views.actions import run_context, tags_from, who
from runs.pages.views.models import model_url
from runs.pages.views.run import run_url
from studio.errors import StudioError
from studio.workspace.models import Role


@require_POST
def submit_again(request: HttpRequest, ws: str, run_id: str) -> HttpResponse:
    """The same definition and snapshot as a new run."""
    run = run_of(request, ws, run_id, Role.CONTRIBUTOR)
    try:
        made = resubmit.resubmit(raw.run_key(run.id), who(request)).run
    except StudioError as error:
        messages.error(request, error.message)
        return redirect(run_url(run))
    messages.success(request, f"Submitted again from run {run.number}.")
    return redirect(run_url(made))


@require_http_methods(["GET", "POST"])
def register(request: HttpRequest, ws: str, run_id: str) -> HttpResponse:
    """A file or folder of the run as the next version of a model."""
    run, problem = run_of(request, ws, run_id, Role.CONTRIBUTOR), None
    if request.method == "POST":
        try:
            version = models.register_from_run(
                who(request),
                raw.run_key(run.id),
                request.POST.get("path", "").strip(),
                models.NewModel(
                    name=request.POST.get("name", "").strip(),
                    description=request.POST.get("description", ""),
                    tags=tags_from(request.POST.get("tags", "")),
                ),
            )
        except StudioError as error:
            problem = error
        else:
            messages.success(request, f"Registered as version {version.version} of {version.model.name}.")
            return redirect(model_url(ws, version.model.name, version.version))
    paths = list(Artifact.objects.filter(run=run).order_by("path").values_list("path", flat=True)[:2000])
    context = run_context(run) | {"problem": problem, "paths": choices(paths), "form": request.POST}
    return render(request, "runs/register.html", context, status=problem.status if problem else 200)


def choices(paths: list[str]) -> list[str]:
    """What can be registered: each folder, then each file; those under outputs/ first, as models lie there."""
    folders = sorted({"/".join(path.split("/")[:depth]) for path in paths for depth in range(1, path.count("/") + 1)})
    return sorted(folders + paths, key=lambda path: (not path.startswith("outputs"), path))
