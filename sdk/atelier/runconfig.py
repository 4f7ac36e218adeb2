"""What a submitted run is to do: script or command, where, in which environment, how many processes."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from atelier.environment import CondaDependencies, Environment
from atelier.errors import UnsupportedError, UserError

MAX_DURATION = 2_592_000
DEFAULT_SHM = "2g"


class DockerConfiguration:
    """How the container runs. `shm_size` such as "2g"; `arguments` are options of `docker run`."""

    def __init__(
        self,
        use_docker: bool | None = False,
        shared_volumes: bool = True,
        arguments: list[str] | None = None,
        shm_size: str | None = None,
    ) -> None:
        self.use_docker = use_docker
        self.shared_volumes = shared_volumes
        self.arguments = list(arguments or [])
        self.shm_size = shm_size


class MpiConfiguration:
    """`node_count` nodes of `process_count_per_node` processes each, under MPI."""

    def __init__(self, process_count_per_node: int = 1, node_count: int = 1) -> None:
        self.process_count_per_node = _count(process_count_per_node, "process_count_per_node")
        self.node_count = _count(node_count, "node_count")


class PyTorchConfiguration:
    """`process_count` processes in all (default: one a node), spread over `node_count` nodes.

    `communication_backend` is Nccl or Gloo.
    """

    def __init__(
        self, communication_backend: str = "Nccl", process_count: int | None = None, node_count: int = 1
    ) -> None:
        backend = str(communication_backend).capitalize()
        if backend not in ("Nccl", "Gloo"):
            raise UserError(f"communication_backend is Nccl or Gloo, not {communication_backend!r}.")
        self.communication_backend = backend
        self.node_count = _count(node_count, "node_count")
        self.process_count = None if process_count is None else _count(process_count, "process_count")
        if self.process_count and self.process_count % self.node_count:
            raise UserError(
                f"process_count is the number of all processes: {process_count} do not spread evenly over "
                f"{node_count} nodes."
            )


class TensorflowConfiguration:
    """`worker_count` workers and `parameter_server_count` parameter servers, one a node."""

    def __init__(self, worker_count: int = 1, parameter_server_count: int = 0) -> None:
        self.worker_count = _count(worker_count, "worker_count")
        self.parameter_server_count = _count(parameter_server_count, "parameter_server_count", least=0)

    @property
    def node_count(self) -> int:
        """Nodes in all."""
        return self.worker_count + self.parameter_server_count


class History:
    """What is kept of the run's folder: `outputs` at the end, and `directories_to_watch` while it runs."""

    def __init__(self) -> None:
        self.output_collection = True
        self.directories_to_watch = ["logs"]
        self.snapshot_project = True


class SparkConfiguration:
    """Spark settings; a run with any is refused."""

    def __init__(self) -> None:
        self.configuration: dict[str, str] = {}


class RunConfiguration:
    """All of a submission but its folder; `ScriptRunConfig` holds one."""

    def __init__(
        self,
        script: str | None = None,
        arguments: list[Any] | None = None,
        framework: str | None = None,
        communicator: str | None = None,
        conda_dependencies: CondaDependencies | None = None,
        _history_enabled: bool | None = None,
        _path: str | None = None,
        command: list[str] | str | None = None,
    ) -> None:
        self.script = script
        self.arguments: list[Any] = list(arguments or [])
        self.command = command
        self.framework = framework or "Python"
        self.communicator = communicator or "None"
        self.target: Any = "local"
        self.environment = Environment("unnamed")
        if conda_dependencies is not None:
            self.environment.python.conda_dependencies = conda_dependencies
        self.environment_variables: dict[str, str] = {}
        self.max_run_duration_seconds: int | None = None
        self.node_count = 1
        self.priority: int | None = None
        # Not v1's: how often a run is tried again when the host that it is on is lost.
        self.max_retries = 0
        self.docker = DockerConfiguration(use_docker=None)
        self.history = History()
        self.mpi = MpiConfiguration()
        self.pytorch = PyTorchConfiguration()
        self.tensorflow = TensorflowConfiguration()
        self.spark = SparkConfiguration()
        self.amlcompute: Any = None
        self.data: dict[str, Any] = {}
        self.data_references: dict[str, Any] = {}
        self.output_data: dict[str, Any] = {}
        self.datacaches: list[Any] = []
        self.auto_prepare_environment = True

    def distribute(self, config: Any) -> None:
        """Take over one of the distributed configurations."""
        if isinstance(config, MpiConfiguration):
            self.framework, self.communicator, self.mpi = "Python", "IntelMpi", config
        elif isinstance(config, PyTorchConfiguration):
            self.framework, self.communicator, self.pytorch = "PyTorch", config.communication_backend, config
        elif isinstance(config, TensorflowConfiguration):
            self.framework, self.communicator, self.tensorflow = "TensorFlow", "ParameterServer", config
        else:
            raise UserError(
                "distributed_job_config is an MpiConfiguration, PyTorchConfiguration or TensorflowConfiguration, not a "
                f"{type(config).__name__}."
            )
        self.node_count = config.node_count

    def to_definition(self) -> dict[str, Any]:
        """The runDefinition that is submitted; raises a sentence for what this server does not do."""
        self._refuse_what_is_not_here()
        name = getattr(self.target, "name", self.target) or "local"
        use_docker = self.docker.use_docker
        if use_docker is None:
            use_docker = self.environment.docker.enabled
        return {
            "script": self.script,
            "command": _command(self.command),
            "useAbsolutePath": False,
            "arguments": arguments(self.arguments),
            "sourceDirectoryDataStore": None,
            "framework": self.framework,
            "communicator": self.communicator,
            "target": str(name),
            "dataReferences": {},
            "data": {},
            "outputData": {},
            "datacaches": [],
            "jobName": None,
            "maxRunDurationSeconds": self.max_run_duration_seconds or MAX_DURATION,
            "nodeCount": self.node_count,
            "priority": self.priority,
            "maxRetries": self.max_retries,
            "environment": self.environment.to_definition(),
            "environmentVariables": {str(key): str(value) for key, value in self.environment_variables.items()},
            "history": {
                "outputCollection": self.history.output_collection,
                "directoriesToWatch": list(self.history.directories_to_watch or []),
                "enableMLflowTracking": False,
                "snapshotProject": self.history.snapshot_project,
            },
            "tensorflow": {
                "workerCount": self.tensorflow.worker_count,
                "parameterServerCount": self.tensorflow.parameter_server_count,
            },
            "mpi": {"processCountPerNode": self.mpi.process_count_per_node},
            "pyTorch": {
                "communicationBackend": self.pytorch.communication_backend,
                "processCount": self.pytorch.process_count,
            },
            "docker": {
                "useDocker": use_docker,
                "sharedVolumes": self.docker.shared_volumes,
                "shmSize": self.docker.shm_size or self.environment.docker.shm_size or DEFAULT_SHM,
                "arguments": [*self.docker.arguments, *(self.environment.docker.arguments or [])],
            },
        }

    def _refuse_what_is_not_here(self) -> None:
        data: dict[str, Any] = {
            "data": self.data,
            "data_references": self.data_references,
            "output_data": self.output_data,
        }
        data["datacaches"] = self.datacaches
        for name, value in data.items():
            if value:
                raise UnsupportedError(
                    f"RunConfiguration.{name} is not mounted here. Put the data into the source directory, or pass the "
                    "path of a folder that every node sees as an argument."
                )
        if self.spark.configuration or str(self.framework).lower() == "pyspark":
            raise UnsupportedError("Spark jobs do not run here; use framework Python.")

    def save(self, path: str | Path | None = None, name: str | None = None) -> str:
        """Write the definition as YAML to `path` (a folder: .azureml/<name>.runconfig in it); the file's path."""
        import yaml

        place = Path(path or ".")
        file = place / ".azureml" / f"{name or 'run'}.runconfig" if place.is_dir() else place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(yaml.safe_dump(self.to_definition(), sort_keys=False))
        return str(file)

    @staticmethod
    def load(path: str | Path, name: str | None = None) -> RunConfiguration:
        """What `save` wrote."""
        import yaml

        place = Path(path)
        file = place / ".azureml" / f"{name or 'run'}.runconfig" if place.is_dir() else place
        try:
            content = yaml.safe_load(file.read_text())
        except (OSError, yaml.YAMLError) as error:
            raise UserError(f"The run configuration {file} cannot be read: {error}.", error) from error
        return RunConfiguration.from_definition(content)

    @staticmethod
    def from_definition(content: Mapping[str, Any]) -> RunConfiguration:
        """The configuration of a runDefinition."""
        made = RunConfiguration(
            content.get("script"), content.get("arguments"), content.get("framework"), content.get("communicator"),
            command=content.get("command"),
        )  # fmt: skip
        made.target = content.get("target") or "local"
        made.environment = Environment.from_definition(content.get("environment") or {"name": "unnamed"})
        made.environment_variables = dict(content.get("environmentVariables") or {})
        made.max_run_duration_seconds = content.get("maxRunDurationSeconds")
        made.node_count = content.get("nodeCount") or 1
        made.priority = content.get("priority")
        made.max_retries = content.get("maxRetries") or 0
        docker = content.get("docker") or {}
        made.docker = DockerConfiguration(
            docker.get("useDocker"), docker.get("sharedVolumes", True), docker.get("arguments"), docker.get("shmSize")
        )
        made.mpi = MpiConfiguration((content.get("mpi") or {}).get("processCountPerNode") or 1, made.node_count)
        torch = content.get("pyTorch") or {}
        made.pytorch = PyTorchConfiguration(torch.get("communicationBackend") or "Nccl", torch.get("processCount"), 1)
        flow = content.get("tensorflow") or {}
        made.tensorflow = TensorflowConfiguration(flow.get("workerCount") or 1, flow.get("parameterServerCount") or 0)
        return made


class ScriptRunConfig:
    """A folder with a script (or a command) to run in it.

    What is given here goes before the same setting of `run_config`, which is copied. `compute_target` is a compute
    target or its name. `resume_from` is refused: outputs of an earlier run are downloaded by the script instead.
    """

    def __init__(
        self,
        source_directory: str | Path,
        script: str | None = None,
        arguments: list[Any] | None = None,
        run_config: RunConfiguration | None = None,
        _telemetry_values: Any = None,
        compute_target: Any = None,
        environment: Environment | None = None,
        distributed_job_config: Any = None,
        resume_from: Any = None,
        max_run_duration_seconds: int | None = None,
        command: list[str] | str | None = None,
        docker_runtime_config: DockerConfiguration | None = None,
    ) -> None:
        if script is not None and command is not None:
            raise UserError("ScriptRunConfig takes script or command, not both.")
        if command is not None and arguments:
            raise UserError("With command, the arguments are part of it; leave arguments out.")
        if resume_from is not None:
            raise UnsupportedError(
                "resume_from is not available here: let the script download what it needs of the earlier run "
                "(Run.get_context().experiment, Run(experiment, run_id).download_file)."
            )
        if isinstance(arguments, str):
            raise UserError(f"arguments is a list, one entry a word: {arguments.split()!r}.")
        self.source_directory = str(source_directory) if source_directory is not None else "."
        self.run_config = copy.deepcopy(run_config) if run_config is not None else RunConfiguration()
        settings = self.run_config
        settings.script = script if script is not None else (None if command is not None else settings.script)
        settings.command = command if command is not None else (None if script is not None else settings.command)
        settings.arguments = list(arguments) if arguments is not None else list(settings.arguments or [])
        if compute_target is not None:
            settings.target = getattr(compute_target, "name", compute_target)
            if not isinstance(settings.target, str):
                raise UserError(
                    f"compute_target is a compute target or the name of one, not {compute_target!r}. ws.compute_targets "
                    "names them."
                )
        if environment is not None:
            if not isinstance(environment, Environment):
                raise UserError(
                    f"environment is an Environment, not {environment!r}. Environment.get(ws, name) fetches a registered one."
                )
            settings.environment = environment
        if max_run_duration_seconds is not None:
            settings.max_run_duration_seconds = _count(max_run_duration_seconds, "max_run_duration_seconds")
        if docker_runtime_config is not None:
            settings.docker = docker_runtime_config
        if distributed_job_config is not None:
            settings.distribute(distributed_job_config)

    @property
    def script(self) -> str | None:
        """The script's path below the source directory."""
        return self.run_config.script

    @script.setter
    def script(self, value: str | None) -> None:
        self.run_config.script = value

    @property
    def arguments(self) -> list[Any]:
        """What the script gets on its command line."""
        return self.run_config.arguments

    @arguments.setter
    def arguments(self, value: list[Any]) -> None:
        self.run_config.arguments = list(value or [])

    @property
    def command(self) -> list[str] | str | None:
        """The command in place of a script."""
        return self.run_config.command

    @command.setter
    def command(self, value: list[str] | str | None) -> None:
        self.run_config.command = value


def arguments(values: list[Any]) -> list[str]:
    """Command-line arguments as texts; what is neither text nor a number is refused by name."""
    texts = []
    for value in values or []:
        if hasattr(value, "item") and not hasattr(value, "__len__"):
            value = value.item()
        if not isinstance(value, (str, int, float, Path)):
            raise UserError(
                f"The argument {value!r} has the type {type(value).__name__}; an argument is text or a number. Data is passed "
                "as the path of a folder that every node sees."
            )
        texts.append(str(value))
    return texts


def _command(command: list[str] | str | None) -> list[str] | str | None:
    if command is None or isinstance(command, str):
        return command
    return arguments(list(command))


def _count(value: Any, name: str, least: int = 1) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise UserError(f"{name} is a whole number from {least}, not {value!r}.")
    return value
