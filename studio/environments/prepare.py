"""From a definition to something that a job can start in. Never waits: it looks, and has what is missing built.

`find_or_build` is called on each step of a run until it says ready or failed; calling it again changes nothing.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from studio.containers.client import engine_url
from studio.environments import credentials, queue, register, sdk_wheel, spec
from studio.environments.building import image, venv
from studio.environments.models import ACTIVE, Build, Image, State, Use
from studio.environments.spec import Spec
from studio.errors import Invalid, NotFound
from studio.workspace.models import Workspace

Backend = Literal["process", "docker"]
# A run that asks again and again finds no more than so many ended builds before it is told to stop.
MAX_BUILDS_PER_RUN = 3


@dataclass(frozen=True)
class Prepared:
    """What a run gets. `image` is a tag on the engine, `python` the interpreter to start the job with (a path on this
    host, or inside the image), `variables` what the job's environment needs besides; `message` says what it waits for
    or why there is none."""

    state: Literal["ready", "building", "failed"]
    image: str = ""
    python: str = ""
    digest: str = ""
    build_id: int | None = None
    message: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def derived_image(self) -> str:
        """The run's property AzureML.DerivedImageName: the image's name as on Azure, without its tag."""
        return self.image.partition(":")[0]


def find_or_build(
    workspace: Workspace, definition: Mapping[str, Any], *, backend: Backend, engine: str | None = None, for_run: str
) -> Prepared:
    """The environment of a definition for one run: found, or on its way. Raises Unavailable when no engine answers."""
    if backend == "docker":
        engine = engine_url(engine)  # one name for one engine, whether it was named or is the default
    try:
        wanted = spec.read(credentials.filled_in(workspace, definition), settings.CONDA_CHANNELS)
        if backend == "process":
            return _process(workspace, definition, wanted, for_run)
        key, _ = image.key_of(wanted, engine=engine)
    except (Invalid, NotFound) as error:
        _note(workspace, definition, "", backend, for_run, waiting=False)
        return Prepared("failed", message=error.message)
    found = None if _awaited(for_run, engine or "") else image.find(key, wanted, engine=engine)
    if found:
        record = Image.objects.filter(backend=backend, engine=engine or "", name=found.name).first()
        use = _note(workspace, definition, key, backend, for_run, waiting=False, image=record)
        return Prepared(
            "ready", found.name, image.python_of(wanted), found.digest, use.build_id, f"Found {found.name}."
        )
    return _built(workspace, definition, key, backend, engine or "", for_run)


def _awaited(for_run: str, engine: str) -> bool:
    """Whether the build that this run waits for goes on: what it makes can be there before its log and lock are kept.

    A build on this engine: a run on several hosts finds its image on one while it is still fetched to another.
    """
    return Use.objects.filter(run_id=for_run, build__engine=engine, build__state__in=ACTIVE).exists()


def _process(workspace: Workspace, definition: Mapping[str, Any], wanted: Spec, for_run: str) -> Prepared:
    if wanted.dockerfile or wanted.base_image:
        what = "a Dockerfile" if wanted.dockerfile else f"the base image {wanted.base_image}"
        raise Invalid(
            f"The environment names {what}, and this compute runs jobs as processes; submit to a compute with Docker."
        )
    if wanted.user_managed:
        python = settings.SYSTEM_PYTHON if wanted.interpreter == "python" else shutil.which(wanted.interpreter)
        if not python:
            raise Invalid(
                f"There is no {wanted.interpreter} on the host that runs the jobs; set interpreter_path to a Python "
                "there, or leave it out for the server's own.",
                "environment.python.interpreterPath",
            )
        _note(workspace, definition, "", "process", for_run, waiting=False)
        return Prepared(
            "ready", python=python, variables={"PYTHONPATH": str(sdk_wheel.unpacked())}, message=f"Uses {python}."
        )
    key = spec.key(wanted, venv.base())
    found = None if _awaited(for_run, "") else venv.find(key)
    if found:
        record = Image.objects.filter(backend="process", name=str(found)).first()
        use = _note(workspace, definition, key, "process", for_run, waiting=False, image=record)
        name = spec.image_name(key)
        return Prepared(
            "ready", name, venv.python_of(found), record.digest if record else "", use.build_id, f"Found {name}."
        )
    return _built(workspace, definition, key, "process", "", for_run)


def _built(
    workspace: Workspace, definition: Mapping[str, Any], key: str, backend: Backend, engine: str, for_run: str
) -> Prepared:
    """The build that makes it: one that goes on, the one of this run that ended, or a new one."""
    use = Use.objects.filter(run_id=for_run).select_related("build").first()
    earlier = use.build if use else None
    if (
        earlier
        and not earlier.is_active
        and (earlier.state != State.SUCCEEDED or earlier.attempts >= MAX_BUILDS_PER_RUN)
    ):
        said = (
            earlier.message
            or "The build ended, and what it made is not where this run looks; it may be on another host."
        )
        Use.objects.filter(run_id=for_run).update(waiting=False)
        return Prepared("failed", build_id=earlier.pk, message=said)
    build, is_new = _one_build(workspace, definition, key, backend, engine, for_run)
    _note(workspace, definition, key, backend, for_run, waiting=True, build=build)
    if is_new:
        queue.build(build.pk)
        return Prepared("building", build_id=build.pk, message=f"Builds {spec.image_name(key)}.")
    if queue.take_up_again(build):
        return Prepared(
            "building",
            build_id=build.pk,
            message=f"The worker that built {spec.image_name(key)} is gone; another takes over.",
        )
    return Prepared("building", build_id=build.pk, message=_waits_for(build, workspace, for_run))


def _waits_for(build: Build, workspace: Workspace, for_run: str) -> str:
    name = spec.image_name(build.key)
    if build.run_id == for_run:
        return f"Builds {name}." if build.state == State.BUILDING else f"Waits for a worker that builds {name}."
    whose = f"the run {build.run_id}" if build.workspace_id == workspace.pk else "a run in another workspace"
    return f"Waits for the build of {name} that {whose} started."


def _one_build(
    workspace: Workspace, definition: Mapping[str, Any], key: str, backend: Backend, engine: str, for_run: str
) -> tuple[Build, bool]:
    """The active build of a key, or a new one; of two that ask at once the constraint lets one make it."""
    while True:
        active = Build.objects.filter(key=key, backend=backend, engine=engine, state__in=ACTIVE).first()
        if active is not None:
            # Somebody waits again: a cancel that nobody has carried out yet is off.
            Build.objects.filter(pk=active.pk, state__in=ACTIVE).update(cancel_requested_at=None)
            return active, False
        try:
            with transaction.atomic():
                made = Build.objects.create(
                    key=key,
                    backend=backend,
                    engine=engine,
                    workspace=workspace,
                    environment=str(definition.get("name") or "")[:255],
                    version=str(definition.get("version") or "")[:64],
                    definition=credentials.put_away(workspace, definition),
                    run_id=for_run,
                )
            return made, True
        except IntegrityError:
            continue


def _note(
    workspace: Workspace,
    definition: Mapping[str, Any],
    key: str,
    backend: str,
    run_id: str,
    *,
    waiting: bool,
    image: Image | None = None,
    build: Build | None = None,
) -> Use:
    """Keeps what a run asked for and got. A found image brings the build that made it, for the run's build log."""
    changes: dict[str, Any] = {
        "workspace": workspace,
        "environment": str(definition.get("name") or "")[:255],
        "version": str(definition.get("version") or "")[:64],
        "key": key,
        "backend": backend,
        "waiting": waiting,
        "asked_at": timezone.now(),
    }
    if image is not None:
        changes |= {"image": image}
        Image.objects.filter(pk=image.pk).update(used_at=timezone.now())
        register.remember(workspace, changes["environment"], changes["version"], image)
    if build is not None:
        changes |= {"build": build}
    use, made = Use.objects.update_or_create(run_id=run_id, defaults=changes)
    if made and image is not None and image.build_id:
        use.build_id = image.build_id
        use.save(update_fields=["build"])
    return use


def no_longer_waits(run_id: str) -> None:
    """A run ended or was cancelled. A build that no run waits for any more is asked to stop."""
    use = Use.objects.filter(run_id=run_id, waiting=True).first()
    if use is None:
        return
    Use.objects.filter(pk=use.pk).update(waiting=False)
    if use.build_id and not Use.objects.filter(build_id=use.build_id, waiting=True).exists():
        Build.objects.filter(pk=use.build_id, state__in=ACTIVE, cancel_requested_at=None).update(
            cancel_requested_at=timezone.now()
        )


def forget(run_id: str) -> None:
    """Takes back what was noted for a run or a person's own build, so that a failure is not answered again."""
    Use.objects.filter(run_id=run_id).delete()
