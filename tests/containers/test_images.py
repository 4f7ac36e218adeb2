"""The door to Docker, on a real engine: images."""

from __future__ import annotations

import threading
import uuid
from pathlib import Path

import pytest
from django.conf import settings

from studio.containers import client, containers, images
from studio.errors import Invalid, NotFound, Unavailable

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("docker")]


@pytest.fixture
def tag():
    name = f"atelier-test/{uuid.uuid4().hex[:12]}:one"
    yield name
    images.remove(name, force=True)


def recipe(folder: Path, *lines: str) -> Path:
    (folder / "Dockerfile").write_text("\n".join([f"FROM {settings.BASE_IMAGE}", *lines]) + "\n")
    return folder


def everything() -> tuple[set[str], set[str]]:
    """All images, the steps' own included, and all containers."""
    api = client.api()
    return {image["Id"] for image in api.images(all=True)}, {c["Id"] for c in api.containers(all=True)}


def test_a_recipe_becomes_a_tagged_image_and_its_output_is_followed(tmp_path, tag):
    said: list[bytes] = []
    word = uuid.uuid4().hex
    made = images.build(
        recipe(tmp_path, f"RUN printf 'one\\ntwo {word}\\n'", "ENV COLOUR=blue"),
        tag,
        {"atelier.test": word},
        said.append,
        lambda: False,
    )
    image = images.inspect(tag)
    assert image.id == made and tag in image.tags and image.labels["atelier.test"] == word
    assert "COLOUR=blue" in image.environment and image.size > 0
    assert f"one\ntwo {word}\n".encode() in b"".join(said)
    assert [found.id for found in images.list_images({"atelier.test": word})] == [made]
    images.tag(tag, tag.replace(":one", ":two"))
    assert images.exists(tag.replace(":one", ":two"))
    assert images.remove(tag.replace(":one", ":two")) and images.remove(tag)
    assert not images.exists(tag) and images.remove(tag) is False


def test_of_two_builds_of_a_shared_stage_the_first_keeps_the_name_and_the_other_leaves_nothing(tmp_path, tag):
    def build(use_cache: bool) -> str:
        steps = recipe(tmp_path, "RUN date +%N > /made")
        return images.build(steps, tag, {}, lambda said: None, lambda: False, use_cache=use_cache, keep_first=True)

    first = build(True)
    after_the_first = everything()
    # Without the cache it is as if both had begun when neither was there.
    assert build(False) == first == images.inspect(tag).id and everything() == after_the_first


def test_a_recipe_that_fails_says_at_which_step_and_leaves_nothing(tmp_path, tag):
    before = everything()
    with pytest.raises(images.BuildFailed) as failed:
        images.build(
            recipe(tmp_path, f"RUN echo {uuid.uuid4().hex} > /a", "RUN echo no-such-package >&2; exit 7"),
            tag, {}, lambda data: None, lambda: False,
        )  # fmt: skip
    assert (
        "exit 7" in failed.value.step
        and "no-such-package" in failed.value.output
        and "returned a non-zero code: 7" in str(failed.value)
    )
    assert everything() == before and not images.exists(tag)


def test_a_recipe_that_does_not_parse_is_refused_in_a_sentence(tmp_path, tag):
    with pytest.raises(Invalid, match=r"(?i)unknown instruction"):
        images.build(recipe(tmp_path, "RUUN true"), tag, {}, lambda data: None, lambda: False)


def test_an_image_that_does_not_exist_is_named(tmp_path, tag):
    (tmp_path / "Dockerfile").write_text("FROM localhost:9/no/such-image:1\n")
    with pytest.raises(Invalid, match="localhost:9/no/such-image"):
        images.build(tmp_path, tag, {}, lambda data: None, lambda: False)
    with pytest.raises(NotFound, match="no/such-image"):
        images.inspect("no/such-image:1")


def test_a_silent_build_stops_when_nobody_wants_it_and_leaves_nothing(tmp_path, tag):
    before = everything()
    running = threading.Event()

    def log(data: bytes) -> None:
        if b"begun" in data:
            running.set()

    with pytest.raises(images.BuildCancelled):
        images.build(
            recipe(tmp_path, f"RUN echo {uuid.uuid4().hex}", "RUN echo begun; sleep 600"), tag, {}, log, running.is_set
        )
    deadline = threading.Event()
    for _ in range(100):  # the engine ends the step's container after it has let us go
        if everything() == before:
            break
        deadline.wait(0.1)
    assert everything() == before


def test_an_engine_that_is_not_there_is_said_with_what_to_do(tmp_path):
    away = f"unix://{tmp_path}/nobody.sock"
    assert client.answers(away) is False and client.answers() is True
    with pytest.raises(Unavailable, match=r"nobody\.sock does not answer"):
        images.exists("x", engine=away)
    with pytest.raises(Unavailable, match=r"nobody\.sock does not answer"):
        containers.inspect("x", engine=away)
