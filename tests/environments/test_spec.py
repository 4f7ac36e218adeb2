"""The canonical form of an environment: what is in the image's key and what is not."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.environments import conda, dockerfile, requirements, spec
from studio.errors import Invalid
from tests.environments.builders import definition

NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9]{0,8}([-_.][A-Za-z0-9]{1,5}){0,2}", fullmatch=True).filter(
    lambda name: not requirements.OURS.fullmatch(name) and name.lower() != "python"
)
VERSIONS = st.from_regex(r"[0-9]{1,2}(\.[0-9]{1,2}){0,2}", fullmatch=True)
REQUIREMENTS = st.lists(
    st.tuples(NAMES, VERSIONS), max_size=6, unique_by=lambda one: one[0].lower().replace("_", "-").replace(".", "-")
)


def key(wanted: dict[str, Any], base: str = "sha256:base") -> str:
    return spec.key(spec.read(wanted), base)


@given(packages=REQUIREMENTS, seed=st.integers(), spaces=st.sampled_from(["", " ", "  "]))
def test_order_case_and_spacing_of_requirements_do_not_matter(
    packages: list[tuple[str, str]], seed: int, spaces: str
) -> None:
    plain = [f"{name}=={version}" for name, version in packages]
    other = [f"{name.swapcase().replace('-', '_')}{spaces}=={spaces}{version}  # why" for name, version in packages]
    random.Random(seed).shuffle(other)
    assert key(definition(pip=plain)) == key(definition(pip=other))


@given(packages=REQUIREMENTS.filter(bool), version=VERSIONS)
def test_another_version_of_a_package_is_another_image(packages: list[tuple[str, str]], version: str) -> None:
    name, old = packages[0]
    rest = [f"{other}=={number}" for other, number in packages[1:]]
    same = key(definition(pip=[f"{name}=={old}", *rest])) == key(definition(pip=[f"{name}=={version}", *rest]))
    assert same == (old == version)


@given(
    name=st.text(max_size=20),
    version=st.text(max_size=5),
    variables=st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3),
)
def test_name_version_and_variables_are_not_in_the_key(name: str, version: str, variables: dict[str, str]) -> None:
    wanted = definition(name, pip=["numpy"], version=version, variables=variables)
    assert key(wanted) == key(definition("other", pip=["numpy"]))


@given(text=st.text(max_size=60))
def test_any_text_as_a_requirement_is_read_or_refused_with_a_sentence(text: str) -> None:
    try:
        parsed = requirements.parse([text])
    except Invalid as error:
        assert error.message.endswith(".")
    else:
        assert requirements.parse([*parsed.requirements, *parsed.options]) == requirements.PipList(
            parsed.requirements, parsed.options
        )


@given(text=st.text(max_size=40))
def test_any_text_as_a_conda_dependency_is_read_or_refused_with_a_sentence(text: str) -> None:
    try:
        match = conda.parse_match(text)
    except Invalid as error:
        assert error.message.endswith(".")
    else:
        assert conda.parse_match(str(match)) == match, "the canonical form means the same"


def test_the_base_images_digest_and_the_dockerfile_are_in_the_key() -> None:
    plain = definition(pip=["numpy"])
    own = definition(pip=["numpy"], docker={"baseDockerfile": "FROM x"})
    windows = definition(pip=["numpy"], docker={"baseDockerfile": "FROM x\r\n"})
    assert len({key(plain), key(plain, "sha256:other"), key(own)}) == 3
    assert key(own) == key(windows), "line ends are not a difference"


def test_conda_and_pip_meet_in_one_key_where_no_channel_is_allowed() -> None:
    by_conda = definition(conda=["scikit-learn=1.7.2=py311_0", "numpy>=2,<3"])
    by_pip = definition(pip=["numpy<3,>=2", "scikit_learn==1.7.2"])
    assert key(by_conda) == key(by_pip)
    assert (
        spec.read(by_conda)
        .sentences[1]
        .startswith("conda scikit-learn ==1.7.2 py311_0: taken from PyPI as scikit-learn==1.7.2")
    )


def test_names_of_the_old_sdk_change_nothing() -> None:
    assert key(definition(pip=["azureml-defaults", "azureml-core[x]==1.2", "numpy"])) == key(definition(pip=["numpy"]))


def test_the_derived_image_is_named_as_on_azure() -> None:
    assert (
        spec.image_name(key(definition())).startswith("azureml/azureml_")
        and len(spec.image_name("a" * 64)) == len("azureml/azureml_") + 32
    )


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (definition(pip=["-r other.txt"]), "names a file that is not part of the environment"),
        (definition(pip=["./folder"]), "a path on somebody's disk"),
        (definition(pip=["numpy=>1"]), "is not a pip requirement"),
        (definition(pip=["--trusted-host x"]), "can't be used in an environment"),
        (definition(conda=["numpy=1", "numpy=2"]), "names 'numpy' twice"),
        (definition(conda=["numpy=1.2|1.3"]), "gives alternatives"),
        (definition(docker={"baseImage": "x", "baseDockerfile": "FROM y"}), "not both"),
        ({"spark": {"packages": [{"group": "x"}]}}, "Spark packages"),
        ({"python": {"baseCondaEnvironment": "py38"}}, "base_conda_environment"),
    ],
)
def test_what_cannot_be_built_is_refused_with_a_sentence(wanted: dict[str, Any], said: str) -> None:
    with pytest.raises(Invalid, match=said):
        spec.read(wanted)


def test_base_images_of_a_dockerfile_are_found_without_its_own_stages() -> None:
    text = "ARG V=1\nFROM --platform=linux/amd64 debian:12 AS one\nRUN echo FROM x\nfrom one as two\nFROM scratch\nFROM $BASE\nFROM registry:5000/a/b:1\n"
    assert dockerfile.base_images(text) == ["debian:12", "registry:5000/a/b:1"]


def test_certificates_are_put_after_each_from_and_not_into_continued_lines() -> None:
    recipe = dockerfile.users_own("FROM a \\\n  AS x\nRUN echo \\\nFROM b\nFROM c", b"pem")
    lines = recipe.dockerfile.splitlines()
    assert [line for line in lines if line.startswith("COPY atelier-site.pem")] == [
        "COPY atelier-site.pem /opt/atelier/site.pem"
    ] * 2
    assert lines.index("RUN echo \\") + 1 == lines.index("FROM b"), "an argument that looks like FROM stays an argument"
