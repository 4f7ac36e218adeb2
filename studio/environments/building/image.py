"""An image on a Docker engine: found in the engine's own store, fetched from a registry, or built, stage by stage."""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import uv
from django.conf import settings
from django.db import IntegrityError, transaction

from studio.containers import images
from studio.containers.client import engine_url
from studio.environments import dockerfile, locks, sdk_wheel, spec
from studio.environments.building import conda_host, folders, in_container, registries, resolve
from studio.environments.building.faults import BuildError, Cancelled, explain
from studio.environments.building.job import Job
from studio.environments.building.made import Made
from studio.environments.conda import Match, pip_version
from studio.environments.dockerfile import Recipe
from studio.environments.models import Build, Lock, Use
from studio.environments.packages import door
from studio.environments.packages.sources import choices, proxies
from studio.environments.spec import Spec
from studio.errors import NotFound, StudioError, Unavailable

KEY_LABEL = "atelier.environment"
PYTHON_LABEL = "atelier.python"


@dataclass(frozen=True)
class Found:
    """An image that is there: its tag, and its content's digest."""

    name: str
    digest: str


def tag_of(key: str) -> str:
    """The tag of a key's image with this server's SDK: a newer SDK is a new last layer, not a new environment."""
    return f"{spec.image_name(key)}:{sdk_wheel.digest()[:12]}"


def python_of(wanted: Spec) -> str:
    """The interpreter that runs a job inside the image."""
    return wanted.interpreter if wanted.user_managed else dockerfile.PYTHON


def bases(wanted: Spec) -> list[str]:
    """The images that it starts from, as they are named."""
    return dockerfile.base_images(wanted.dockerfile) if wanted.dockerfile else [wanted.reference or settings.BASE_IMAGE]


def key_of(wanted: Spec, *, engine: str | None = None) -> tuple[str, str]:
    """(key, digest of the base). A base image that this engine has not yet counts by its name until it is fetched."""
    found = []
    for name in bases(wanted):
        try:
            found.append(digest_of(images.inspect(name, engine=engine), name))
        except NotFound:
            found.append(f"not fetched: {name}")
    base = " ".join(found)
    return spec.key(wanted, base), base


def digest_of(image: images.Image, name: str) -> str:
    """The digest that a registry knows the image by under this name; for one that came from none, its content's id."""
    repository = re.sub(r"^docker\.io/(library/)?", "", name.split("@")[0])
    repository = re.sub(r":[^/:]*$", "", repository)
    for digest in image.digests:
        owner, _, value = digest.partition("@")
        if re.sub(r"^docker\.io/(library/)?", "", owner) == repository:
            return value
    return image.id


def find(key: str, wanted: Spec, *, engine: str | None = None) -> Found | None:
    """The image in the engine's own store."""
    try:
        image = images.inspect(tag_of(key), engine=engine)
    except NotFound:
        return None
    return Found(tag_of(key), image.id)


def build(job: Job) -> Made:
    """Fetches or builds the image. Raises BuildError, Cancelled, Unavailable; nothing half made stays behind."""
    work = _Work(job)
    in_container.sweep(job.build.pk, engine=work.engine)
    work.fetch_bases()
    key, base = key_of(job.spec, engine=work.engine)
    _settle_key(job, key)
    if find(key, job.spec, engine=work.engine):
        job.log.say("The engine has this image already.")
        return work.result("engine", base)
    source = registries.fetch(job, tag_of(key), engine=work.engine) or work.copied(tag_of(key))
    if source:
        return work.result(source, base)
    resolve.introduce(job)
    with work.opened():
        work.make(tag_of(key))
    registries.keep(job, tag_of(key), engine=work.engine)
    return work.result("built", base)


def _settle_key(job: Job, key: str) -> None:
    """A build that began before its base image was fetched takes the key that the digest gives."""
    if key == job.build.key:
        return
    try:
        with transaction.atomic():
            Build.objects.filter(pk=job.build.pk, holder=job.build.holder).update(key=key)
    except IntegrityError as error:
        raise Cancelled("Another build makes the same image already; its runs and this one's share it.") from error
    job.build.key = key
    Use.objects.filter(build=job.build).update(key=key)
    job.log.say(f"With the base image's digest this is {spec.image_name(key)}")


class _Work:
    """The stages of one build, sharing the engine, the door to packages and the labels."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.engine = job.build.engine or None
        self.proxy = ""
        self.lock = ""
        self.python = ""
        self.recorded: Lock | None = None

    @contextlib.contextmanager
    def opened(self) -> Iterator[None]:
        """Holds the door to packages open; a failure inside is told as the source's that did not answer, if one did not."""
        listen, reached_as = in_container.addresses(self.engine)
        folder = Path(settings.HOME) / "cache" / "packages"
        with door.opened(self.job.sources, folder, settings.PACKAGE_CACHE_BYTES, listen, reached_as) as (
            opened,
            self.proxy,
        ):
            self.job.log.hide([opened.token])
            try:
                yield
            except BuildError as error:
                if opened.away:
                    raise BuildError(f"{opened.away} The packages can't be fetched until it does.") from error
                raise

    def fetch_bases(self) -> None:
        """Fetches the base images that the engine has not. Raises BuildError naming the one that can't be had."""
        registry = self.job.spec.registry
        auth = {"username": registry.username, "password": registry.password} if registry.password else None
        for name in bases(self.job.spec):
            if images.exists(name, engine=self.engine):
                continue
            self.job.check()
            if self.copied(name):
                continue
            self.job.log.say(f"Fetching the base image {name}")
            try:
                images.pull(name, auth=auth, log=self.job.log.write, engine=self.engine)
            except NotFound as error:
                raise BuildError(
                    f"The base image {name} can't be had: {_words(error)}. Check its name, its tag and the registry's password."
                ) from error
            except Unavailable as error:
                raise BuildError(f"The base image {name} can't be fetched: {_words(error)}.", retry=True) from error

    def copied(self, name: str) -> str:
        """Has an image from the site's own engine brought to another host's; "" when that is this one, or has it not."""
        home = engine_url()
        if engine_url(self.engine) == home or not images.exists(name):
            return ""
        self.job.log.say(f"Copying {name} from the engine at {home}.")
        images.copy(name, engine=self.engine)
        return "another host"

    def make(self, tag: str) -> None:
        """All stages, the last of them tagged."""
        job, wanted = self.job, self.job.spec
        base = bases(wanted)[0] if not wanted.dockerfile else ""
        own = ""
        if wanted.dockerfile:
            own = f"atelier/own:{job.build.key[:32]}"
            self.stage(dockerfile.users_own(wanted.dockerfile, self.certificates()), own, "the Dockerfile")
            base = own
        try:
            ground = self.shared(
                dockerfile.ground(self.id(base), Path(uv.find_uv_bin()), self.certificates()), "ground"
            )
            if wanted.user_managed:
                recipe = dockerfile.user_managed(ground, wanted.interpreter, sdk_wheel.wheel(), self.labels())
                self.stage(recipe, tag, "the SDK")
            else:
                self.packages(ground, tag)
        finally:
            if own:
                # The name only: the layers belong to the finished image, or to nobody and go with it.
                images.remove(own, engine=self.engine)

    def packages(self, ground: str, tag: str) -> None:
        """Python, exact versions, packages, SDK."""
        job = self.job
        with folders.temporary() as work:
            conda_lock = ""
            if job.spec.conda:
                solved = conda_host.solve(job, work)
                context = work / "context"
                context.mkdir()
                conda_host.install(job, solved, context / "env", dockerfile.ENVIRONMENT, work)
                conda_lock = solved.fresh
                image = self.shared(dockerfile.conda(ground, solved.lock), "conda", context)
                self.python = solved.python
            else:
                image = self.shared(
                    dockerfile.python(ground, _request(job.spec.python), _shown(job.spec.python)), "python"
                )
            fresh, self.python = in_container.resolved(job, image, self.proxy, engine=self.engine)
            self.recorded = resolve.settle(job, self.python, locks.this_platform(), pip=fresh, conda=conda_lock)
        options = choices(job.spec.options)
        recipe = dockerfile.packages(image, self.recorded.pip, options, sdk_wheel.wheel(), self.labels())
        self.stage(recipe, tag, "the packages")

    def shared(self, recipe: Recipe, name: str, context: Path | None = None) -> str:
        """A stage that environments share, named by its content; returns its id for the next FROM."""
        hashed = hashlib.sha256(recipe.dockerfile.encode())
        for file, content in sorted(recipe.files.items()):
            hashed.update(
                file.encode()
                + b"\0"
                + hashlib.sha256(content if isinstance(content, bytes) else content.read_bytes()).digest()
            )
        tag = f"atelier/{name}:{hashed.hexdigest()[:32]}"
        if not images.exists(tag, engine=self.engine):
            self.stage(
                recipe,
                tag,
                {"ground": "the base image's preparation"}.get(name, "Python"),
                context=context,
                is_shared=True,
            )
        return self.id(tag)

    def stage(
        self, recipe: Recipe, tag: str, what: str, *, context: Path | None = None, is_shared: bool = False
    ) -> None:
        """Builds one Dockerfile. Raises BuildError with the step or the installer's reason, Cancelled."""
        self.job.check()
        self.job.log.say(f"-- {what}")
        with folders.temporary() as temporary:
            folder = context or temporary
            dockerfile.write(recipe, folder)
            try:
                images.build(
                    folder,
                    tag,
                    {},
                    self.write,
                    self.job.cancelled.is_set,
                    engine=self.engine,
                    build_args=self.arguments(),
                    network=settings.BUILD_NETWORK,
                    keep_first=is_shared,
                )
            except images.BuildCancelled as error:
                raise Cancelled(error.message) from error
            except images.BuildFailed as error:
                raise BuildError(explain(error.output) or error.message) from error
            except Unavailable as error:
                if "disk" in error.message:
                    raise BuildError(error.message) from error
                raise

    def labels(self) -> dict[str, str]:
        """What the finished image says of itself, also in a registry."""
        return {KEY_LABEL: self.job.build.key, PYTHON_LABEL: self.python}

    def write(self, data: bytes) -> None:
        """The engine's output without the red that it paints what a tool wrote to its error stream."""
        self.job.log.write(re.sub(rb"\x1b\[(91|0)m", b"", data))

    def arguments(self) -> Mapping[str, str]:
        """Build arguments: the door as the proxy for plain http (left out of history and cache by the engine), the
        host's proxy for https, and the index under its fixed name."""
        arguments = {name: value for name, value in proxies().items() if name in ("https_proxy", "no_proxy")}
        arguments["http_proxy"] = self.proxy
        index = {
            "PIP_INDEX_URL": door.INDEX,
            "PIP_TRUSTED_HOST": door.HOST,
            "UV_INDEX_URL": door.INDEX,
            "UV_DEFAULT_INDEX": door.INDEX,
        }
        return arguments | index if self.job.spec.dockerfile else arguments

    def certificates(self) -> bytes | None:
        """The site's certificate bundle."""
        return Path(settings.CA_BUNDLE).read_bytes() if settings.CA_BUNDLE else None

    def id(self, name: str) -> str:
        """An image's id as FROM takes it."""
        return images.inspect(name, engine=self.engine).id.removeprefix("sha256:")

    def result(self, source: str, base: str) -> Made:
        """The finished image as a record."""
        tag = tag_of(self.job.build.key)
        image = images.inspect(tag, engine=self.engine)
        python = self.python or image.labels.get(PYTHON_LABEL, "")
        lock = self.recorded
        if lock is None:
            lock = in_container.lock_of(self.job, tag, python, engine=self.engine)
        name = self.job.spec.reference or ("" if self.job.spec.dockerfile else settings.BASE_IMAGE)
        return Made(tag, image.id, image.size, python, lock, source, name, base)


def _request(pin: str) -> str:
    """A pin as uv's --python takes it; none means any Python that the SDK runs on."""
    if not pin:
        return sdk_wheel.requires_python() or "3"
    version = pip_version(Match("python", pin))
    exact = re.fullmatch(r"==(\d+(?:\.\d+)*)(\.\*)?", version)
    return exact.group(1) if exact else version


def _shown(pin: str) -> str:
    return re.sub(r"\.\*$|^==", "", pin) or (sdk_wheel.requires_python() or "3")


def _words(error: StudioError) -> str:
    return error.message.strip().rstrip(".")


STAGES = ("atelier/ground:", "atelier/python:", "atelier/conda:")


def there(engine: str | None = None) -> set[str]:
    """The tags of environments that an engine holds now."""
    return {tag for image in images.list_images({KEY_LABEL: None}, engine=engine) for tag in image.tags}


def remove(name: str, *, engine: str | None = None) -> bool:
    """Removes an image; Conflict while a container uses it. With the last one go the stages that they shared."""
    gone = images.remove(name, engine=engine)
    if not there(engine):
        for image in images.list_images(engine=engine):
            for tag in image.tags:
                if tag.startswith(STAGES):
                    images.remove(tag, engine=engine)
    return gone
