"""What people get wrong, and what they are told: each sentence names the thing and the next step."""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from atelier import spool
from atelier.errors import AtelierError, AuthenticationError, ConfigurationError, UserError
from azureml.core import ComputeTarget, Environment, Experiment, Model, Run, ScriptRunConfig, Workspace
from tests.sdk.conftest import Line
from tests.stack import Stack, wait_for

pytestmark = [pytest.mark.xdist_group("stack"), pytest.mark.timeout(120)]


def script(**settings: Any) -> ScriptRunConfig:
    return ScriptRunConfig("src", script="train.py", **settings)


#: what is done -> what the sentence must hold. `e` is an experiment, `r` a running run, `ws` their workspace.
MISTAKES: dict[str, tuple[Callable[[Experiment, Run], Any], str]] = {
    "swapped arguments": (lambda e, r: Experiment("name", e.workspace), r"Experiment\(workspace, name\)"),
    "no workspace": (lambda e, r: Experiment(None, "x"), r"Workspace\.from_config"),
    "experiment with a slash": (lambda e, r: Experiment(e.workspace, "a/b").start_logging(), "no slash"),
    "another workspace": (lambda e, r: Workspace.get("nowhere", auth=e.workspace.client), r"Workspace\.list\(\)"),
    "no name of a run": (lambda e, r: e.workspace.get_run(None), "text, not None"),
    "unknown run": (lambda e, r: Run(e, "no-such-run"), "no run 'no-such-run'"),
    "run of another experiment": (lambda e, r: Run(e.sibling("other"), r.id), "belongs to the experiment"),
    "metric without a name": (lambda e, r: r.log("", 1), "needs a name"),
    "metric of a wrong type": (lambda e, r: r.log("a", {"x": 1}), "type dict; .* log_list"),
    "complex number": (lambda e, r: r.log("a", 1j), "type complex"),
    "uneven table": (lambda e, r: r.log_table("t", {"a": [1, 2], "b": [1]}), "different lengths"),
    "image that is not there": (lambda e, r: r.log_image("i", "none.png"), "'none.png' cannot be read"),
    "other kind of a name": (lambda e, r: (r.log("k", 1), r.log_row("k", a=1), r.flush()), "use another name"),
    "text as a metric": (lambda e, r: (r.log("words", "x" * 999), r.flush()), "limit is 255.*upload_file"),
    "upload of a missing file": (lambda e, r: r.upload_file("a", "missing.txt"), "no file 'missing.txt'"),
    "upload of a folder as a file": (lambda e, r: r.upload_file("a", "src"), "upload_folder"),
    "download of a missing file": (lambda e, r: r.download_file("outputs/none"), r"get_file_names\(\)"),
    "too many tags": (lambda e, r: r.set_tags({f"k{n}": n for n in range(60)}), "60 is more than the limit of 50"),
    "tags in a list": (lambda e, r: r.set_tags(["a"]), r"\{'colour': 'blue'\}"),
    "tags of a submitted run": (lambda e, r: e.submit(script(), tags="a"), "dictionary"),
    "changed property": (lambda e, r: (r.add_properties({"p": 1}), r.add_properties({"p": 2})), "Use a tag"),
    "properties in a list": (lambda e, r: r.add_properties(["p"]), "dictionary"),
    "model of a missing file": (lambda e, r: r.register_model("m", "outputs/none"), "no file or folder"),
    "model of a missing path": (lambda e, r: Model.register(e.workspace, "none.pkl", "m"), "'none.pkl' to register"),
    "unknown model": (lambda e, r: Model(e.workspace, "none"), r"Model\.list\(ws\)"),
    "no snapshot": (lambda e, r: r.restore_snapshot(), "take_snapshot"),
    "misspelt script": (lambda e, r: e.submit(ScriptRunConfig("src", script="trian.py")), "There are train.py"),
    "misspelt folder": (lambda e, r: e.submit(ScriptRunConfig("sorc", script="train.py")), "'sorc' does not exist"),
    "arguments in one text": (lambda e, r: script(arguments="--a 1"), r"\['--a', '1'\]"),
    "argument that is no text": (lambda e, r: e.submit(script(arguments=[object()])), "type object"),
    "unknown compute": (lambda e, r: e.submit(script(compute_target="gpu")), "no compute target 'gpu'"),
    "compute of a wrong type": (lambda e, r: script(compute_target=3), r"ws\.compute_targets"),
    "environment by its name": (lambda e, r: script(environment="AzureML-Minimal"), r"Environment\.get\(ws, name\)"),
    "unknown environment": (lambda e, r: Environment.get(e.workspace, "none"), r"Environment\.list\(ws\)"),
    "unknown target": (lambda e, r: ComputeTarget(e.workspace, "none"), "none not found"),
    "duration in words": (lambda e, r: script(max_run_duration_seconds="1h"), "whole number"),
}


@pytest.fixture
def run(experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A running run, in a folder with a script to submit."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "train.py").write_text("print(1)")
    started = experiment.start_logging()
    yield started
    started.cancel()


def test_each_mistake_is_answered_with_a_sentence_to_act_on(experiment: Experiment, run: Run):
    for what, (do, wanted) in MISTAKES.items():
        with pytest.raises(AtelierError) as told:
            do(experiment, run)
        assert re.search(wanted, told.value.message, re.S), f"{what}: {told.value.message}"
    assert run.get_status() == "Running" and not run.get_tags(), "nothing was written by what was refused"


def test_a_run_is_not_found_from_another_workspace(stack: Stack, ws: Workspace, run: Run):
    other = Workspace.create(f"w{uuid.uuid4().hex[:8]}", auth=ws.client)
    with pytest.raises(UserError, match=f"{run.id} is not in the workspace {other.name}"):
        other.get_run(run.id)


def test_an_end_is_said_once_and_not_changed(experiment: Experiment):
    run = experiment.start_logging()
    run.complete()
    run.complete()
    with pytest.raises(UserError, match="ended as Completed before"):
        run.fail("too late")
    with pytest.raises(UserError, match="Completed already"):
        run.cancel()
    assert run.get_status() == "Completed"


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("127.0.0.1:8000", "begins with http:// or https://, as in http://127.0.0.1:8000"),
        ("http://127.0.0.1:9", "cannot be reached.*Is it running"),
        ("{url}/no/such/place", "no Atelier API at .*the address of the server itself"),
        ("https://{host}", "seems to speak http, not https: try http://{host}"),
    ],
)
def test_an_address_that_is_none_of_a_server_is_told_at_once(
    stack: Stack, signed_in: Path, monkeypatch: pytest.MonkeyPatch, url: str, wanted: str
):
    host = stack.url.partition("://")[2]
    monkeypatch.setenv("ATELIER_URL", url.format(url=stack.url, host=host))
    with pytest.raises(AtelierError, match=wanted.format(host=host)):
        Workspace.from_config()


def test_the_address_of_a_page_is_as_good_as_that_of_the_server(
    stack: Stack, signed_in: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("ATELIER_URL", f"{stack.url}/w/{stack.workspace}/runs/")
    assert Workspace.from_config().client.url == stack.url


def test_without_a_server_or_a_token_people_are_told_what_to_run(
    stack: Stack, signed_in: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("ATELIER_TOKEN", "atp_wrong")
    with pytest.raises(AuthenticationError, match="page Tokens and run: atelier login"):
        Workspace.from_config()
    monkeypatch.delenv("ATELIER_TOKEN")
    with pytest.raises(ConfigurationError, match=f"atelier login --url {stack.url}"):
        Workspace.from_config()
    monkeypatch.delenv("ATELIER_URL")
    with pytest.raises(ConfigurationError, match="Run `atelier login`"):
        Workspace.from_config()


def is_refused(run: Run) -> bool:
    try:
        run.get_tags()
    except AuthenticationError:
        return True
    return False


def test_a_token_that_is_revoked_in_mid_run_loses_no_point(
    stack: Stack, signed_in: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    name = f"p{uuid.uuid4().hex[:8]}"
    monkeypatch.setenv("ATELIER_TOKEN", stack.person(name, "contributor"))
    run = Experiment(Workspace.from_config(), "revoked").start_logging()
    run.log("loss", 1)
    run.flush()
    stack.manage(
        "shell", "--no-imports", "-c",
        "from django.utils import timezone; from studio.workspace.models import Token;"
        f"Token.objects.filter(user__username={name!r}).update(revoked_at=timezone.now())",
    )  # fmt: skip
    wait_for(lambda: is_refused(run), 30, "the token is refused (a process knows a token for some seconds)")
    run.log("loss", 2)
    run.log("loss", 3)
    with pytest.raises(UserError, match=r"was revoked\. .*kept in .*`atelier spool` delivers them"):
        run.flush(timeout_seconds=60)
    assert "was revoked" in capsys.readouterr().err
    monkeypatch.setenv("ATELIER_TOKEN", stack.token)
    again = Workspace.from_config()
    assert spool.deliver(again.client, os.environ["ATELIER_SPOOL_DIR"]) >= 1
    found = again.get_run(run.id)
    assert found.get_metrics("loss") == {"loss": [1, 2, 3]}
    found.complete()


def test_a_server_that_goes_away_in_mid_run_is_said_with_the_place_of_the_points(run: Run, line: Line, tmp_path: Path):
    line.cut = True
    run.log("loss", 1)
    with pytest.raises(AtelierError, match=r"has not been reached within 1 s; .*`atelier spool` delivers them"):
        run.flush(timeout_seconds=1)
    line.cut = False
    run.flush()
    assert run.get_metrics() == {"loss": 1}
