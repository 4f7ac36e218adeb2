"""What an environment asks for, in canonical form, and the key of the image that gives it.

The key is a SHA-256 over the base image's digest, the Dockerfile and the Python specification. Names, versions and
environment variables are not in it: two environments that differ in those only share one image. Pure.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from studio.environments import conda, requirements
from studio.errors import Invalid

# Raised when the same specification must lead to another image than before.
FORMAT = 1
MASK = "***"
MAX_TEXT = 200_000


@dataclass(frozen=True)
class Registry:
    """Where a base image is kept, and who we are there."""

    address: str = ""
    username: str = ""
    password: str = field(default="", repr=False)


@dataclass(frozen=True)
class Spec:
    """A checked definition. Names, versions, variables and sentences do not enter the key."""

    base_image: str
    registry: Registry
    dockerfile: str
    user_managed: bool
    interpreter: str
    python: str
    conda: tuple[str, ...]
    channels: tuple[str, ...]
    pip: tuple[str, ...]
    options: tuple[str, ...]
    satisfied: tuple[str, ...] = ()
    sentences: tuple[str, ...] = ()
    name: str = ""
    version: str = ""

    @property
    def reference(self) -> str:
        """The base image's whole name, its registry's address included; "" for the site's own base image."""
        address = self.registry.address.removeprefix("https://").removeprefix("http://").rstrip("/")
        if not address or self.base_image.startswith(address + "/"):
            return self.base_image
        return f"{address}/{self.base_image}"

    @property
    def has_packages(self) -> bool:
        """Whether anything is installed besides Python and the SDK."""
        return bool(self.conda or self.pip)


def read(definition: Mapping[str, Any], channels: Sequence[str] = ()) -> Spec:
    """A v1 environment definition, checked. `channels` are the conda channels the site allows, in their order; none
    means that conda names are taken from PyPI. Raises Invalid naming the field."""
    python = _section(definition, "python")
    docker = _section(definition, "docker")
    spark = _section(definition, "spark")
    if spark.get("packages"):
        raise Invalid(
            "Spark packages can't be installed here; remove environment.spark.packages.", "environment.spark.packages"
        )
    if python.get("baseCondaEnvironment"):
        raise Invalid(
            "base_conda_environment can't be extended here; list its packages in the environment, or set "
            "user_managed_dependencies and interpreter_path to its Python.",
            "environment.python.baseCondaEnvironment",
        )
    dockerfile = _text(docker.get("baseDockerfile"), "environment.docker.baseDockerfile")
    base_image = _text(docker.get("baseImage"), "environment.docker.baseImage").strip()
    if dockerfile and base_image:
        raise Invalid(
            "An environment has a base image or a Dockerfile, not both; set the other to None.", "environment.docker"
        )
    if any(character.isspace() for character in base_image):
        raise Invalid(f"{base_image!r} can't name an image.", "environment.docker.baseImage")
    common: dict[str, Any] = {
        "base_image": base_image,
        "registry": _registry(docker.get("baseImageRegistry")),
        "dockerfile": dockerfile.replace("\r\n", "\n").strip("\n"),
        "name": str(definition.get("name") or ""),
        "version": str(definition.get("version") or ""),
    }
    interpreter = _text(python.get("interpreterPath"), "environment.python.interpreterPath").strip() or "python"
    if python.get("userManagedDependencies"):
        return Spec(
            **common, user_managed=True, interpreter=interpreter, python="", conda=(), channels=(), pip=(), options=()
        )
    return Spec(
        **common, user_managed=False, interpreter="python", **_packages(python.get("condaDependencies"), channels)
    )


def _packages(raw: Any, channels: Sequence[str]) -> dict[str, Any]:
    """The Python part: what conda solves, what pip installs, the pin of Python."""
    if raw is None:
        raw = {}
    if not isinstance(raw, Mapping):
        raise Invalid("condaDependencies must be an object as a conda specification's YAML reads.", requirements.FIELD)
    parsed = conda.parse(raw)
    matches = parsed.matches
    # conda's own name for the installer: with channels it is solved like any package, without it is a requirement.
    by_pip = requirements.parse(parsed.pip)
    if channels and (parsed.python is not None or any(match.name != "pip" for match in matches)):
        specs = [str(match) for match in matches]
        specs.append(f"python {parsed.python}".strip() if parsed.python is not None else "python")
        outside = [channel for channel in parsed.channels if channel not in ("nodefaults", *channels)]
        sentences = tuple(f"channel {channel}: this site's own channels are used in its place" for channel in outside)
        return {
            "python": parsed.python or "",
            "conda": tuple(sorted(specs)),
            "channels": tuple(channels),
            "pip": by_pip.requirements,
            "options": by_pip.options,
            "satisfied": by_pip.satisfied,
            "sentences": sentences,
        }
    taken = conda.from_pypi(matches)
    both = requirements.parse([*taken.requirements, *by_pip.requirements])
    return {
        "python": parsed.python or "",
        "conda": (),
        "channels": (),
        "pip": both.requirements,
        "options": by_pip.options,
        "satisfied": tuple(sorted({*both.satisfied, *by_pip.satisfied})),
        "sentences": taken.sentences,
    }


def _section(definition: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = definition.get(name)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise Invalid(f"environment.{name} must be an object.", f"environment.{name}")
    return value


def _text(value: Any, name: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > MAX_TEXT or "\x00" in value:
        raise Invalid(f"{name} must be a text of at most {MAX_TEXT:,} characters.", name)
    return value


def _registry(value: Any) -> Registry:
    if not value:
        return Registry()
    if not isinstance(value, Mapping):
        raise Invalid(
            "baseImageRegistry must be an object with address, username and password.",
            "environment.docker.baseImageRegistry",
        )
    parts = {
        name: _text(value.get(name), f"environment.docker.baseImageRegistry.{name}").strip()
        for name in ("address", "username", "password")
    }
    return Registry(**parts)


def python_part(spec: Spec) -> dict[str, Any]:
    """The Python specification in canonical form: equal for equal meaning."""
    if spec.user_managed:
        return {"user_managed": True, "interpreter": spec.interpreter}
    return {
        "python": spec.python,
        "conda": sorted(spec.conda),
        "channels": list(spec.channels),
        "pip": sorted(spec.pip),
        "options": list(spec.options),
    }


def canonical(spec: Spec, base_digest: str) -> str:
    """The text whose SHA-256 is the key: JSON with sorted keys. `base_digest` is what the base image's name means now."""
    parts = {"format": FORMAT, "base": base_digest, "dockerfile": spec.dockerfile, "python": python_part(spec)}
    return json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def key(spec: Spec, base_digest: str) -> str:
    """The image's key: 64 hexadecimal digits."""
    return hashlib.sha256(canonical(spec, base_digest).encode()).hexdigest()


def packages_key(spec: Spec) -> str:
    """The key of a package lock: the Python specification alone, as a new base image does not change the packages."""
    text = json.dumps(python_part(spec), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def image_name(key: str) -> str:
    """The image's repository, the run's property AzureML.DerivedImageName."""
    return f"azureml/azureml_{key[:32]}"


def masked(definition: Mapping[str, Any]) -> dict[str, Any]:
    """The definition as people may see it: the registry's password is replaced."""
    shown = json.loads(json.dumps(definition))
    registry = (shown.get("docker") or {}).get("baseImageRegistry")
    if isinstance(registry, dict) and registry.get("password"):
        registry["password"] = MASK
    return dict(shown)
