"""Conda specifications and requirements files: made, changed, read and written."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from atelier.environment import requirements
from atelier.environment.conda import package_name
from atelier.errors import ConfigurationError, UserError
from azureml.core.conda_dependencies import CondaDependencies

NAME = st.from_regex(r"[a-zA-Z][a-zA-Z0-9_-]{0,10}", fullmatch=True)
VERSION = st.sampled_from(["", "==1.0", ">=2", "~=1.4.2", "==2.0; python_version>'3.8'"])


def test_create_takes_every_argument_of_v1():
    made = CondaDependencies.create(
        pip_indexurl="https://example.org/simple",
        pip_packages=["azureml-defaults", "joblib==1.4"],
        conda_packages=["numpy", "pip"],
        python_version="3.11",
        pin_sdk_version=False,
    )
    content = yaml.safe_load(made.serialize_to_string())
    assert content["dependencies"] == [
        "python=3.11",
        "numpy",
        "pip",
        {"pip": ["--index-url https://example.org/simple", "azureml-defaults", "joblib==1.4"]},
    ]
    assert made.get_python_version() == "3.11"


def test_without_packages_the_sdk_is_what_pip_installs():
    assert list(CondaDependencies.create().pip_packages) == ["azureml-defaults"]


def test_one_text_in_place_of_a_list_is_told():
    with pytest.raises(UserError, match=r"pip_packages=\['numpy'\]"):
        CondaDependencies.create(pip_packages="numpy")


def test_a_package_replaces_the_one_of_its_name_and_goes_by_its_name():
    made = CondaDependencies.create(pip_packages=["Scikit_Learn==1.0"], conda_packages=["numpy=1"])
    made.add_pip_package("scikit-learn==1.7.2")
    made.add_conda_package("numpy=2")
    made.add_conda_package("pandas")
    made.remove_conda_package("pandas")
    assert list(made.pip_packages) == ["scikit-learn==1.7.2"] and list(made.conda_packages) == ["numpy=2"]
    made.remove_pip_package("scikit-learn")
    assert list(made.pip_packages) == []


def test_channels_options_and_python_are_set_and_unset():
    made = CondaDependencies()
    made.add_channel("pytorch")
    made.remove_channel("anaconda")
    made.set_pip_option("--extra-index-url https://example.org/extra")
    made.set_pip_requirements(["a", "--pre", "b # because"])
    made.remove_pip_option("--pre")
    made.set_python_version("3.10")
    made.set_python_version("3.11.4")
    made.add_tensorflow_conda_package(version="2.1")
    assert list(made.conda_channels) == ["conda-forge", "pytorch"]
    assert list(made.pip_packages) == ["a", "b"] and list(made.pip_options) == []
    assert list(made.conda_packages) == ["python=3.11.4", "tensorflow=2.1"]
    with pytest.raises(UserError, match="not a version"):
        made.set_python_version("three")


@settings(max_examples=40, deadline=None)
@given(
    pip=st.lists(st.builds(str.__add__, NAME, VERSION), max_size=5, unique_by=package_name),
    conda=st.lists(NAME, max_size=4, unique_by=package_name),
    channels=st.lists(NAME, max_size=3, unique=True),
)
def test_what_is_written_is_read_back(tmp_path_factory, pip: list[str], conda: list[str], channels: list[str]):
    made = CondaDependencies.create(pip_packages=pip or ["x"], conda_packages=conda)
    for channel in channels:
        made.add_channel(channel)
    folder = tmp_path_factory.mktemp("conda")
    name = made.save_to_file(base_directory=folder, conda_file_path="sub/env.yml")
    assert name == "sub/env.yml"
    assert CondaDependencies(conda_dependencies_file_path=folder / name).as_dict() == made.as_dict()


def test_a_files_pip_section_may_name_a_requirements_file(tmp_path: Path):
    (tmp_path / "more.txt").write_text("joblib\n# why\n-r even/more.txt\n")
    (tmp_path / "even").mkdir()
    (tmp_path / "even" / "more.txt").write_text("pandas>=2 \\\n  ,<4  # two lines\n")
    (tmp_path / "env.yml").write_text("dependencies:\n- python=3.11\n- pip:\n  - -r more.txt\n  - numpy\n")
    made = CondaDependencies(tmp_path / "env.yml")
    assert list(made.pip_packages) == ["joblib", "pandas>=2    ,<4", "numpy"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- a\n- b\n", "not a conda specification"),
        ("dependencies: a\n", "must be a list"),
        ("dependencies:\n- {apt: [x]}\n", "neither a conda package"),
        ("dependencies: [unclosed\n", "cannot be read as YAML"),
    ],
)
def test_a_file_that_is_no_specification_is_told(text: str, words: str, tmp_path: Path):
    (tmp_path / "env.yml").write_text(text)
    with pytest.raises(ConfigurationError, match=words):
        CondaDependencies(tmp_path / "env.yml")


@pytest.mark.parametrize("line", ["-e .", "./wheel.whl", "-c constraints.txt", "file:///a.whl", "--editable=src"])
def test_what_refers_to_this_machine_is_refused_by_name(line: str, tmp_path: Path):
    (tmp_path / "requirements.txt").write_text(f"numpy\n{line}\n")
    with pytest.raises(UserError, match="this machine's files"):
        requirements.read(tmp_path / "requirements.txt")


def test_requirements_that_include_each_other_are_told(tmp_path: Path):
    (tmp_path / "a.txt").write_text("-r b.txt\n")
    (tmp_path / "b.txt").write_text("-r a.txt\n")
    with pytest.raises(UserError, match="includes itself"):
        requirements.read(tmp_path / "a.txt")


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(UserError, match=r"gone\.yml"):
        CondaDependencies(tmp_path / "gone.yml")
    with pytest.raises(UserError, match=r"gone\.txt"):
        requirements.read(tmp_path / "gone.txt")
