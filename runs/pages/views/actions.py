"""What a person does to a run: edit, cancel, delete."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from runs.actions import delete as deletion
from runs.actions import state, tags
from runs.models import Artifact, Run, RunTag, raw
from runs.pages.access import run_of
from runs.pages.views.experiments import experiment_url
from runs.pages.views.run import run_url
from studio.errors import StudioError
from studio.htmx import respond
from studio.template_tags import filesize
from studio.workspace.models import Role


def who(request: HttpRequest) -> str:
    """The person's name, for the record."""
    return request.user.get_username()


def run_context(run: Run) -> dict[str, object]:
    """What every form about a run needs."""
    return {"run": run, "workspace": run.workspace, "root": f"/w/{run.workspace.name}", "base": run_url(run)}


def tags_from(text: str) -> dict[str, str | None]:
    """Tags as a person writes them: one a line, "name=value" or the name alone."""
    found: dict[str, str | None] = {}
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if key.strip():
            found[key.strip()] = value.strip() if equals else None
    return found


def tags_as_text(given: dict[str, str | None]) -> str:
    """The other way."""
    return "\n".join(key if value is None else f"{key}={value}" for key, value in given.items())


@require_http_methods(["GET", "POST"])
def edit(request: HttpRequest, ws: str, run_id: str) -> HttpResponse:
    """The display name, the description and the tags."""
    run, problem = run_of(request, ws, run_id, Role.CONTRIBUTOR), None
    kept = dict(RunTag.objects.filter(run=run).order_by("key").values_list("key", "value"))
    if request.method == "POST":
        wanted = tags_from(request.POST.get("tags", ""))
        try:
            key = raw.run_key(run.id)
            tags.describe(
                key,
                display_name=request.POST.get("display_name", "").strip(),
                description=request.POST.get("description", ""),
            )
            tags.set_tags(key, wanted, [name for name in kept if name not in wanted])
        except StudioError as error:
            problem = error
            run.display_name = request.POST.get("display_name", "")
            run.description = request.POST.get("description", "")
        else:
            messages.success(request, "Saved.")
            return redirect(run_url(run))
    text = request.POST.get("tags", "") if problem else tags_as_text(kept)
    context = run_context(run) | {"tags_text": text, "problem": problem}
    status = problem.status if problem else 200
    return respond(request, page="runs/edit.html", fragment="runs/parts/edit_form.html", context=context, status=status)


@require_POST
def cancel(request: HttpRequest, ws: str, run_id: str) -> HttpResponse:
    """Ask that the run and its children stop."""
    run = run_of(request, ws, run_id, Role.CONTRIBUTOR)
    try:
        state.cancel(raw.run_key(run.id), who(request))
    except StudioError as error:
        messages.warning(request, error.message)
    else:
        messages.success(request, "Asked to cancel; the page follows until the run has stopped.")
    return redirect(run_url(run))


@require_http_methods(["GET", "POST"])
def delete(request: HttpRequest, ws: str, run_id: str) -> HttpResponse:
    """Ask first, saying what goes; then delete."""
    run = run_of(request, ws, run_id, Role.CONTRIBUTOR)
    ids = deletion.below([run.id])
    if request.method == "POST":
        try:
            count = deletion.delete_run(raw.run_key(run.id))
        except StudioError as error:
            messages.error(request, error.message)
            return redirect(run_url(run))
        messages.success(request, f"{count} run{' was' if count == 1 else 's were'} deleted.")
        return redirect(experiment_url(ws, run.experiment.name))
    sizes = list(Artifact.objects.filter(run__in=ids[:5000]).values_list("size", flat=True))
    context = run_context(run) | {"children": len(ids) - 1, "files": len(sizes), "size": filesize(sum(sizes))}
    return render(request, "runs/delete.html", context)
