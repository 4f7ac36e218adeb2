"""The read side: builds, images and uses that a workspace may see."""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet

from studio.environments import spec
from studio.environments.models import Build, Image, Lock, Use
from studio.errors import NotFound
from studio.workspace.models import Workspace


def builds(workspace: Workspace) -> QuerySet[Build]:
    """Builds that this workspace's runs started or waited for, newest first."""
    shared = Use.objects.filter(workspace=workspace, build__isnull=False).values("build")
    return Build.objects.filter(Q(workspace=workspace) | Q(pk__in=shared)).order_by("-created_at", "-pk")


def build(workspace: Workspace, build_id: int) -> Build:
    """One of them. Raises NotFound."""
    found = builds(workspace).filter(pk=build_id).first()
    if found is None:
        raise NotFound(f"There is no build {build_id} in the workspace {workspace.name}.")
    return found


def build_json(build: Build) -> dict[str, Any]:
    """The wire form of a build."""

    def moment(at: Any) -> str | None:
        return at.isoformat().replace("+00:00", "Z") if at else None

    return {
        "id": build.pk,
        "state": build.state,
        "backend": build.backend,
        "image": spec.image_name(build.key),
        "environment": build.environment,
        "version": build.version or None,
        "run_id": build.run_id or None,
        "source": build.source or None,
        "message": build.message or None,
        "drift": build.drift or None,
        "created_at": moment(build.created_at),
        "started_at": moment(build.started_at),
        "ended_at": moment(build.ended_at),
    }


def images(workspace: Workspace) -> QuerySet[Image]:
    """Images that this workspace's runs built or used, newest first. Images are shared by their content."""
    used = Use.objects.filter(workspace=workspace).values("key")
    return (
        Image.objects.filter(Q(key__in=used) | Q(build__workspace=workspace), removed_at=None)
        .select_related("lock", "build")
        .order_by("-used_at")
    )


def uses(
    workspace: Workspace, *, key: str = "", environment: str = "", version: str = "", build: Build | None = None
) -> QuerySet[Use]:
    """Which runs of this workspace used an image, an environment or a build; newest first."""
    found = Use.objects.filter(workspace=workspace)
    if key:
        found = found.filter(key=key)
    if environment:
        found = found.filter(environment=environment)
    if version:
        found = found.filter(version=version)
    if build is not None:
        found = found.filter(build=build)
    return found.order_by("-asked_at")


def lock_of(built: dict[str, Any]) -> Lock | None:
    """The lock that a registered version's last image was made from."""
    for found in built.values():
        if found.get("lock") and (lock := Lock.objects.filter(pk=found["lock"]).first()):
            return lock
    return None
