"""What a script run asks for: the v1 `runDefinition`, checked whole before anything is written."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from studio.errors import Invalid

MAX_DURATION = 2_592_000  # v1's default: 30 days, in seconds
MAX_NODES = 100
MAX_PROCESSES = 512
COMMUNICATORS = ("None", "IntelMpi", "OpenMpi", "Nccl", "ParameterServer", "Gloo", "Mpi")


@dataclass(frozen=True)
class Distribution:
    """Several processes that work together. `kind` is mpi, pytorch or tensorflow.

    nodes x processes_per_node is the world's size; TensorFlow's parameter servers come after its workers.
    """

    kind: str
    nodes: int = 1
    processes_per_node: int = 1
    processes: int = 1
    backend: str = ""
    workers: int = 0
    parameter_servers: int = 0


@dataclass(frozen=True)
class ScriptSpec:
    """A checked definition. `raw` is what was submitted, kept unchanged with the run."""

    script: str
    command: str | list[str]
    arguments: list[str]
    target: str
    environment: dict[str, Any]
    environment_variables: dict[str, str]
    max_run_duration_seconds: int
    node_count: int
    priority: int | None
    use_docker: bool | None
    shm_size: str
    max_retries: int
    distribution: Distribution | None
    raw: dict[str, Any] = field(repr=False)


def _whole(value: Any, name: str, low: int, high: int, default: int) -> int:
    if value is None or value == "":
        return default
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise Invalid(f"{name} is a whole number from {low} to {high}.", name)
    try:
        number = int(value)
    except ValueError:
        number = low - 1
    if not low <= number <= high:
        raise Invalid(f"{name} is {value!r}; it must be a whole number from {low} to {high}.", name)
    return number


def _text(value: Any, name: str, limit: int) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > limit or "\x00" in value:
        raise Invalid(f"{name} must be a text of at most {limit:,} characters.", name)
    return value


def _dict(value: Any, name: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise Invalid(f"{name} must be an object with text keys.", name)
    return value


def _arguments(value: Any) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > 10_000:
        raise Invalid("arguments must be a list of at most 10,000 texts.", "arguments")
    if any(isinstance(item, (dict, list)) or "\x00" in str(item) for item in value):
        raise Invalid("arguments must be texts or numbers; an object or a NUL character can't be passed.", "arguments")
    return [str(item) for item in value]


def _distribution(raw: dict[str, Any], nodes: int) -> Distribution | None:
    framework = str(raw.get("framework") or "Python").lower()
    communicator = str(raw.get("communicator") or "None")
    if communicator not in COMMUNICATORS:
        raise Invalid(f"communicator is {communicator!r}; it is one of {', '.join(COMMUNICATORS)}.", "communicator")
    if communicator in ("OpenMpi", "IntelMpi", "Mpi"):
        per_node = _whole(
            _dict(raw.get("mpi"), "mpi").get("processCountPerNode"), "mpi.processCountPerNode", 1, MAX_PROCESSES, 1
        )
        return Distribution("mpi", nodes, per_node, nodes * per_node)
    if framework == "tensorflow" and communicator == "ParameterServer":
        tf = _dict(raw.get("tensorflow"), "tensorflow")
        workers = _whole(tf.get("workerCount"), "tensorflow.workerCount", 1, MAX_NODES, 1)
        servers = _whole(tf.get("parameterServerCount"), "tensorflow.parameterServerCount", 0, MAX_NODES, 0)
        return Distribution("tensorflow", workers + servers, 1, workers + servers, "", workers, servers)
    if communicator in ("Nccl", "Gloo"):
        section = _dict(raw.get("pyTorch"), "pyTorch")
        total = _whole(section.get("processCount"), "pyTorch.processCount", 1, MAX_PROCESSES, nodes)
        if total % nodes:
            raise Invalid(
                f"process_count is {total} on {nodes} nodes; it must be a multiple of the nodes, so that each has as many.",
                "pyTorch.processCount",
            )
        return Distribution("pytorch", nodes, total // nodes, total, communicator.lower())
    return None


def check(raw: Any, files: set[str] | None = None) -> ScriptSpec:
    """The specification, or Invalid naming the key at fault.

    `files` are the snapshot's paths when it is known: a script that is not among them is refused here and not after
    an image was built.
    """
    raw = _dict(raw, "definition")
    script = _text(raw.get("script"), "script", 5000).replace("\\", "/")
    command = raw.get("command") or ""
    if isinstance(command, list):
        command = _arguments(command)
    else:
        command = _text(command, "command", 100_000)
    if not script and not command:
        raise Invalid("A script run needs a script or a command; this one has neither.", "script")
    if script and files is not None and script.removeprefix("./") not in files:
        raise Invalid(
            f"There is no {script!r} in the submitted folder; the path is relative to source_directory, and ignore files may leave it out.",
            "script",
        )
    nodes = _whole(raw.get("nodeCount"), "nodeCount", 1, MAX_NODES, 1)
    docker = _dict(raw.get("docker"), "docker")
    variables = {
        k: _text(str(v), f"environmentVariables.{k}", 32_768)
        for k, v in _dict(raw.get("environmentVariables"), "environmentVariables").items()
    }
    for name in variables:
        if not name or "=" in name or "\x00" in name:
            raise Invalid(f"{name!r} can't name an environment variable.", "environmentVariables")
    distribution = _distribution(raw, nodes)
    priority = raw.get("priority")
    return ScriptSpec(
        script=script,
        command=command,
        arguments=_arguments(raw.get("arguments")),
        target=_text(raw.get("target"), "target", 255) or "local",
        environment=_dict(raw.get("environment"), "environment"),
        environment_variables=variables,
        max_run_duration_seconds=_whole(
            raw.get("maxRunDurationSeconds"), "maxRunDurationSeconds", 1, MAX_DURATION, MAX_DURATION
        ),
        node_count=distribution.nodes if distribution else nodes,
        priority=None if priority is None else _whole(priority, "priority", 0, 1_000_000, 0),
        use_docker=docker.get("useDocker") if isinstance(docker.get("useDocker"), bool) else None,
        shm_size=_text(docker.get("shmSize"), "docker.shmSize", 20) or "2g",
        max_retries=_whole(raw.get("maxRetries"), "maxRetries", 0, 10, 0),
        distribution=distribution,
        raw=raw,
    )
