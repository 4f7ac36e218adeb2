"""An environment by name: Python packages, base image, variables; registered or made up on the spot."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from atelier.client import segment
from atelier.environment import requirements
from atelier.environment.build import ImageBuildDetails
from atelier.environment.conda import CondaDependencies
from atelier.environment.sections import SITE_IMAGES, ContainerRegistry, DockerSection, PythonSection, SparkSection
from atelier.errors import ConfigurationError, NotFoundError, UnsupportedError, UserError

if TYPE_CHECKING:
    from atelier.workspace import Workspace

DEFINITION_FILE, CONDA_FILE, DOCKERFILE = "azureml_environment.json", "conda_dependencies.yml", "BaseDockerfile"


class Environment:
    """An environment named `name`. Set `python`, `docker` and `environment_variables`, then submit with it."""

    def __init__(self, name: str, **kwargs: Any) -> None:
        if not isinstance(name, str) or not name.strip():
            raise UserError(f"An environment needs a name that is text, not {name!r}.")
        if kwargs:
            raise TypeError(f"Environment() got unexpected arguments: {', '.join(sorted(kwargs))}.")
        self.name = name
        self.version: str | None = None
        self.python = PythonSection()
        self.docker = DockerSection()
        self.spark = SparkSection()
        self.environment_variables: dict[str, str] = {}
        self.inferencing_stack_version: str | None = None
        self.r: Any = None
        self.databricks: Any = None

    def __repr__(self) -> str:
        return json.dumps(self.to_definition(masked=True), indent=4)

    # ---- made from files

    @staticmethod
    def from_conda_specification(name: str, file_path: str | Path) -> Environment:
        """The environment that a conda YAML file describes."""
        made = Environment(name)
        made.python.conda_dependencies = CondaDependencies(file_path)
        return made

    @staticmethod
    def from_pip_requirements(name: str, file_path: str | Path, pip_version: str | None = None) -> Environment:
        """The environment that a pip requirements file describes; files it names by -r are read too."""
        made = Environment(name)
        lines = requirements.read(Path(file_path))
        dependencies = CondaDependencies(_underlying_structure={"dependencies": [{"pip": lines}]})
        if pip_version:
            dependencies.add_conda_package(f"pip={pip_version}")
        made.python.conda_dependencies = dependencies
        return made

    @staticmethod
    def from_existing_conda_environment(name: str, conda_environment_name: str) -> Environment | None:
        """The packages of a conda environment on this machine, as `conda env export` lists them."""
        import shutil
        import subprocess

        conda = shutil.which("conda") or shutil.which("mamba") or shutil.which("micromamba")
        if conda is None:
            raise UserError("There is no conda on this machine's PATH, so its environments cannot be read.")
        command = [conda, "env", "export", "--no-builds", "-n", conda_environment_name]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        if done.returncode:
            raise UserError(f"conda cannot export {conda_environment_name!r}: {(done.stderr or done.stdout).strip()}")
        import yaml

        made = Environment(name)
        content = {key: value for key, value in yaml.safe_load(done.stdout).items() if key != "prefix"}
        made.python.conda_dependencies = CondaDependencies(_underlying_structure=content)
        return made

    @staticmethod
    def from_docker_image(
        name: str,
        image: str,
        container_registry: ContainerRegistry | None = None,
        conda_specification: str | Path | None = None,
        pip_requirements: str | Path | None = None,
    ) -> Environment:
        """The image as it is, or with the packages of a specification installed into it."""
        made = _with_packages(name, conda_specification, pip_requirements)
        made.docker.base_image = image
        if container_registry is not None:
            made.docker.base_image_registry = container_registry
        return made

    @staticmethod
    def from_dockerfile(
        name: str,
        dockerfile: str | Path,
        conda_specification: str | Path | None = None,
        pip_requirements: str | Path | None = None,
    ) -> Environment:
        """The image that a Dockerfile (its path, or its text) makes, as it is or with a specification's packages."""
        made = _with_packages(name, conda_specification, pip_requirements)
        made.docker.base_image = None
        made.docker.base_dockerfile = _dockerfile_text(dockerfile)
        return made

    # ---- registered

    @staticmethod
    def get(workspace: Workspace, name: str, version: str | int | None = None, label: str | None = None) -> Environment:
        """A registered or curated environment: the latest version, or exactly `version`."""
        if label not in (None, "latest"):
            raise UserError(f"The label {label!r} is not known here; give a version, or leave it out for the latest.")
        address = f"/workspaces/{segment(workspace.name)}/environments/{segment(name)}"
        try:
            record = workspace.client.call("GET", address, params={"version": version})
        except NotFoundError as error:
            what = f"{name} version {version}" if version else name
            raise NotFoundError(
                f"There is no environment {what} in the workspace {workspace.name}. Environment.list(ws) names them.",
                error,
            ) from error
        return Environment.from_definition(_definition_of(record))

    @staticmethod
    def list(workspace: Workspace) -> dict[str, Environment]:
        """The latest version of every environment by name, curated ones included."""
        return listed(workspace)

    def register(self, workspace: Workspace) -> Environment:
        """Register the environment; what is registered. The same content as the latest keeps that version."""
        address = f"/workspaces/{segment(workspace.name)}/environments"
        record = workspace.client.call("POST", address, json_body={"definition": self.to_definition()}, repeatable=True)
        registered = Environment.from_definition(_definition_of(record))
        self.version = registered.version
        return registered

    def clone(self, new_name: str) -> Environment:
        """A copy under another name, not registered yet."""
        made = copy.deepcopy(self)
        made.name, made.version = new_name, None
        return made

    def build(self, workspace: Workspace, image_build_compute: str | None = None) -> ImageBuildDetails:
        """Build the environment now, before a run needs it; what follows the build.

        It is built as the compute target `image_build_compute` needs it (an image, or a virtual environment where jobs
        run as processes); without one, as a new cluster would. What is there already is not built again.
        """
        address = f"/workspaces/{segment(workspace.name)}/builds"
        body = {"definition": self.to_definition(), "compute": image_build_compute}
        body = {key: value for key, value in body.items() if value is not None}
        record = workspace.client.call("POST", address, json_body=body, repeatable=True)
        return ImageBuildDetails(workspace, self.name, record)

    def build_local(self, workspace: Workspace, **kwargs: Any) -> Any:
        """Refused: environments are built where their runs are."""
        raise UnsupportedError(
            f"{self.name} is not built on this machine: the server builds it where its runs are. Use "
            "env.build(ws).wait_for_completion(), or install the packages here with pip to try the script."
        )

    def get_image_details(self, workspace: Workspace) -> Any:
        """Refused; the sentence says where the image's name is."""
        raise UnsupportedError(
            f"Use env.build(ws): its image_name and status say what {self.name} was built as. The Dockerfile, lock and "
            f"log are on {workspace.client.url}/w/{segment(workspace.name)}/environments/."
        )

    # ---- kept in a folder

    def save_to_directory(self, path: str | Path, overwrite: bool = False) -> None:
        """Write the definition, the conda specification and the Dockerfile into a folder, for `load_from_directory`."""
        folder = Path(path)
        if folder.exists() and any(folder.iterdir()) and not overwrite:
            raise UserError(f"The folder {folder} is not empty. Pass overwrite=True to write there all the same.")
        folder.mkdir(parents=True, exist_ok=True)
        definition = self.to_definition()
        (folder / DEFINITION_FILE).write_text(json.dumps(definition, indent=4) + "\n")
        specification = self.python.specification()
        if specification is not None and not self.python.user_managed_dependencies:
            specification.save(folder / CONDA_FILE)
        if self.docker.base_dockerfile:
            (folder / DOCKERFILE).write_text(_dockerfile_text(self.docker.base_dockerfile))

    @staticmethod
    def load_from_directory(path: str | Path) -> Environment:
        """What `save_to_directory` wrote; the YAML file and the Dockerfile count, so they may be edited."""
        folder = Path(path)
        file = folder / DEFINITION_FILE
        try:
            definition = json.loads(file.read_text())
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"{file} cannot be read: {error}.", error) from error
        made = Environment.from_definition(definition)
        if (folder / CONDA_FILE).is_file() and not made.python.user_managed_dependencies:
            made.python.conda_dependencies = CondaDependencies(folder / CONDA_FILE)
        if (folder / DOCKERFILE).is_file():
            made.docker.base_dockerfile = (folder / DOCKERFILE).read_text()
        return made

    # ---- the wire

    def to_definition(self, *, masked: bool = False) -> dict[str, Any]:
        """The environment as it stands in a runDefinition; `masked` hides the registry's password."""
        if self.spark.packages:
            raise UnsupportedError("Spark packages are not installed here; leave Environment.spark.packages empty.")
        dependencies = None if self.python.user_managed_dependencies else self.python.specification()
        docker = self.docker
        dockerfile = _dockerfile_text(docker.base_dockerfile) if docker.base_dockerfile else None
        image = None if docker.base_image in SITE_IMAGES else docker.base_image
        if dockerfile and image:
            raise UserError(
                "The environment has both docker.base_image and docker.base_dockerfile; set one of them to None."
            )
        registry = docker.base_image_registry
        return {
            "name": self.name,
            "version": self.version,
            "python": {
                "interpreterPath": self.python.interpreter_path,
                "userManagedDependencies": bool(self.python.user_managed_dependencies),
                "condaDependencies": dependencies.as_dict() if dependencies is not None else None,
                "baseCondaEnvironment": self.python.base_conda_environment,
            },
            "environmentVariables": {str(key): str(value) for key, value in (self.environment_variables or {}).items()},
            "docker": {
                "baseImage": image,
                "platform": dict(docker.platform or {}),
                "baseDockerfile": dockerfile,
                "baseImageRegistry": {
                    "address": registry.address,
                    "username": registry.username,
                    "password": "***" if masked and registry.password else registry.password,
                },
                "enabled": bool(docker.enabled),
                "arguments": list(docker.arguments or []),
            },
            "spark": {"repositories": [], "packages": [], "precachePackages": bool(self.spark.precache_packages)},
            "inferencingStackVersion": self.inferencing_stack_version,
        }

    @staticmethod
    def from_definition(definition: Mapping[str, Any]) -> Environment:
        """The environment of a runDefinition, or as the server keeps it."""
        made = Environment(str(definition.get("name") or "unnamed"))
        version = definition.get("version")
        made.version = None if version is None else str(version)
        python = definition.get("python") or {}
        made.python.interpreter_path = python.get("interpreterPath") or "python"
        made.python.user_managed_dependencies = bool(python.get("userManagedDependencies"))
        specification = python.get("condaDependencies")
        made.python.conda_dependencies = (
            CondaDependencies(_underlying_structure=specification) if specification is not None else None
        )
        made.python.base_conda_environment = python.get("baseCondaEnvironment")
        docker = definition.get("docker") or {}
        dockerfile = docker.get("baseDockerfile")
        made.docker.base_image = docker.get("baseImage") or (None if dockerfile else DockerSection().base_image)
        made.docker.base_dockerfile = dockerfile
        made.docker.enabled = docker.get("enabled") or None
        made.docker.arguments = list(docker.get("arguments") or [])
        registry = docker.get("baseImageRegistry") or {}
        for field in ("address", "username", "password"):
            setattr(made.docker.base_image_registry, field, registry.get(field))
        made.environment_variables = dict(definition.get("environmentVariables") or {})
        made.inferencing_stack_version = definition.get("inferencingStackVersion")
        return made


def listed(workspace: Workspace) -> dict[str, Environment]:
    """See `Environment.list`."""
    records = workspace.client.pages(f"/workspaces/{segment(workspace.name)}/environments")
    found = [Environment.from_definition(_definition_of(record)) for record in records]
    return {one.name: one for one in found}


def _definition_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """The definition within the server's record, its name and version those of the registration."""
    definition = dict(record.get("definition") or record)
    for key in ("name", "version"):
        if record.get(key) is not None:
            definition[key] = str(record[key])
    return definition


def _with_packages(name: str, conda: str | Path | None, pip: str | Path | None) -> Environment:
    if conda and pip:
        raise UserError("Give conda_specification or pip_requirements, not both.")
    if conda:
        return Environment.from_conda_specification(name, conda)
    if pip:
        return Environment.from_pip_requirements(name, pip)
    made = Environment(name)
    made.python.user_managed_dependencies = True
    return made


def _dockerfile_text(dockerfile: str | Path) -> str:
    """The Dockerfile's text: what is no text of several lines or instructions is a path."""
    text = str(dockerfile)
    if isinstance(dockerfile, Path) or ("\n" not in text and not text.strip().upper().startswith(("FROM ", "ARG "))):
        try:
            return Path(text).read_text()
        except OSError as error:
            raise UserError(f"The Dockerfile {text!r} cannot be read: {error.strerror}.", error) from error
    return text
