"""Images in registries: the workspace's first, then the global one. A registry that is away is said and gone without."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from django.conf import settings

from studio.containers import images
from studio.environments.building.job import Job
from studio.errors import NotFound, StudioError, Unavailable


@dataclass(frozen=True)
class Registry:
    """A registry as a setting names it: [https://][user:password@]host[:port][/prefix]."""

    name: str
    address: str
    username: str = ""
    password: str = ""

    @property
    def auth(self) -> dict[str, str] | None:
        """What the engine signs in with."""
        return {"username": self.username, "password": self.password} if self.password else None


def configured() -> list[Registry]:
    """The registries in the order they are looked up in."""
    found = [("workspace registry", settings.WORKSPACE_REGISTRY), ("global registry", settings.GLOBAL_REGISTRY)]
    return [_registry(name, setting) for name, setting in found if setting]


def _registry(name: str, setting: str) -> Registry:
    parts = urlsplit(setting if "://" in setting else f"//{setting}")
    host = (parts.hostname or "") + (f":{parts.port}" if parts.port else "")
    return Registry(name, host + parts.path.rstrip("/"), unquote(parts.username or ""), unquote(parts.password or ""))


def fetch(job: Job, tag: str, *, engine: str | None) -> str:
    """Fetches the image from the first registry that has it; returns that registry's name, "" when none has it."""
    for registry in configured():
        job.check()
        job.log.hide([registry.password])
        there = f"{registry.address}/{tag}"
        try:
            images.pull(there, auth=registry.auth, log=job.log.write, engine=engine)
        except NotFound:
            job.log.say(f"Not in the {registry.name} {registry.address}.")
            continue
        except Unavailable as error:
            job.log.say(
                f"The {registry.name} {registry.address} does not answer; going on without it ({_words(error)})."
            )
            continue
        images.tag(there, tag, engine=engine)
        images.remove(there, engine=engine)  # the registry's name for it; the image stays under ours
        job.log.say(f"Found in the {registry.name} {registry.address}.")
        return registry.name
    return ""


def keep(job: Job, tag: str, *, engine: str | None) -> None:
    """Sends a built image to the workspace's registry. One that is away costs the others their hit, not this run."""
    registry = next((one for one in configured() if one.name == "workspace registry"), None)
    if registry is None:
        return
    there = f"{registry.address}/{tag}"
    images.tag(tag, there, engine=engine)
    try:
        digest = images.push(there, auth=registry.auth, log=job.log.write, engine=engine)
        job.log.say(f"Kept in the workspace registry {registry.address} as {digest}.")
    except StudioError as error:
        job.log.say(
            f"Could not be kept in the workspace registry {registry.address}: {_words(error)}. The image is on this engine."
        )
    finally:
        images.remove(there, engine=engine)


def _words(error: StudioError) -> str:
    return error.message.strip().rstrip(".")
