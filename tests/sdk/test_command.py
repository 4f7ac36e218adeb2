"""The command `atelier`, as people type it."""

from __future__ import annotations

import json
import stat
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from atelier import spool
from atelier.cli import main
from atelier.config import settings_file
from azureml.core import Experiment, Workspace
from tests.stack import Stack

pytestmark = [pytest.mark.xdist_group("stack"), pytest.mark.timeout(180)]
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def atelier(signed_in: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs a command; its exit code, output and errors."""

    def run(*words: str) -> tuple[int, str, str]:
        code = main(list(words))
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture
def run_id(signed_in: Path) -> str:
    """A completed run with a metric, a tag and two files."""
    experiment = Experiment(Workspace.from_config(), "command")
    with experiment.start_logging(display_name="by command", tags={"who": "me"}) as run:
        run.log("loss", 0.5)
        (signed_in / "a.txt").write_text("content")
        run.upload_file("outputs/a.txt", signed_in / "a.txt")
        run.upload_file("outputs/deep/b.txt", signed_in / "a.txt")
    return str(run.id)


def test_login_keeps_the_token_for_its_owner_alone(stack: Stack, atelier: Command, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("ATELIER_URL")
    monkeypatch.delenv("ATELIER_TOKEN")
    code, _, err = atelier("whoami")
    assert code == 1 and "atelier login" in err
    code, out, _ = atelier("login", "--url", stack.url + "/", "--token", stack.token)
    assert code == 0 and "Signed in" in out and "lab" in out and stack.token not in out
    assert stat.S_IMODE(settings_file().stat().st_mode) == 0o600
    code, out, _ = atelier("whoami", "--json")
    assert code == 0 and "lab" in [one["name"] for one in json.loads(out)["workspaces"]]
    assert Workspace.from_config().name == "lab"


def test_a_saved_token_is_not_sent_to_another_server(stack: Stack, atelier: Command, monkeypatch: pytest.MonkeyPatch):
    atelier("login", "--token", stack.token)
    monkeypatch.delenv("ATELIER_TOKEN")
    monkeypatch.setenv("ATELIER_URL", "http://127.0.0.1:9")
    code, _, err = atelier("whoami")
    assert code == 1 and "No token for http://127.0.0.1:9" in err


def test_a_wrong_token_is_not_kept(stack: Stack, atelier: Command):
    code, _, err = atelier("login", "--token", "atp_wrong")
    assert code == 1 and "token" in err.lower() and not settings_file().exists()


def test_runs_are_listed_shown_and_found_by_tag(atelier: Command, run_id: str):
    code, out, _ = atelier("runs", "list", "--experiment", "command", "-m", "loss", "-t", "who=me")
    assert code == 0 and run_id in out and "LOSS" in out and "0.5" in out
    code, out, _ = atelier("--json", "runs", "list", "-e", "command", "-n", "1")
    assert code == 0 and [one["id"] for one in json.loads(out)] == [run_id]
    code, out, _ = atelier("runs", "show", run_id)
    assert code == 0 and "by command" in out and "outputs/deep/b.txt" in out and "who" in out
    code, out, _ = atelier("runs", "show", run_id, "--json")
    assert json.loads(out)["metrics"] == {"loss": 0.5}


def test_files_are_downloaded_whole_or_by_folder(atelier: Command, run_id: str, tmp_path: Path):
    code, out, _ = atelier("runs", "download", run_id, "outputs/deep", "--to", str(tmp_path / "to"))
    assert code == 0 and out.splitlines() == [str(tmp_path / "to" / "outputs" / "deep" / "b.txt")]
    assert (tmp_path / "to" / "outputs" / "deep" / "b.txt").read_text() == "content"
    code, out, _ = atelier("runs", "download", run_id, "--to", str(tmp_path / "all"), "--json")
    assert {one["name"] for one in json.loads(out)} == {"outputs/a.txt", "outputs/deep/b.txt"}
    code, _, err = atelier("runs", "download", run_id, "nothing")
    assert code == 1 and "no files below 'nothing'" in err


def test_a_run_that_is_not_there_is_a_sentence_and_exit_code_one(atelier: Command):
    code, out, err = atelier("runs", "show", "nobody")
    assert code == 1 and err.startswith("atelier: ") and out == ""
    code, out, err = atelier("runs", "show", "nobody", "--json")
    assert code == 1 and json.loads(out)["error"]["code"] == "not_found"


def test_the_page_is_opened_or_its_address_printed(atelier: Command, stack: Stack, run_id: str):
    code, out, _ = atelier("open", run_id, "--print")
    assert code == 0 and out.strip().endswith(f"/w/lab/runs/{run_id}/")
    code, out, _ = atelier("open", "--json")
    assert json.loads(out)["url"].endswith("/w/lab/")


def test_a_script_is_submitted_followed_and_its_log_read(atelier: Command, signed_in: Path):
    code_folder = signed_in / "code"
    code_folder.mkdir()
    (code_folder / "train.py").write_text("import sys, os\nprint('got', sys.argv[1:], os.environ['STAGE'])\n")
    words = ["submit", str(code_folder), "--script", "train.py", "-e", "command", "-t", "a=b", "--env", "STAGE=x"]
    code, out, err = atelier(
        *words, "--environment", "AzureML-Minimal", "--json", "-f", "--", "--rate", "0.1", "--json"
    )
    answer = json.loads(out)
    assert code == 0 and answer["status"] == "Completed", (out, err)
    assert "got ['--rate', '0.1', '--json'] x" in err
    code, out, _ = atelier("logs", answer["id"])
    assert code == 0 and "got ['--rate', '0.1', '--json'] x" in out
    code, out, _ = atelier("logs", answer["id"], "--list", "--json")
    assert "azureml-logs/70_driver_log.txt" in {one["path"] for one in json.loads(out)}


def test_the_exit_code_of_a_followed_run_is_the_runs(atelier: Command, signed_in: Path):
    (signed_in / "code").mkdir()
    words = ["submit", str(signed_in / "code"), "--command", "echo so far; exit 3", "-e", "command"]
    code, out, _ = atelier(*words, "--environment", "AzureML-Minimal", "--json")
    run_id = json.loads(out)["id"]
    code, out, _ = atelier("logs", run_id, "-f")
    assert code == 1 and "so far" in out and "Execution Summary" in out
    driver = "azureml-logs/70_driver_log.txt"
    assert atelier("logs", run_id, "-f", "--file", driver)[:2] == (1, "so far\n"), "one log followed tells the same"
    code, out, err = atelier("logs", run_id, "--file", driver, "--json")
    assert code == 0 and json.loads(out) == {"file": driver, "text": "so far\n"} and not err
    code, out, err = atelier("logs", run_id, "--file", "logs/none.txt")
    assert code == 1 and not out and "no log 'logs/none.txt'" in err and driver in err


def test_a_folder_that_cannot_be_written_is_a_sentence(atelier: Command, run_id: str, tmp_path: Path):
    (tmp_path / "taken").write_text("a file")
    code, _, err = atelier("runs", "download", run_id, "--to", str(tmp_path / "taken"))
    assert code == 1 and err.startswith("atelier: ") and "taken" in err
    code, out, _ = atelier("runs", "download", run_id, "--to", str(tmp_path / "taken"), "--json")
    assert code == 1 and json.loads(out)["error"]["code"] == "os_error"


@pytest.mark.parametrize("words", [(), ("submit",), ("logs",), ("runs", "list"), ("runs", "download")])
def test_help_shows_what_to_type(words: tuple[str, ...], atelier: Command, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as end:
        atelier(*words, "--help")
    out = capsys.readouterr().out
    assert end.value.code == 0 and "\n  " + " ".join(["atelier", *words]) in out


def test_runs_are_canceled_from_the_terminal(atelier: Command, signed_in: Path):
    (signed_in / "code").mkdir()
    (signed_in / "code" / "a.py").write_text("import time\ntime.sleep(600)\n")
    words = [
        "submit",
        str(signed_in / "code"),
        "-s",
        "a.py",
        "-e",
        "command",
        "--json",
        "--environment",
        "AzureML-Minimal",
    ]
    _, out, _ = atelier(*words)
    run_id = json.loads(out)["id"]
    code, out, _ = atelier("runs", "cancel", run_id, "--wait")
    assert code == 0 and out.strip() == f"{run_id}: Canceled"


def test_metrics_left_on_this_machine_are_delivered(atelier: Command, signed_in: Path, tmp_path: Path):
    run = Experiment(Workspace.from_config(), "command").start_logging()
    series = [{"name": "loss", "kind": "scalar", "columns": {"": [1]}, "steps": None, "times": [1.0]}]
    for content in (series, [{**series[0], "kind": "no such kind"}]):
        batch = str(uuid.uuid4())
        spool.keep(tmp_path / "spool" / run.id, batch, json.dumps({"batch": batch, "series": content}).encode())
    code, out, _ = atelier("spool")
    assert code == 0 and "Delivered 1 batch from" in out and "refuses 1 batch;" in out
    (reason,) = (tmp_path / "spool" / run.id).glob("*.reason")
    assert "kind" in json.loads(reason.read_text())["message"]
    run.complete()
    assert run.get_metrics() == {"loss": 1}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("submit", "."), "What shall run?"),
        (("submit", ".", "-s", "gone.py"), "gone.py"),
        (("submit", ".", "-s", "a.py", "--conda", "x", "--requirements", "y"), "cannot be used together"),
        (("submit", ".", "-s", "a.py", "--env", "X"), "KEY=VALUE"),
        (("-w", "nowhere", "runs", "list"), ""),
    ],
)
def test_a_mistake_is_told_in_a_sentence(words: tuple[str, ...], sentence: str, atelier: Command):
    if not sentence:
        with pytest.raises(SystemExit):
            atelier(*words)
        return
    code, _, err = atelier(*words)
    assert code == 1 and sentence in err


def test_without_a_command_the_help_is_shown(atelier: Command):
    code, out, _ = atelier()
    assert code == 2 and "atelier submit . --script train.py --follow" in out
    code, out, _ = atelier("runs")
    assert code == 2 and "download" in out
