"""Images: built from a folder, looked up, tagged, moved to and from registries, removed."""

from __future__ import annotations

import contextlib
import logging
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.containers.client import api, connect, engine_url, sentences
from studio.errors import Conflict, Invalid, NotFound, StudioError, Unavailable

if TYPE_CHECKING:
    from studio.containers.connection import Connection

logger = logging.getLogger(__name__)

Log = Callable[[bytes], object]
Cancelled = Callable[[], bool]
# How often a silent build is asked whether it is still wanted.
WATCH_SECONDS = 0.5
SWEEP_SECONDS = 10.0
# A step that prints nothing for this long is stuck.
BUILD_SECONDS = 4 * 3600
# A transfer that is cut off is tried again by the engine after 5, 10, 15 … seconds; runs wait for the first of these.
PATIENCE_SECONDS = 5
# What an error repeats of the log: enough for an installer's whole complaint.
TAIL_BYTES = 16_000


class BuildFailed(Invalid):
    """The recipe does not make an image. `output` is the end of the log; `step` the instruction that failed."""

    def __init__(self, message: str, output: str = "", step: str = "") -> None:
        super().__init__(message)
        self.output = output
        self.step = step


class BuildCancelled(StudioError):
    """Nobody wants this image any more; the engine was told to stop and nothing of it is left."""


@dataclass(frozen=True)
class Image:
    """An image on an engine: `id` is its content's digest, `digests` its name@sha256 in registries, `size` in bytes."""

    id: str
    tags: list[str]
    digests: list[str]
    labels: dict[str, str]
    size: int
    created: str
    user: str
    environment: list[str]
    entrypoint: list[str]


def _image(said: Mapping[str, Any]) -> Image:
    config = said.get("Config") or {}
    return Image(
        id=said["Id"],
        tags=list(said.get("RepoTags") or []),
        digests=list(said.get("RepoDigests") or []),
        labels=dict(config.get("Labels") or said.get("Labels") or {}),
        size=int(said.get("Size") or 0),
        created=str(said.get("Created") or ""),
        user=config.get("User") or "",
        environment=list(config.get("Env") or []),
        entrypoint=list(config.get("Entrypoint") or []),
    )


def inspect(name: str, *, engine: str | None = None) -> Image:
    """The image of a tag, digest or id. Raises NotFound."""
    try:
        with sentences(engine):
            return _image(api(engine).inspect_image(name))
    except NotFound as error:
        raise NotFound(f"There is no image {name} on the Docker engine at {engine_url(engine)}.") from error


def exists(name: str, *, engine: str | None = None) -> bool:
    """Whether the engine's own store holds an image."""
    try:
        inspect(name, engine=engine)
    except NotFound:
        return False
    return True


def list_images(labels: Mapping[str, str | None] | None = None, *, engine: str | None = None) -> list[Image]:
    """Images that carry every given label (value None: any value), newest first."""
    wanted = [key if value is None else f"{key}={value}" for key, value in (labels or {}).items()]
    with sentences(engine):
        found = api(engine).images(filters={"label": wanted} if wanted else None)
    return [_image(said) for said in found]


def tag(source: str, target: str, *, engine: str | None = None) -> None:
    """Gives an image another name; `target` is repository[:tag], a registry's address included."""
    repository, _, name = _split(target)
    with sentences(engine):
        api(engine).tag(source, repository, name)


def remove(name: str, *, force: bool = False, engine: str | None = None) -> bool:
    """Removes a tag, and the image with its last one. False when there was none; Conflict while a container uses it."""
    try:
        with sentences(engine):
            api(engine).remove_image(name, force=force)
    except NotFound:
        return False
    return True


def _split(reference: str) -> tuple[str, str, str]:
    """(repository, ":"|"", tag) of an image name; a registry's port is part of the repository."""
    repository, colon, name = reference.rpartition(":")
    if not colon or "/" in name:
        return reference, "", "latest"
    return repository, colon, name


def pull(
    reference: str, *, auth: Mapping[str, str] | None = None, log: Log | None = None, engine: str | None = None
) -> Image:
    """Fetches an image from its registry. `auth` {username, password} is sent once and kept nowhere."""
    repository, _, name = _split(reference)
    if "@" in reference:
        repository, name = reference, ""
    with sentences(engine):
        stream = api(engine).pull(
            repository, tag=name or None, stream=True, decode=True, auth_config=dict(auth) if auth else None
        )
        _follow(stream, log, f"The image {reference} cannot be fetched")
    return inspect(reference, engine=engine)


def push(
    reference: str, *, auth: Mapping[str, str] | None = None, log: Log | None = None, engine: str | None = None
) -> str:
    """Sends an image to the registry that its name starts with; returns the digest the registry gave it."""
    repository, _, name = _split(reference)
    with sentences(engine):
        stream = api(engine).push(
            repository, tag=name, stream=True, decode=True, auth_config=dict(auth) if auth else None
        )
        aux = _follow(stream, log, f"The image {reference} cannot be sent to its registry")
    return str(aux.get("Digest") or "")


def copy(name: str, *, source: str | None = None, engine: str | None = None) -> Image:
    """Carries an image from one engine to another through this process, layer by layer as a stream."""
    with sentences(source):
        stream = api(source).get_image(name)
    with sentences(engine):
        for said in api(engine).load_image(stream):
            if "error" in said:
                raise Unavailable(f"The image {name} can't be loaded at {engine_url(engine)}: {said['error']}.")
    return inspect(name, engine=engine)


def _follow(stream: Iterator[Any], log: Log | None, what: str) -> dict[str, Any]:
    """Reads a transfer to its end: layer states become log lines (not each progress tick); returns the aux record."""
    aux: dict[str, Any] = {}
    for said in stream:
        if "error" in said:
            words = str(said["error"]).strip().rstrip(".")
            missing = re.search(r"not found|manifest unknown|does not exist|denied", words)
            raise NotFound(f"{what}: {words}.") if missing else Unavailable(f"{what}: {words}.")
        aux.update(said.get("aux") or {})
        again = re.match(r"Retrying in (\d+) second", str(said.get("status") or ""))
        if again and int(again.group(1)) > PATIENCE_SECONDS:
            raise Unavailable(f"{what}: it was cut off twice.")
        if log and said.get("status") and not said.get("progress"):
            log(f"{said['id'] + ': ' if said.get('id') else ''}{said['status']}\n".encode())
    return aux


class _BuildStream:
    """One build's answer: it can be cut from another thread, which makes the engine stop the build."""

    def __init__(self, cancelled: Cancelled) -> None:
        self.response: Any = None
        self.cancelled = cancelled
        self.was_cut = False
        self.done = threading.Event()

    def keep(self, response: Any, *args: Any, **kwargs: Any) -> None:
        self.response = response

    def watch(self) -> None:
        """Runs in a thread: a build that installs for minutes says nothing, so reading it can't notice a cancel."""
        while not self.done.wait(WATCH_SECONDS):
            if self.cancelled() and self.response is not None:
                self.was_cut = True
                from docker.types import CancellableStream

                CancellableStream(iter(()), self.response).close()
                return


class _Progress:
    """Collects from a build's stream: log bytes, the steps' own images, the result, the error."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.image = ""
        self.error = ""
        self.step = ""
        self.tail = b""
        self.made: list[str] = []
        self.cached: list[str] = []
        self.containers: list[str] = []
        self._partial = ""
        self._cached = False

    def take(self, said: Mapping[str, Any]) -> None:
        text = str(said.get("stream") or "")
        if not text and said.get("status"):  # the FROM line fetches an image
            text = "" if said.get("progress") else f"{said.get('id', '')} {said['status']}\n".lstrip()
        if "error" in said:
            self.error = str(said["error"]).strip()
            text += self.error + "\n"
        self.image = str((said.get("aux") or {}).get("ID") or self.image)
        if text:
            data = text.encode()
            self.tail = (self.tail + data)[-TAIL_BYTES:]
            self.log(data)
            self._lines(text)

    def _lines(self, text: str) -> None:
        """One message may hold several lines or a part of one."""
        *whole, self._partial = (self._partial + text).split("\n")
        for line in whole:
            if match := re.match(r"Step \d+/\d+ : (.*)", line):
                self.step, self._cached = match.group(1), False
            elif line.startswith(" ---> Using cache"):
                self._cached = True
            elif match := re.match(r" ---> Running in ([0-9a-f]{12,64})$", line):
                self.containers.append(match.group(1))
            elif match := re.match(r"Removing intermediate container ([0-9a-f]{12,64})$", line):
                self.containers = [one for one in self.containers if one != match.group(1)]
            elif self.step.upper().startswith("FROM "):
                continue  # what this line names is another build's
            elif match := re.match(r" ---> ([0-9a-f]{12,64})$", line):
                (self.cached if self._cached else self.made).append(match.group(1))


def build(
    context_dir: str | Path,
    tag: str,
    labels: Mapping[str, str],
    log: Log,
    cancelled: Cancelled,
    *,
    engine: str | None = None,
    dockerfile: str = "Dockerfile",
    build_args: Mapping[str, str] | None = None,
    network: str | None = None,
    pull_base: bool = False,
    use_cache: bool = True,
    keep_first: bool = False,
) -> str:
    """Builds the folder's Dockerfile and tags it; returns the image id.

    `log` gets the output as it comes; `cancelled` is asked twice a second. A build that fails raises BuildFailed, one
    that is cancelled BuildCancelled, an engine that goes away Unavailable; each leaves neither container nor image.
    The result carries the tag only when it is whole. With `keep_first` an image that another build has tagged so
    meanwhile stays and is the result: taking its tag would leave it on the engine without a name.
    """
    stream, progress = _BuildStream(cancelled), _Progress(log)
    # A connection of its own: the hook and the endless read time must not touch the thread's other calls.
    connection = connect(engine, version=api(engine).api_version, timeout=BUILD_SECONDS)
    connection.hooks["response"] = [stream.keep]
    watcher = threading.Thread(target=stream.watch, name="build-watch", daemon=True)
    watcher.start()
    try:
        _read(
            connection,
            stream,
            progress,
            engine,
            {
                "path": str(context_dir),
                "dockerfile": dockerfile,
                "labels": dict(labels),
                "buildargs": dict(build_args or {}),
                "network_mode": network,
                "pull": pull_base,
                "nocache": not use_cache,
            },
        )
    finally:
        stream.done.set()
        watcher.join()
        connection.close()
    if keep_first:
        with contextlib.suppress(NotFound):
            first = inspect(tag, engine=engine).id
            if first != progress.image:
                _sweep(progress.made, [], engine)
            return first
    with sentences(engine):
        api(engine).tag(progress.image, *_split(tag)[::2])
    return progress.image


def _read(
    connection: Connection, stream: _BuildStream, progress: _Progress, engine: str | None, options: dict[str, Any]
) -> None:
    """Reads one build to its end, or raises with what it had made removed."""
    failure: StudioError | None = None
    try:
        with sentences(engine):
            # forcerm: the container of the step that fails goes too.
            for said in connection.build(decode=True, rm=True, forcerm=True, **options):
                progress.take(said)
                if progress.error:
                    break
    except StudioError as error:
        failure = error
    except (ValueError, OSError, AttributeError) as error:  # the socket was shut under the reader
        failure = Unavailable(f"The Docker engine stopped answering in mid-build ({error}).")
    if stream.was_cut or stream.cancelled():
        failure = BuildCancelled("The build was cancelled as no run waits for it any more.")
    elif re.search(r"No such image|unknown parent image|layer does not exist", progress.error):
        failure = Unavailable(
            "A step that this build shared with another one is gone, as that one failed; it is built anew."
        )
    elif progress.error:
        step = f" at the step “{progress.step}”" if progress.step else ""
        failure = BuildFailed(
            f"The image could not be built{step}: {progress.error.rstrip('.')}.",
            output=progress.tail.decode(errors="replace"),
            step=progress.step,
        )
    elif failure is None and not progress.image:
        failure = Unavailable("The Docker engine ended the build without an image; its own log says why.")
    if failure is not None:
        # Of builds that share a step and fail together, the last to end removes it.
        _sweep([*progress.cached, *progress.made], progress.containers, engine)
        raise failure


def sweep_after(output: bytes, *, engine: str | None, images_too: bool) -> None:
    """Removes the containers, and on demand the images, of the steps in a build's log that were cut off."""
    progress = _Progress(lambda data: None)
    progress.take({"stream": output.decode(errors="replace")})
    _sweep([*progress.cached, *progress.made] if images_too else [], progress.containers, engine)


def _named(image: str, engine: str | None) -> bool:
    """Whether an image has a tag: removed by its id, it would lose it."""
    try:
        return bool(inspect(image, engine=engine).tags)
    except NotFound:
        return True


def _sweep(made: list[str], containers: list[str], engine: str | None) -> None:
    """Removes the containers and images of steps of a build that did not end, last first; what others share stays."""
    for container in containers:
        try:
            with sentences(engine):
                api(engine).remove_container(container, force=True, v=True)
        except (NotFound, Conflict):
            continue  # the engine has removed it, or is about to
        except StudioError as error:
            logger.warning("a container of a failed build stays on the engine: %s", error)
            return
    for image in reversed(made):
        # The container of a step that was cut is removed after the engine has let go of us.
        deadline = time.monotonic() + SWEEP_SECONDS
        while True:
            try:
                if _named(image, engine):
                    break
                with sentences(engine):
                    api(engine).remove_image(image, noprune=True)
            except Conflict as error:
                if "container" in error.message and time.monotonic() < deadline:
                    time.sleep(0.1)
                    continue
            except NotFound:
                pass
            except StudioError as error:  # the build's own failure is what people must read
                logger.warning("a step of a failed build stays on the engine: %s", error)
                return
            break
