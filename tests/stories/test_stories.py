"""Scripts as users of the v1 SDK write them, run as their own processes against a live server.

The project's own are in this folder; ATELIER_STORIES (default: ../shared/stories beside the checkout) may hold more.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.stack import Stack, answer_of
from tests.stories import left

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent
GIVEN = Path(os.environ.get("ATELIER_STORIES") or ROOT.parent / "shared" / "stories").resolve()
DATA = Path(os.environ.get("ATELIER_TEST_DATA") or ROOT.parent / "shared" / "data").resolve()


def stories() -> list:
    """Every story that is there, by its name; a folder's story is its submit.py."""
    found = [(f"own-{file.stem}", file) for file in sorted((HERE / "scripts").glob("*.py"))]
    for name in ("interactive.py", "submit/submit.py", "explain.py", "fairness.py"):
        if (GIVEN / name).exists():
            found.append((Path(name).stem, GIVEN / name))
    # A run's way from submit to its end is shown on both databases; the studies of finished runs once.
    both = ("interactive", "submit")
    return [pytest.param(file, id=name, marks=() if name in both else pytest.mark.once) for name, file in found]


@pytest.mark.xdist_group("stack")
@pytest.mark.timeout(400)
@pytest.mark.parametrize("script", stories())
def test_a_users_script_runs_unchanged(script: Path, stack: Stack, tmp_path: Path):
    done = stack.run_script(
        script, folder=tmp_path, seconds=380, STORY_DATA=str(DATA), STORY_COMPUTE="local", STORY_PASSWORD=stack.password
    )
    assert done.returncode == 0 and "story: ok" in done.stdout, answer_of(done) + stack.log("worker")


@pytest.mark.community
@pytest.mark.once
@pytest.mark.xdist_group("stack")
def test_explanations_of_interpret_community_itself_come_back_equal(stack: Stack, tmp_path: Path):
    found = os.pathsep.join((str(ROOT / "sdk"), os.environ["ATELIER_COMMUNITY"]))
    script = HERE / "scripts" / "explain.py"
    more = {"STORY_DATA": str(DATA), "STORY_PASSWORD": stack.password, "PYTHONPATH": found}
    done = stack.run_script(script, folder=tmp_path, **more)
    assert done.returncode == 0 and "story: ok" in done.stdout, answer_of(done)


@pytest.mark.docker
@pytest.mark.timeout(600)
def test_what_if_is_answered_by_a_container_of_a_cluster(stack: Stack, tmp_path: Path):
    with left.nothing_of("what-if-cluster"):
        done = stack.run_script(
            HERE / "scripts" / "what_if.py",
            folder=tmp_path,
            seconds=500,
            STORY_PASSWORD=stack.password,
            STORY_IMAGE=os.environ["ATELIER_BASE_IMAGE"],
        )
        assert done.returncode == 0 and "story: ok" in done.stdout, answer_of(done) + stack.log("worker")


if (GIVEN / "environments.py").exists():

    @pytest.mark.docker
    @pytest.mark.timeout(400)
    def test_environments_of_every_kind_are_built_once_on_a_cluster_that_comes_and_goes(stack: Stack, tmp_path: Path):
        with left.images_of_its_own(), left.nothing_of("story-cluster"):
            done = stack.run_script(GIVEN / "environments.py", folder=tmp_path, seconds=380)
            assert done.returncode == 0 and "story: ok" in done.stdout, answer_of(done) + stack.log("worker")
