"""Conda specifications: packages from conda, packages from pip, channels; read, changed and written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from atelier.environment import requirements
from atelier.errors import ConfigurationError, UserError

NAME = "project_environment"
DEFAULT_SDK = "azureml-defaults"
CHANNELS = ("anaconda", "conda-forge")
#: The name at the start of a conda or pip requirement, without version, extras or markers.
PACKAGE_NAME = re.compile(r"^\s*([A-Za-z0-9][A-Za-z0-9._-]*)")


def package_name(requirement: str) -> str:
    """`scikit-learn` of `scikit-learn==1.7`; underscores and case do not matter in it."""
    text = requirement.rsplit("::", 1)[-1]
    found = PACKAGE_NAME.match(text)
    return re.sub(r"[-_.]+", "-", found.group(1)).lower() if found else text.strip().lower()


class CondaDependencies:
    """A conda specification; empty, or read from a file of `conda env export`'s form."""

    def __init__(
        self,
        conda_dependencies_file_path: str | Path | None = None,
        _underlying_structure: Mapping[str, Any] | None = None,
    ) -> None:
        self._name = NAME
        self._channels: list[str] = []
        self._conda: list[str] = []
        self._pip: list[str] = []
        self._extra: dict[str, Any] = {}
        if conda_dependencies_file_path is not None:
            self._read_file(Path(conda_dependencies_file_path))
        elif _underlying_structure is not None:
            self._read(_underlying_structure, Path(), "The conda specification")
        else:
            self._channels = list(CHANNELS)
            self._pip = [DEFAULT_SDK]

    def __repr__(self) -> str:
        return f"CondaDependencies(conda: {self._conda}, pip: {self._pip})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CondaDependencies) and other.as_dict() == self.as_dict()

    __hash__ = None  # type: ignore[assignment]

    def _read_file(self, file: Path) -> None:
        import yaml

        try:
            content = yaml.safe_load(file.read_text(encoding="utf-8-sig"))
        except FileNotFoundError:
            raise UserError(f"There is no conda specification {str(file)!r}.") from None
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise ConfigurationError(f"{file} cannot be read as YAML: {error}", error) from error
        self._read(content or {}, file.parent, str(file))

    def _read(self, content: Any, folder: Path, where: str) -> None:
        if not isinstance(content, Mapping):
            raise ConfigurationError(f"{where} is not a conda specification: it must have a list of dependencies.")
        self._name = str(content.get("name") or NAME)
        self._channels = [str(channel) for channel in content.get("channels") or []]
        self._extra = {k: v for k, v in content.items() if k not in ("name", "channels", "dependencies")}
        dependencies = content.get("dependencies") or []
        if not isinstance(dependencies, list):
            raise ConfigurationError(f"{where}: dependencies must be a list.")
        for entry in dependencies:
            if isinstance(entry, str):
                self._conda.append(entry.strip())
            elif isinstance(entry, Mapping) and set(entry) == {"pip"}:
                for line in entry["pip"] or []:
                    self._pip.extend(requirements.expand(str(line), folder))
            else:
                raise ConfigurationError(f"{where}: {entry!r} is neither a conda package nor a list of pip packages.")

    @staticmethod
    def create(
        pip_indexurl: str | None = None,
        pip_packages: Iterable[str] | None = None,
        conda_packages: Iterable[str] | None = None,
        python_version: str | None = None,
        pin_sdk_version: bool = True,
    ) -> CondaDependencies:
        """A specification of these packages and `azureml-defaults` (which this SDK satisfies)."""
        made = CondaDependencies()
        if python_version is not None:
            made.set_python_version(python_version)
        for package in _listed(conda_packages, "conda_packages"):
            made.add_conda_package(package)
        packages = _listed(pip_packages, "pip_packages")
        if packages:
            made._pip = []
            for package in packages:
                made.add_pip_package(package)
        if pip_indexurl:
            made.set_pip_index_url(f"--index-url {pip_indexurl}")
        return made

    # ---- what is in it

    @property
    def conda_channels(self) -> Iterator[str]:
        """The channels, in order of preference."""
        return iter(self._channels)

    @property
    def conda_packages(self) -> Iterator[str]:
        """Packages from conda, Python itself among them."""
        return iter(self._conda)

    @property
    def pip_packages(self) -> Iterator[str]:
        """Packages from pip, without options."""
        return (line for line in self._pip if not line.startswith("-"))

    @property
    def pip_options(self) -> Iterator[str]:
        """pip's options, such as --extra-index-url."""
        return (line for line in self._pip if line.startswith("-"))

    def get_python_version(self) -> str | None:
        """The pinned version of Python; None when the server may choose."""
        for package in self._conda:
            if package_name(package) == "python":
                return package.split("python", 1)[1].lstrip("= ") or None
        return None

    # ---- changes

    def add_channel(self, channel: str) -> None:
        """Add a conda channel, behind those that are there."""
        if channel not in self._channels:
            self._channels.append(channel)

    def remove_channel(self, channel: str) -> None:
        """Remove a conda channel."""
        self._channels = [one for one in self._channels if one != channel]

    def add_conda_package(self, conda_package: str) -> None:
        """Add a package from conda; one of the same name is replaced."""
        self._conda = _with(self._conda, conda_package)

    def remove_conda_package(self, conda_package: str) -> None:
        """Remove a package from conda by its name."""
        self._conda = _without(self._conda, conda_package)

    def add_pip_package(self, pip_package: str) -> None:
        """Add a package from pip; one of the same name is replaced."""
        self._pip = _with(self._pip, pip_package)

    def remove_pip_package(self, pip_package: str) -> None:
        """Remove a package from pip by its name."""
        self._pip = _without(self._pip, pip_package)

    def set_pip_requirements(self, pip_requirements: Iterable[str]) -> None:
        """Put these lines of a requirements file in place of what pip installs."""
        self._pip = [line for entry in pip_requirements for line in requirements.expand(entry, Path())]

    def set_pip_index_url(self, index_url: str) -> None:
        """Set pip's index; "--index-url …" and the bare address both work."""
        option = index_url if index_url.startswith("-") else f"--index-url {index_url}"
        self._pip = [option, *(line for line in self._pip if not line.startswith(("--index-url", "-i ")))]

    def set_pip_option(self, pip_option: str) -> None:
        """Add an option of pip, such as "--extra-index-url https://…"."""
        if not pip_option.startswith("-"):
            raise UserError(f"{pip_option!r} is not an option of pip; it must begin with a dash.")
        if pip_option not in self._pip:
            self._pip.insert(0, pip_option)

    def remove_pip_option(self, pip_option: str) -> None:
        """Remove an option of pip by its first word."""
        word = pip_option.split()[0]
        self._pip = [line for line in self._pip if not (line.startswith("-") and line.split()[0] == word)]

    def set_python_version(self, version: str) -> None:
        """Pin Python, for example to "3.11"."""
        text = str(version).strip()
        if not re.fullmatch(r"[=<>!~]*\s*\d+(\.\d+)*(\.\*)?([,|].*)?", text):
            raise UserError(f"{version!r} is not a version of Python.")
        rest = _without(self._conda, "python")
        self._conda = [f"python{text if text[0] in '=<>!~' else '=' + text}", *rest]

    def add_tensorflow_pip_package(self, core_type: str = "cpu", version: str | None = None) -> None:
        """Add TensorFlow from pip."""
        self.add_pip_package("tensorflow" + (f"=={version}" if version else ""))

    def add_tensorflow_conda_package(self, core_type: str = "cpu", version: str | None = None) -> None:
        """Add TensorFlow from conda."""
        name = "tensorflow-gpu" if core_type == "gpu" else "tensorflow"
        self.add_conda_package(name + (f"={version}" if version else ""))

    # ---- written

    def as_dict(self) -> dict[str, Any]:
        """As the YAML file reads."""
        dependencies: list[Any] = list(self._conda)
        if self._pip:
            if not any(package_name(package) == "pip" for package in self._conda) and self._conda:
                dependencies.append("pip")
            dependencies.append({"pip": list(self._pip)})
        content: dict[str, Any] = {"name": self._name, "dependencies": dependencies}
        if self._channels:
            content["channels"] = list(self._channels)
        return {**content, **self._extra}

    def serialize_to_string(self) -> str:
        """The specification as YAML."""
        import yaml

        return "# Conda environment specification, as `conda env create -f` reads it.\n" + yaml.safe_dump(
            self.as_dict(), sort_keys=False, default_flow_style=False
        )

    def save(self, path: str | Path | None = None) -> str:
        """Write the YAML to `path` (default: conda_dependencies.yml here); the path."""
        file = Path(path or "conda_dependencies.yml")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(self.serialize_to_string())
        return str(file)

    def save_to_file(self, base_directory: str | Path, conda_file_path: str | Path | None = None) -> str:
        """Write the YAML below `base_directory`; the path relative to it."""
        name = Path(conda_file_path or "conda_dependencies.yml")
        self.save(Path(base_directory) / name)
        return str(name)

    @staticmethod
    def merge_requirements(specs: Iterable[str]) -> list[str]:
        """Requirements with one line a package: version bounds of the same name are joined by commas."""
        merged: dict[str, str] = {}
        for line in specs:
            name = package_name(line)
            if name in merged:
                rest = PACKAGE_NAME.sub("", line, count=1).strip()
                merged[name] = f"{merged[name]},{rest}" if rest else merged[name]
            else:
                merged[name] = line.strip()
        return list(merged.values())


def _listed(packages: Iterable[str] | None, name: str) -> list[str]:
    if isinstance(packages, str):
        raise UserError(f"{name} is a list of requirements, not one text: {name}=[{packages!r}].")
    return list(packages or [])


def _with(lines: list[str], requirement: str) -> list[str]:
    if not isinstance(requirement, str) or not requirement.strip():
        raise UserError(f"A package is a text such as 'scikit-learn==1.7', not {requirement!r}.")
    wanted = requirement.strip()
    if wanted.startswith("-"):
        return [*lines, wanted]
    names = [package_name(line) if not line.startswith("-") else "" for line in lines]
    name = package_name(wanted)
    if name in names:
        return [wanted if found == name else line for line, found in zip(lines, names, strict=True)]
    return [*lines, wanted]


def _without(lines: list[str], requirement: str) -> list[str]:
    name = package_name(requirement)
    return [line for line in lines if line.startswith("-") or package_name(line) != name]
