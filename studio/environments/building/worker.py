"""One worker's try at one build: takes the lease, keeps it alive, does the work, writes how it ended."""

from __future__ import annotations

import logging
import secrets
import threading
from datetime import timedelta

from django.conf import settings
from django.db import close_old_connections, connection, transaction
from django.utils import timezone

from studio.environments import credentials, register, spec
from studio.environments.building import image, in_container, venv
from studio.environments.building.faults import BuildError, Cancelled
from studio.environments.building.job import Job
from studio.environments.building.made import Made
from studio.environments.logs import Writer
from studio.environments.models import ACTIVE, Build, Image, State, Use
from studio.environments.packages.sources import of_site
from studio.errors import StudioError, Unavailable, full_disk

logger = logging.getLogger(__name__)
LEASE = timedelta(seconds=30)
BEAT_SECONDS = 2.0
MAX_ATTEMPTS = 3


def run(build_id: int) -> None:
    """Builds, unless another worker does or it is over. Whatever happens, the row says how it ended."""
    build = _claim(build_id)
    if build is None:
        return
    log = Writer(build.pk)
    if build.cancel_requested_at:
        _forget_steps(build)
        _end(build, log, State.CANCELED, "The build was stopped before it began, as no run waits for it any more.")
        return
    if build.attempts > 1:
        log.say(f"Try {build.attempts} of {MAX_ATTEMPTS}: the worker that built this before is gone.")
    cancelled = threading.Event()
    beat = _Heartbeat(build, log, cancelled)
    beat.start()
    try:
        made = _make(build, log, cancelled)
        if not beat.lost:
            _succeed(build, log, made)
    except Cancelled as error:
        if not beat.lost:
            _end(build, log, State.CANCELED, error.message)
    except StudioError as error:
        again = isinstance(error, Unavailable) or (isinstance(error, BuildError) and error.retry)
        if not beat.lost:
            _fail(build, log, error.message, again=again)
    except Exception as error:
        logger.exception("build %s", build.pk)
        if not beat.lost:
            full = full_disk(error)
            own = f"The build met an error of the server's own ({type(error).__name__}: {error})."
            _fail(build, log, full.message if full else own, again=False)
    finally:
        beat.stop()


def _claim(build_id: int) -> Build | None:
    """The build with a fresh lease, if it waits for a worker or its worker is gone; else None."""
    holder, now = secrets.token_hex(8), timezone.now()
    with transaction.atomic():
        build = Build.objects.select_for_update().filter(pk=build_id, state__in=ACTIVE).first()
        if build is None or (build.state == State.BUILDING and build.leased_until and build.leased_until > now):
            return None
        build.state, build.holder, build.leased_until = State.BUILDING, holder, now + LEASE
        build.attempts += 1
        build.started_at = build.started_at or now
        build.save(update_fields=["state", "holder", "leased_until", "attempts", "started_at"])
    if build.attempts > MAX_ATTEMPTS:
        log = Writer(build.pk)
        _end(
            build,
            log,
            State.FAILED,
            f"The build was cut off {MAX_ATTEMPTS} times as its worker ended; see the workers' own log.",
        )
        return None
    return build


def _forget_steps(build: Build) -> None:
    """Removes what earlier tries had made, when no other try comes to use it."""
    if build.backend == "docker" and build.attempts > 1:
        try:
            in_container.sweep(build.pk, engine=build.engine or None, images_too=True)
        except StudioError as error:
            logger.warning("steps of build %s may stay on the engine: %s", build.pk, error)


class _Heartbeat:
    """A thread that says "I am still at it", and learns of a cancel or of another worker's hold."""

    def __init__(self, build: Build, log: Writer, cancelled: threading.Event) -> None:
        self.build, self.log, self.cancelled = build, log, cancelled
        self.lost = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"build-{build.pk}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _beat(self) -> None:
        try:
            while not self._stop.wait(BEAT_SECONDS):
                close_old_connections()
                mine = Build.objects.filter(pk=self.build.pk, holder=self.build.holder, state=State.BUILDING)
                if not mine.update(leased_until=timezone.now() + LEASE):
                    self.lost = not self._stop.is_set()
                    self.cancelled.set()
                    return
                if mine.filter(cancel_requested_at__isnull=False).exists():
                    self.cancelled.set()
                self.log.flush()  # a step that is silent for long must not keep back what it said before
        finally:
            connection.close()


def _make(build: Build, log: Writer, cancelled: threading.Event) -> Made:
    wanted = spec.read(credentials.filled_in(build.workspace, build.definition), settings.CONDA_CHANNELS)
    sources = of_site(wanted.options)
    log.hide([*sources.secrets(), wanted.registry.password])
    title = f"{build.environment} version {build.version}" if build.version else build.environment or "unnamed"
    log.say(f"Environment {title}: {spec.image_name(build.key)}")
    job = Job(build, wanted, sources, log, cancelled)
    job.check()
    return venv.build(job) if build.backend == "process" else image.build(job)


def _succeed(build: Build, log: Writer, made: Made) -> None:
    record, _ = Image.objects.update_or_create(
        backend=build.backend,
        engine=build.engine,
        name=made.name,
        defaults={
            "key": build.key,
            "digest": made.digest,
            "size": made.size,
            "python": made.python,
            "base_image": made.base_image,
            "base_digest": made.base_digest,
            "source": made.source,
            "build": build,
            "lock": made.lock,
            "removed_at": None,
        },
    )
    Use.objects.filter(build=build).update(image=record)
    register.remember(build.workspace, build.environment, build.version, record)
    log.say(f"Ready: {spec.image_name(build.key)} ({made.size / 1e6:,.0f} MB, {made.source}).")
    _end(build, log, State.SUCCEEDED, "", source=made.source, image=made.name)


def _fail(build: Build, log: Writer, message: str, *, again: bool) -> None:
    """Ends the build; or gives it back when another try may do better, at the latest at the third."""
    if again and build.attempts < MAX_ATTEMPTS:
        log.say(f"{message} Another try follows.")
        log.flush()
        # Short, so that the run that asks next has it sent again: what is away needs a moment to come back.
        Build.objects.filter(pk=build.pk, holder=build.holder).update(
            state=State.QUEUED,
            holder="",
            message=message,
            leased_until=timezone.now() + timedelta(seconds=5 * build.attempts),
        )
        return
    _end(build, log, State.FAILED, message)


def _end(build: Build, log: Writer, state: State, message: str, **fields: str) -> None:
    if message:
        log.say(message)
    log.close()
    Build.objects.filter(pk=build.pk, holder=build.holder).update(
        state=state, ended_at=timezone.now(), leased_until=None, message=message, **fields
    )
    Use.objects.filter(build=build).update(waiting=False)
