"""The Details tab: what failed, how long each state took, what was run, edited in place."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from django.utils import timezone

from runs.models import RunEvent, RunTag, RunTask
from runs.pages.tabs.details.failure import hint_for, last_line
from runs.pages.tabs.details.timeline import WIDTH, stages
from runs.queries.arguments import named, pairs, typed
from runs.states import State
from studio.environments.models import Environment
from studio.workspace.models import Model, ModelVersion
from tests import builders
from tests.pages import rich
from tests.pages.conftest import text

TRACEBACK = """Traceback (most recent call last):
  File "train.py", line 41, in <module>
    main()
ModuleNotFoundError: No module named 'lightgbm'
"""


def test_a_failed_run_opens_with_the_last_traceback_line_its_exit_and_the_next_step(page, lab):
    run = builders.run(
        lab,
        state=State.FAILED,
        error_code="ModuleNotFoundError",
        error_message="ModuleNotFoundError: No module named 'lightgbm'",
        error_details=TRACEBACK,
    )
    RunTask.objects.create(run=run, backend="process", exit_code=1)
    rich.artifact(run, "azureml-logs/70_driver_log.txt", TRACEBACK.encode(), "text/plain")
    html = text(page(run))
    card = html[html.index('role="alert"') : html.index("Progress")]
    assert "No module named &#x27;lightgbm&#x27;" in card and "exit code 1" in card
    assert "Add the package that provides lightgbm" in card
    assert "outputs/?file=azureml-logs/70_driver_log.txt&amp;find=ModuleNotFoundError" in card


def test_a_run_that_the_kernel_ended_says_so(page, lab):
    run = builders.run(
        lab, state=State.FAILED, error_code="OutOfMemory", error_message="The script used more memory than it may."
    )
    RunTask.objects.create(run=run, backend="docker", signal="SIGKILL")
    html = text(page(run))
    assert "ended by SIGKILL" in html and "more memory" in html


def test_a_run_whose_environment_could_not_be_built_leads_to_the_log_of_the_build(page, lab):
    run = builders.run(
        lab, state=State.FAILED, error_code="EnvironmentFailed", error_message="pip found no such version."
    )
    rich.artifact(run, "azureml-logs/20_image_build_log.txt", b"Step 1\n", "text/plain")
    html = text(page(run))
    assert "The environment could not be built" in html and "?file=azureml-logs/20_image_build_log.txt" in html


def test_a_failure_before_any_log_leads_to_none(page, lab):
    run = builders.run(lab, state=State.FAILED, error_code="ComputeRefused", error_message="cpu is being deleted.")
    html = text(page(run))
    assert "cpu is being deleted." in html and "Open the log" not in html


def test_every_state_stands_on_the_page_with_how_long_it_took(page, lab):
    html = text(page(rich.rich_run(lab)))
    line = html[html.index('<ol class="timeline">') : html.index("</ol>", html.index('<ol class="timeline">'))]
    assert re.findall(r'<strong title="[^"]+">([\w ]+)</strong>', line) == [
        "Not started", "Starting", "Provisioning", "Preparing", "Queued", "Running", "Finalizing", "Completed",
    ]  # fmt: skip
    assert "6 m 40 s" in line and "1 m 20 s" in line and "Waits for a node" in line


def test_the_last_state_of_a_live_run_goes_on(lab):
    now = timezone.now()
    events = [
        RunEvent(state="Queued", at=now - dt.timedelta(seconds=30)),
        RunEvent(state="Running", at=now - dt.timedelta(seconds=10)),
    ]
    queued, running = stages(events, now)
    assert queued.seconds == pytest.approx(20) and running.seconds is None
    assert queued.width + running.width == pytest.approx(WIDTH, abs=1)


def test_a_live_page_says_how_long_the_state_has_lasted_before_any_script_runs(page, lab):
    run = builders.run(lab, state=State.RUNNING)
    RunEvent.objects.filter(run=run).update(at=timezone.now() - dt.timedelta(seconds=75))
    assert re.search(r'data-since="[^"]+">1 m 1\d s<', text(page(run)))


def test_what_was_run_is_on_the_page(page, lab):
    run = rich.rich_run(lab)
    model = Model.objects.create(workspace=lab, name="diabetes", last_version=1)
    ModelVersion.objects.create(model=model, version=1, run_id=run.id)
    html = text(page(run))
    for words in (
        "olga@example.org", "cpu-cluster", "sklearn-env", "azureml/azureml_0123", "train.py", "--rate", "OMP_NUM_THREADS",
        "git.example.org/lab/diabetes", "4f2c0b7e1c8f", "not committed", "<strong>first</strong>", "/models/diabetes/1/",
    ):  # fmt: skip
        assert words in html, words


def test_the_name_the_description_and_the_tags_are_edited(page, browser, lab):
    run = rich.rich_run(lab)
    address = f"/w/lab/runs/{run.id}/edit"
    assert "dataset=diabetes" in text(browser.get(address))
    answer = browser.post(
        address, {"display_name": "better", "description": "**new**", "tags": "dataset=other\nchecked\nnote = a=b"}
    )
    assert answer.status_code == 302
    run.refresh_from_db()
    assert (run.display_name, run.description) == ("better", "**new**")
    tags = dict(RunTag.objects.filter(run=run).values_list("key", "value"))
    assert tags == {"dataset": "other", "checked": None, "note": "a=b"}


def test_what_can_t_be_saved_is_said_and_kept_in_the_form(browser, lab):
    run = builders.run(lab)
    answer = browser.post(f"/w/lab/runs/{run.id}/edit", {"display_name": "x" * 300, "description": "", "tags": ""})
    html = answer.content.decode()
    assert answer.status_code >= 400 and 'role="alert"' in html and "x" * 300 in html


def test_a_cancel_is_asked_for_and_said(browser, lab):
    run = builders.run(lab, state=State.RUNNING, kind="script")
    answer = browser.post(f"/w/lab/runs/{run.id}/cancel", follow=True)
    run.refresh_from_db()
    assert run.cancel_requested_at is not None and "Cancel requested" in answer.content.decode()


def test_a_reader_sees_no_buttons_that_would_be_refused(client, reader, lab):
    run = builders.run(lab)
    client.force_login(reader)
    html = text(client.get(f"/w/lab/runs/{run.id}/"))
    assert "Cancel</button>" not in html and "/edit" not in html
    assert client.post(f"/w/lab/runs/{run.id}/cancel").status_code == 403


def test_a_live_piece_is_sent_again_only_when_it_changed(page, lab):
    run = builders.run(lab, state=State.RUNNING)
    seen = re.search(r"part=status&amp;seen=([^\"]+)", text(page(run)))[1]
    assert page(run, part="status", seen=seen, htmx=True).status_code == 204
    rich.log(run, "loss", [0.5])
    html = text(page(run, part="status", seen=seen, htmx=True))
    assert "loss" in html and "hx-get" in html and "<html" not in html


def test_a_piece_stops_asking_when_the_run_is_final(page, lab):
    run = builders.run(lab, state=State.COMPLETED)
    assert "hx-trigger" not in text(page(run, part="status", htmx=True))
    assert "hx-trigger" not in text(page(run, part="heading", htmx=True))


def test_htmx_gets_the_tab_alone_and_a_browser_the_whole_page(page, lab):
    run = builders.run(lab)
    assert "<html" not in text(page(run, "details", htmx=True))
    assert "<html" in text(page(run, "details"))


def test_names_of_users_are_escaped_everywhere(page, browser, lab):
    evil = "<script>alert(1)</script>"
    run = builders.run(
        lab, display_name=evil, description=evil, definition={"script": evil, "arguments": ["--x", evil]}
    )
    RunTag.objects.create(run=run, experiment_id=run.experiment_id, key=evil, value=evil)
    rich.log(run, evil[:100], [1.0, 2.0])
    for answer in (
        page(run), page(run, "metrics"), page(run, "children"), browser.get("/w/lab/"), browser.get("/w/lab/experiments/trials/"),
        browser.get("/w/lab/compare/", {"run": [run.id, run.id]}),
    ):  # fmt: skip
        assert evil not in text(answer)


@pytest.mark.parametrize(
    "tab", ["", "metrics", "images", "children", "outputs", "snapshot", "explanations", "fairness"]
)
def test_an_empty_tab_says_what_to_do(page, lab, tab):
    html = text(page(builders.run(lab, state=State.COMPLETED), tab))
    assert tab == "" or ("empty" in html and "<pre>" in html)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--rate", 0.1, "--epochs=20", "--verbose"], [("--rate", "0.1"), ("--epochs", "20"), ("--verbose", "")]),
        (
            ["data.csv", "-n", "-5", "--flag", "--x", "y"],
            [("argument 1", "data.csv"), ("-n", "-5"), ("--flag", ""), ("--x", "y")],
        ),
        (None, []),
    ],
)
def test_a_command_line_is_read_as_names_and_values(arguments, expected):
    assert pairs(arguments) == expected


def test_columns_of_arguments_hold_numbers_where_they_are_numbers():
    values = {name: typed(value) for name, value in named(["--a", "1", "--b", "0.5", "--c", "x", "--d", "nan"]).items()}
    assert values == {"a": 1, "b": 0.5, "c": "x", "d": "nan"}


def test_the_last_traceback_line_is_the_exceptions_own():
    assert last_line(TRACEBACK) == "ModuleNotFoundError: No module named 'lightgbm'"
    assert hint_for("ValueError: odd") == ""


def test_the_raw_json_masks_what_the_page_masks(page, lab):
    variables = {"API_TOKEN": "sesame-1", "EPOCHS": "3"}
    environment = rich.DEFINITION["environment"] | {"environmentVariables": {"DB_PASSWORD": "sesame-2"}}
    definition = rich.DEFINITION | {"environmentVariables": variables, "environment": environment}
    run = builders.run(lab, state=State.COMPLETED, definition=definition)
    for place in ("", "details/json", "details/definition"):
        assert "sesame" not in page(run, place).content.decode(), place
    shown = page(run, "details/definition").json()
    assert shown["environmentVariables"] == {"API_TOKEN": "***", "EPOCHS": "3"}
    assert shown["environment"]["environmentVariables"] == {"DB_PASSWORD": "***"}


def test_the_raw_json_and_the_definition_are_there_to_read(page, lab):
    run = rich.rich_run(lab)
    assert page(run, "details/json").json()["definition"]["script"] == "train.py"
    assert page(run, "details/definition").json() == rich.DEFINITION
    assert page(builders.run(lab), "details/definition").status_code == 404


def test_editing_opens_in_place_and_as_a_page_of_its_own(browser, lab):
    run = builders.run(lab, display_name="mine")
    in_place = text(browser.get(f"/w/lab/runs/{run.id}/edit", headers={"HX-Request": "true"}))
    assert "<html" not in in_place and 'value="mine"' in in_place
    assert "<html" in text(browser.get(f"/w/lab/runs/{run.id}/edit"))


def test_an_environment_leads_to_its_page_only_when_it_has_one(page, lab):
    run = rich.rich_run(lab)
    assert "/environments/sklearn-env/" not in text(page(run))
    Environment.objects.create(workspace=lab, name="sklearn-env")
    assert "/environments/sklearn-env/" in text(page(run))
