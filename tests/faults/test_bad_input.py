"""What people hand in wrong: the page says what and what to do, the run has Failed, and nothing stays behind."""

from __future__ import annotations

import pytest

from atelier.errors import InvalidRequest
from tests.faults.watched import Watched

pytestmark = [pytest.mark.docker, pytest.mark.registry, pytest.mark.timeout(300)]


def conda(*dependencies: object) -> dict[str, object]:
    """A Python of its own, with these conda packages."""
    specification = {"name": "project_environment", "dependencies": list(dependencies)}
    return {"userManagedDependencies": False, "interpreterPath": "python", "condaDependencies": specification}


def test_each_mistake_is_named_on_the_runs_page(live: Watched):
    """All are submitted before the first is waited for."""
    nowhere = "127.0.0.1:1/nowhere/none:1"
    none = "no-such-package-of-this-name"
    mistakes = [
        (live.job("", docker={"baseImage": nowhere}), "EnvironmentFailed", f"The base image {nowhere} can't be fetched"),
        (live.job("", python=conda("python=3.11", {"pip": [f"{none}==1"]})), "EnvironmentFailed", none),
        (live.job("", python=conda("python=3.11", "greeting=7.0")), "EnvironmentFailed", "greeting 7.0"),
        (live.job("", python=conda("python=3.8")), "EnvironmentFailed", "Python 3.8 can't be had from this site's conda channels; there is 3.11.0."),
        (live.dockerfile("RUN echo no-such-thing && exit 9"), "EnvironmentFailed", "exit 9"),
        (live.dockerfile("RUNN echo typo"), "EnvironmentFailed", "RUNN"),
        (live.job("", script="", command=["python3", "missing.py"]), "ExitCode", "missing.py"),
    ]  # fmt: skip
    for run_id, code, sentence in mistakes:
        live.fails(run_id, code, sentence)
    assert "no-such-thing" in live.file_of(mistakes[4][0], "build")


def test_a_script_that_is_not_there_is_refused_before_there_is_a_run(live: Watched):
    with pytest.raises(InvalidRequest, match=r"There is no 'missing\.py' in the submitted folder"):
        live.job("", script="missing.py")
