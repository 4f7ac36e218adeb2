"""The model registry's pages, and a run submitted again."""

from __future__ import annotations

import io
import zipfile

import pytest

from runs.models import Run
from runs.states import State
from studio.workspace.models import Model, ModelVersion
from tests import builders
from tests.pages import rich
from tests.pages.conftest import body, text


@pytest.fixture
def run(lab):
    return rich.rich_run(lab)


@pytest.fixture
def registered(browser, run) -> ModelVersion:
    """diabetes:1, a folder of the run."""
    answer = browser.post(
        f"/w/lab/runs/{run.id}/register",
        {"name": "diabetes", "path": "outputs", "description": "**best**", "tags": "stage=test"},
    )
    assert answer["Location"] == "/w/lab/models/diabetes/1/", answer.content
    return ModelVersion.objects.get()


def test_a_folder_of_a_run_becomes_a_model_and_the_next_its_second_version(browser, run, registered):
    assert registered.run_id == run.id and registered.tags == {"stage": "test"} and registered.created_by == "olga"
    browser.post(f"/w/lab/runs/{run.id}/register", {"name": "diabetes", "path": "outputs/model.pkl"})
    html = text(browser.get("/w/lab/models/"))
    assert "/w/lab/models/diabetes/2/" in html
    assert text(browser.get("/w/lab/models/diabetes/")).count("/w/lab/models/diabetes/") == 2
    assert "/models/diabetes/1/" in text(browser.get(f"/w/lab/runs/{run.id}/"))


def test_the_form_offers_outputs_first_and_says_what_is_wrong(browser, run):
    html = text(browser.get(f"/w/lab/runs/{run.id}/register"))
    assert html.index("<option>outputs</option>") < html.index("<option>azureml-logs</option>")
    answer = browser.post(f"/w/lab/runs/{run.id}/register", {"name": "a b/c", "path": "outputs"})
    assert (
        answer.status_code == 400
        and 'role="alert"' in answer.content.decode()
        and 'value="a b/c"' in answer.content.decode()
    )


def test_a_run_without_files_says_how_to_get_some(browser, lab):
    assert "upload_file" in text(browser.get(f"/w/lab/runs/{builders.run(lab).id}/register"))


def test_a_versions_page_shows_files_origin_and_how_to_load_it(browser, run, registered):
    html = text(browser.get("/w/lab/models/diabetes/1/"))
    for words in (
        "<strong>best</strong>",
        "outputs/model.pkl",
        run.display_name,
        "stage",
        "download(&quot;models&quot;)",
    ):
        assert words in html, words


def test_a_model_is_downloaded_file_by_file_or_as_a_zip(browser, registered):
    one = browser.get("/w/lab/models/diabetes/1/download", {"file": "outputs/metrics.json"})
    assert b"folds" in body(one) and one["Content-Disposition"].startswith("attachment")
    with zipfile.ZipFile(io.BytesIO(body(browser.get("/w/lab/models/diabetes/1/download")))) as archive:
        assert archive.testzip() is None and "outputs/model.pkl" in archive.namelist()
    assert browser.get("/w/lab/models/diabetes/1/download", {"file": "../x"}).status_code == 404


def test_description_and_tags_of_a_version_are_edited(browser, registered):
    assert "stage=test" in text(browser.get("/w/lab/models/diabetes/1/edit"))
    browser.post("/w/lab/models/diabetes/1/edit", {"description": "new words", "tags": "stage=live\nseen"})
    registered.refresh_from_db()
    assert (registered.description, registered.tags) == ("new words", {"stage": "live", "seen": None})


def test_a_version_is_deleted_after_a_question(browser, registered):
    assert "can't be undone" in text(browser.get("/w/lab/models/diabetes/1/delete")).replace("&#x27;", "'")
    assert browser.post("/w/lab/models/diabetes/1/delete")["Location"] == "/w/lab/models/"
    assert not ModelVersion.objects.exists()
    assert "No models yet" in text(browser.get("/w/lab/models/"))
    assert "No version is left" in text(browser.get("/w/lab/models/diabetes/"))


def test_models_are_searched_and_come_by_the_page(browser, lab):
    for place in range(120):
        model = Model.objects.create(workspace=lab, name=f"m{place:03d}", last_version=1)
        ModelVersion.objects.create(model=model, version=1)
    html = text(browser.get("/w/lab/models/"))
    assert "m099" in html and "m100" not in html and "after=m099" in html
    assert "m119" in text(browser.get("/w/lab/models/?after=m099"))
    assert text(browser.get("/w/lab/models/?q=m11")).count('scope="row" class="name"') == 10


def test_the_list_of_models_costs_the_same_for_sixty_as_for_six(browser, lab, django_assert_max_num_queries):
    counts = []
    for size in (6, 60):
        for place in range(Model.objects.count(), size):
            model = Model.objects.create(workspace=lab, name=f"m{place:03d}", last_version=1)
            ModelVersion.objects.create(model=model, version=1)
        with django_assert_max_num_queries(8) as counted:
            browser.get("/w/lab/models/")
        counts.append(len(counted))
    assert counts[0] == counts[1]


def test_a_run_is_submitted_again_and_its_page_opens(browser, lab):
    run = rich.rich_run(lab, compute="local", definition=rich.DEFINITION | {"target": "local"})
    answer = browser.post(f"/w/lab/runs/{run.id}/resubmit")
    again = Run.objects.exclude(pk=run.pk).get()
    assert answer["Location"] == f"/w/lab/runs/{again.id}/"
    assert again.state == State.NOT_STARTED and again.definition == run.definition and again.snapshot == run.snapshot


def test_an_interactive_run_can_t_be_submitted_again_and_the_page_says_why(browser, lab):
    run = builders.run(lab, kind="interactive", state=State.COMPLETED)
    html = browser.post(f"/w/lab/runs/{run.id}/resubmit", follow=True).content.decode()
    assert "started by its own script" in html and "Resubmit</button>" not in html
