"""Environments' pages: the list, one environment with its versions, the diff of two, builds with their live log, images."""

from __future__ import annotations

import re
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from studio.environments import asked, differences, locks, logs, pruning, queries, register, spec
from studio.environments.register import Record
from studio.errors import StudioError
from studio.htmx import respond
from studio.workspace.access import signed_in, workspace_for
from studio.workspace.models import Role, Workspace

# Colours and cursor movements of a terminal; a page shows the words.
TERMINAL = re.compile(r"\x1b(\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|[@-Z\\-_])|[\x00-\x08\x0b-\x1f\x7f]")
# What a page shows of a long log at once; the API has all of it.
SHOWN_BYTES = 400_000


def _tabs(workspace: Workspace, current: str) -> list[dict[str, Any]]:
    pages = [("environments", "Environments"), ("environment-builds", "Builds"), ("environment-images", "Images")]
    return [
        {"title": title, "url": reverse(name, args=[workspace.name]), "current": name == current}
        for name, title in pages
    ]


def _may(workspace: Workspace, role: Role) -> bool:
    return bool((workspace.role or 0) >= role)  # type: ignore[attr-defined]  # set by workspace_for


@require_GET
def environments(request: HttpRequest, ws: str) -> HttpResponse:
    """The latest version of each environment: the workspace's own and the curated ones."""
    workspace = workspace_for(signed_in(request), ws)
    records = register.listed(workspace)
    context = {
        "workspace": workspace,
        "tabs": _tabs(workspace, "environments"),
        "own": [record for record in records if not record.is_curated],
        "curated": [record for record in records if record.is_curated],
    }
    return render(request, "environments/list.html", context)


@require_GET
def environment(request: HttpRequest, ws: str, name: str) -> HttpResponse:
    """One version: what it asks for, what was built from it, who used it; the other versions."""
    workspace = workspace_for(signed_in(request), ws)
    record = register.get(workspace, name, request.GET.get("version", ""))
    lock = queries.lock_of(record.built)
    uses = queries.uses(workspace, environment=name, version=record.version)
    context = {
        "workspace": workspace,
        "record": record,
        "versions": register.versions(workspace, name),
        "text": differences.as_text(record.definition),
        "built": _built(workspace, record),
        "lock": lock,
        "packages": [*locks.listed(lock.pip), *locks.conda_packages(lock.conda)] if lock else [],
        "drift": _drift(workspace, record),
        "uses": uses[:50],
        "use_count": uses.count(),
        "may_build": _may(workspace, Role.CONTRIBUTOR),
    }
    return render(request, "environments/environment.html", context)


def _built(workspace: Workspace, record: Record) -> list[dict[str, Any]]:
    found = []
    for backend, built in sorted(record.built.items()):
        image = queries.images(workspace).filter(key=built["key"], backend=backend).first()
        found.append(
            {
                "backend": backend,
                "name": spec.image_name(built["key"]),
                "digest": built["digest"],
                "image": image,
                "build": built.get("build"),
            }
        )
    return found


def _drift(workspace: Workspace, record: Record) -> list[differences.Line]:
    """What the newest build of this version would have changed, had it not kept to the lock."""
    newest = (
        queries.builds(workspace).filter(environment=record.name, version=record.version, state="Succeeded").first()
    )
    return differences.shown(newest.drift) if newest and newest.drift else []


@require_GET
def compare(request: HttpRequest, ws: str, name: str) -> HttpResponse:
    """Two versions of an environment: definitions and locks."""
    workspace = workspace_for(signed_in(request), ws)
    versions = register.versions(workspace, name)
    new = register.get(workspace, name, request.GET.get("to", ""))
    before = next((one.version for one in versions if int(one.version) < int(new.version)), new.version)
    old = register.get(workspace, name, request.GET.get("from") or before)
    old_lock, new_lock = queries.lock_of(old.built), queries.lock_of(new.built)
    packages = []
    if old_lock and new_lock:
        packages = differences.shown(locks.difference(old_lock, new_lock.pip, new_lock.conda))
    context = {
        "workspace": workspace,
        "name": name,
        "versions": versions,
        "old": old,
        "new": new,
        "lines": differences.lines(differences.as_text(old.definition), differences.as_text(new.definition)),
        "packages": packages,
        "both_built": bool(old_lock and new_lock),
    }
    return render(request, "environments/compare.html", context)


@require_POST
def build_now(request: HttpRequest, ws: str, name: str) -> HttpResponse:
    """Builds a version before any run needs it."""
    user = signed_in(request)
    workspace = workspace_for(user, ws, Role.CONTRIBUTOR)
    record = register.get(workspace, name, request.POST.get("version", ""))
    found = asked.build_now(workspace, record.definition, request.POST.get("backend", ""), user.get_username())
    if found.state == "failed":
        messages.error(request, found.message)
    elif found.build_id and found.state == "building":
        return redirect("environment-build", ws=ws, build_id=found.build_id)
    else:
        messages.success(request, f"{found.message or 'It is there.'} Nothing had to be built.")
    return redirect(f"{reverse('environment', args=[ws, name])}?version={record.version}")


@require_POST
def resolve_anew(request: HttpRequest, ws: str, name: str) -> HttpResponse:
    """Takes a version's lock out of force: the next build takes today's packages."""
    workspace = workspace_for(signed_in(request), ws, Role.CONTRIBUTOR)
    record = register.get(workspace, name, request.POST.get("version", ""))
    if lock := queries.lock_of(record.built):
        locks.replace(lock)
        messages.success(
            request,
            "The next build resolves the packages anew. Images that are there stay as they are; prune them to have it built.",
        )
    else:
        messages.info(request, "Nothing was built from this version yet, so there is no lock.")
    return redirect(f"{reverse('environment', args=[ws, name])}?version={record.version}")


@require_GET
def builds(request: HttpRequest, ws: str) -> HttpResponse:
    """Builds of the workspace, newest first."""
    workspace = workspace_for(signed_in(request), ws)
    page = Paginator(queries.builds(workspace), 50).get_page(request.GET.get("page"))
    context = {
        "workspace": workspace,
        "tabs": _tabs(workspace, "environment-builds"),
        "page": page,
        "pager": {
            "first": "?" if page.has_previous() else None,
            "next": f"?page={page.next_page_number()}" if page.has_next() else None,
        },
        "live": any(build.is_active for build in page),
    }
    return respond(request, page="environments/builds.html", fragment="environments/_builds.html", context=context)


@require_GET
def build(request: HttpRequest, ws: str, build_id: int) -> HttpResponse:
    """One build: how it stands, its log as it grows, the runs that wait for it."""
    workspace = workspace_for(signed_in(request), ws)
    found = queries.build(workspace, build_id)
    log = logs.build_log(found.pk)
    context = {
        "workspace": workspace,
        "build": found,
        "image": spec.image_name(found.key),
        "seconds": (found.ended_at - found.started_at).total_seconds() if found.ended_at and found.started_at else None,
        "drift": differences.shown(found.drift),
        "uses": queries.uses(workspace, build=found)[:50],
        "text": _readable(log.data[-SHOWN_BYTES:]),
        "cut": max(0, log.size - SHOWN_BYTES),
        "log": log,
        "is_here": found.workspace_id == workspace.pk,
    }
    return respond(request, page="environments/build.html", fragment="environments/_build.html", context=context)


@require_GET
def build_log(request: HttpRequest, ws: str, build_id: int) -> HttpResponse:
    """What the log has beyond `offset`; the answer asks again while the build goes on."""
    workspace = workspace_for(signed_in(request), ws)
    found = queries.build(workspace, build_id)
    offset = request.GET.get("offset", "0")
    log = logs.build_log(found.pk, int(offset) if offset.isdigit() else 0)
    context = {"workspace": workspace, "build": found, "text": _readable(log.data), "log": log}
    return render(request, "environments/_log.html", context)


def _readable(data: bytes) -> str:
    return TERMINAL.sub("", data.decode(errors="replace").replace("\r\n", "\n"))


@require_GET
def images(request: HttpRequest, ws: str) -> HttpResponse:
    """Images and virtual environments with their size and last use; the preview of a prune."""
    workspace = workspace_for(signed_in(request), ws)
    found = list(queries.images(workspace))
    gone = pruning.missing(found)
    days, preview, error = pruning.DEFAULT_DAYS, None, None
    if "days" in request.GET:
        try:
            days = pruning.days_of(request.GET["days"])
            preview = pruning.unused(workspace, days)
        except StudioError as refused:
            error = refused
    context = {
        "workspace": workspace,
        "tabs": _tabs(workspace, "environment-images"),
        "images": [(one, spec.image_name(one.key)) for one in found],
        "missing": gone,
        "total": sum(one.size for one in found if one.pk not in gone),
        "days": days,
        "preview": preview,
        "preview_total": sum(one.size for one in preview or []),
        "error": error,
        "may_prune": _may(workspace, Role.OWNER),
    }
    return render(request, "environments/images.html", context, status=error.status if error else 200)


@require_POST
def prune(request: HttpRequest, ws: str) -> HttpResponse:
    """Removes the images that the preview showed and that are still unused."""
    workspace = workspace_for(signed_in(request), ws, Role.OWNER)
    chosen = [int(value) for value in request.POST.getlist("image") if value.isdigit()]
    outcome = pruning.prune(workspace, pruning.days_of(request.POST.get("days", "")), chosen)
    messages.success(
        request,
        f"Removed {outcome.removed} image{'' if outcome.removed == 1 else 's'} of {outcome.size / 1e6:,.0f} MB.",
    )
    for sentence in outcome.kept:
        messages.warning(request, f"Kept {sentence}")
    return redirect("environment-images", ws=ws)
