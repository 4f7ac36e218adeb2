"""Environments and run configurations: from Python objects to the runDefinition that is submitted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from atelier.errors import UnsupportedError, UserError
from atelier.submission import check_script, script_run_id
from azureml.core import Environment, RunConfiguration, ScriptRunConfig
from azureml.core.conda_dependencies import CondaDependencies
from azureml.core.environment import DEFAULT_GPU_IMAGE, SparkPackage
from azureml.core.runconfig import (
    DEFAULT_CPU_IMAGE,
    DockerConfiguration,
    MpiConfiguration,
    PyTorchConfiguration,
    TensorflowConfiguration,
)
from runs.kinds.script import spec


def checked(config: ScriptRunConfig) -> spec.ScriptSpec:
    """The definition as the server's own check reads it."""
    return spec.check(config.run_config.to_definition())


def test_an_environment_survives_the_way_to_the_server_and_back():
    made = Environment("training")
    made.python.conda_dependencies = CondaDependencies.create(pip_packages=["scikit-learn"])
    made.environment_variables = {"STAGE": "test"}
    made.docker.base_image_registry.address = "registry.example.org"
    made.docker.base_image = "team/base:2"
    back = Environment.from_definition(made.to_definition())
    assert back.to_definition() == made.to_definition()


@pytest.mark.parametrize("image", [DEFAULT_CPU_IMAGE, DEFAULT_GPU_IMAGE, None, ""])
def test_the_default_images_of_v1_mean_the_sites_own_image(image: str | None):
    made = Environment("x")
    made.docker.base_image = image
    assert made.to_definition()["docker"]["baseImage"] is None


def test_an_image_and_a_dockerfile_together_are_refused():
    made = Environment.from_dockerfile("x", "FROM scratch")
    assert made.to_definition()["docker"]["baseDockerfile"] == "FROM scratch"
    made.docker.base_image = "other"
    with pytest.raises(UserError, match="set one of them to None"):
        made.to_definition()


def test_a_dockerfile_is_a_path_or_a_text(tmp_path: Path):
    file = tmp_path / "Dockerfile"
    file.write_text("FROM base\nRUN true\n")
    for given in (file, str(file), "FROM base\nRUN true\n"):
        definition = Environment.from_dockerfile("x", given).to_definition()
        assert definition["docker"]["baseDockerfile"] == "FROM base\nRUN true\n"
        assert definition["python"]["userManagedDependencies"] is True
    with pytest.raises(UserError, match=r"Dockerfile\.missing"):
        Environment.from_dockerfile("x", "Dockerfile.missing")


def test_environments_are_made_from_files(tmp_path: Path):
    (tmp_path / "env.yml").write_text("dependencies:\n- python=3.11\n- pip:\n  - numpy\n")
    (tmp_path / "requirements.txt").write_text("--extra-index-url https://example.org\npandas\n")
    conda = Environment.from_conda_specification(name="c", file_path=str(tmp_path / "env.yml"))
    pip = Environment.from_pip_requirements("p", tmp_path / "requirements.txt")
    image = Environment.from_docker_image("i", "team/base", pip_requirements=tmp_path / "requirements.txt")
    assert conda.to_definition()["python"]["condaDependencies"]["dependencies"] == [
        "python=3.11",
        "pip",
        {"pip": ["numpy"]},
    ]
    assert list(pip.python.conda_dependencies.pip_packages) == ["pandas"]
    assert image.docker.base_image == "team/base" and not image.python.user_managed_dependencies


def test_an_environment_is_kept_in_a_folder_and_may_be_edited_there(tmp_path: Path):
    made = Environment.from_dockerfile("x", "FROM a\nRUN b")
    made.python.user_managed_dependencies = False
    made.python.conda_dependencies = CondaDependencies.create(pip_packages=["numpy"])
    made.save_to_directory(tmp_path / "env")
    with pytest.raises(UserError, match="overwrite=True"):
        made.save_to_directory(tmp_path / "env")
    assert Environment.load_from_directory(tmp_path / "env").to_definition() == made.to_definition()
    file = tmp_path / "env" / "conda_dependencies.yml"
    file.write_text(file.read_text().replace("numpy", "pandas"))
    assert list(Environment.load_from_directory(tmp_path / "env").python.conda_dependencies.pip_packages) == ["pandas"]


def test_a_clone_is_its_own_environment():
    made = Environment("a")
    made.version = "3"
    copy = made.clone("b")
    copy.python.conda_dependencies.add_pip_package("numpy")
    assert (copy.name, copy.version) == ("b", None)
    assert "numpy" not in list(made.python.conda_dependencies.pip_packages)


def test_a_registrys_password_is_not_printed():
    made = Environment("x")
    made.docker.base_image_registry.password = "hunter2"
    assert "hunter2" not in repr(made) and "hunter2" not in repr(made.docker)
    assert made.to_definition()["docker"]["baseImageRegistry"]["password"] == "hunter2"


def test_a_misspelt_setting_is_told_and_spark_packages_are_refused():
    made = Environment("x")
    with pytest.raises(AttributeError, match="user_managed_dependencies"):
        made.python.user_manged_dependencies = True
    made.spark.packages = [SparkPackage("g", "a", "1")]
    with pytest.raises(UnsupportedError, match="Spark"):
        made.to_definition()


def test_the_servers_check_accepts_what_script_run_config_makes():
    config = ScriptRunConfig(
        source_directory="src",
        script="train.py",
        arguments=["--rate", 0.1, "--n", np.int64(3), Path("data")],
        compute_target="cluster",
        environment=Environment("x"),
        max_run_duration_seconds=60,
        docker_runtime_config=DockerConfiguration(use_docker=True, shm_size="1g", arguments=["--ipc=host"]),
    )
    config.run_config.environment_variables = {"A": 1}
    found = checked(config)
    assert (found.script, found.target, found.max_run_duration_seconds) == ("train.py", "cluster", 60)
    assert found.arguments == ["--rate", "0.1", "--n", "3", "data"]
    assert found.environment_variables == {"A": "1"} and found.use_docker is True and found.shm_size == "1g"


@pytest.mark.parametrize(
    ("config", "kind", "nodes", "processes"),
    [
        (MpiConfiguration(process_count_per_node=2, node_count=3), "mpi", 3, 6),
        (PyTorchConfiguration(communication_backend="gloo", process_count=4, node_count=2), "pytorch", 2, 4),
        (PyTorchConfiguration(node_count=2), "pytorch", 2, 2),
        (TensorflowConfiguration(worker_count=2, parameter_server_count=1), "tensorflow", 3, 3),
    ],
)
def test_distributed_configurations_reach_the_server(config: Any, kind: str, nodes: int, processes: int):
    found = checked(ScriptRunConfig(".", "a.py", distributed_job_config=config)).distribution
    assert found is not None and (found.kind, found.nodes, found.processes) == (kind, nodes, processes)


def test_a_command_may_be_a_text_or_a_list():
    assert checked(ScriptRunConfig(".", command="python a.py && echo")).command == "python a.py && echo"
    assert checked(ScriptRunConfig(".", command=["python", "a.py", 1])).command == ["python", "a.py", "1"]


def test_a_run_configuration_is_copied_and_what_is_said_beside_it_goes_first():
    shared = RunConfiguration(framework="python", conda_dependencies=CondaDependencies.create(pip_packages=["numpy"]))
    shared.target = "cluster"
    shared.node_count = 2
    one = ScriptRunConfig(".", script="a.py", run_config=shared)
    two = ScriptRunConfig(".", script="b.py", run_config=shared, compute_target="local")
    one.run_config.environment.python.conda_dependencies.add_pip_package("pandas")
    assert one.run_config.target == "cluster" and two.run_config.target == "local"
    assert list(two.run_config.environment.python.conda_dependencies.pip_packages) == ["numpy"]
    assert checked(two).node_count == 2


def test_a_run_configuration_is_saved_and_loaded(tmp_path: Path):
    config = ScriptRunConfig(".", "a.py", ["x"], distributed_job_config=MpiConfiguration(2, 2)).run_config
    config.save(tmp_path, "mine")
    assert RunConfiguration.load(tmp_path, "mine").to_definition() == config.to_definition()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: ScriptRunConfig(".", "a.py", command="b"), "script or command, not both"),
        (lambda: ScriptRunConfig(".", "a.py", arguments="--a b"), r"\['--a', 'b'\]"),
        (lambda: ScriptRunConfig(".", "a.py", resume_from=object()), "resume_from is not available"),
        (lambda: ScriptRunConfig(".", "a.py", distributed_job_config="mpi"), "MpiConfiguration"),
        (lambda: ScriptRunConfig(".", "a.py", max_run_duration_seconds=0), "max_run_duration_seconds"),
        (lambda: ScriptRunConfig(".", "a.py", [None]).run_config.to_definition(), "None has the type NoneType"),
        (lambda: MpiConfiguration(node_count=0), "node_count"),
        (lambda: PyTorchConfiguration("ring"), "Nccl or Gloo"),
        (lambda: PyTorchConfiguration(process_count=3, node_count=2), "do not spread evenly"),
    ],
)
def test_a_mistake_is_a_sentence_at_once(make: Any, words: str):
    with pytest.raises((UserError, UnsupportedError), match=words):
        make()


def test_data_that_would_be_mounted_is_refused_not_forgotten():
    config = RunConfiguration()
    config.data_references = {"data": object()}
    with pytest.raises(UnsupportedError, match="data_references"):
        config.to_definition()


def test_a_script_that_is_not_there_is_named_with_those_that_are(tmp_path: Path):
    (tmp_path / "train.py").touch()
    with pytest.raises(UserError, match=r"trian\.py.*train\.py"):
        check_script(tmp_path, "trian.py", None)
    with pytest.raises(UserError, match="below the source directory"):
        check_script(tmp_path, "../train.py", None)
    with pytest.raises(UserError, match="script or a command"):
        check_script(tmp_path, None, None)


def test_run_ids_name_the_experiment():
    first, second = script_run_id("diabetes training/1"), script_run_id("x" * 300)
    assert (
        first.startswith("diabetes_training_1_")
        and len(second) == 256
        and first != script_run_id("diabetes training/1")
    )
