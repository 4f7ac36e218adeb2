"""What holds for every page: headers, errors as sentences, the admin."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from runs.models import Artifact, MetricSeries, RunEvent, RunProperty, RunTag
from studio import settings
from studio.environments import register
from studio.static_files import FILES
from studio.workspace import tokens
from tests import people
from tests.environments.builders import definition
from tests.pages import rich

OURS = [
    model
    for app in ("workspace", "runs", "environments", "compute")
    if apps.is_installed(f"studio.{app}") or app == "runs"
    for model in apps.get_app_config(app).get_models()
]


# What a site's people may change by hand; every other row is history, or follows from what the pages and the API do.
EDITED = {"Workspace", "Membership", "Environment", "VmSize"}


@pytest.fixture
def root(client, db):
    client.force_login(people.person("root", superuser=True))
    return client


def changelist(model) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


@pytest.mark.parametrize("model", OURS, ids=lambda model: model.__name__)
def test_every_model_is_searched_and_filtered_in_the_admin(root, model):
    options = admin.site.get_model_admin(model)
    assert options.search_fields, "nothing to search by"
    assert options.list_filter or options.date_hierarchy, "nothing to filter by"
    for query in ({"q": "a"}, {"q": "a", "o": "-1"}):
        assert root.get(changelist(model), query).status_code == 200


@pytest.mark.parametrize("model", [m for m in OURS if m.__name__ not in EDITED], ids=lambda model: model.__name__)
def test_history_is_looked_at_and_not_edited(root, model):
    place = changelist(model)
    assert root.get(f"{place}add/").status_code == 403
    assert root.post(f"{place}add/", {}).status_code == 403
    page = root.get(place).content.decode()
    assert "delete_selected" not in page and "Add " not in page.split('id="content"')[1]


def test_a_row_of_history_opens_and_refuses_to_be_changed_or_deleted(root, lab):
    run = rich.rich_run(lab)
    kinds = (RunEvent, RunTag, RunProperty, Artifact, MetricSeries)
    shown = [run, run.snapshot, *(kind.objects.filter(run=run).first() for kind in kinds)]
    for row in shown:
        place = f"{changelist(type(row))}{quote(str(row.pk))}/"
        assert root.get(f"{place}change/").status_code == 200, row
        assert root.post(f"{place}change/", {"state": "Completed"}).status_code == 403, row
        assert root.post(f"{place}delete/", {"post": "yes"}).status_code == 403, row


def test_the_admins_lists_ask_as_often_for_many_rows_as_for_few(root, lab):
    for seed in range(3):
        rich.rich_run(lab, seed=seed)
    for version in range(3):
        register.register(lab, definition("mine", pip=[f"idna==3.{version}"]))
    for model in OURS:
        with CaptureQueriesContext(connection) as asked:
            assert root.get(changelist(model)).status_code == 200
        assert len(asked) <= 12, (model, [query["sql"][:90] for query in asked])


def test_the_admin_shows_no_secret(root, lab, owner):
    token, text = tokens.make(owner, "laptop")
    page = root.get(f"{changelist(type(token))}{token.pk}/change/").content.decode()
    assert token.digest not in page and text not in page


def test_pages_carry_a_strict_policy(client, db):
    policy = client.get("/sign-in")["Content-Security-Policy"]
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert (
        directives["script-src"] == "'self'"
        and directives["style-src"] == "'self'"
        and directives["default-src"] == "'none'"
    )


def test_plotly_is_served_from_its_own_package(client, db):
    for path in FILES:
        answer = client.get(f"/static/{path}")
        assert answer.status_code == 200 and len(b"".join(answer.streaming_content)) > 1_000_000


def test_an_address_that_leads_nowhere_says_so_on_a_page_and_in_json(client, db):
    page = client.get("/w/nowhere/at/all/")
    assert page.status_code == 404 and "nothing here that you can see" in page.content.decode()
    answer = client.get("/api/v1/nowhere", HTTP_AUTHORIZATION="Bearer atp_x")
    assert answer.status_code == 404 and answer.json()["error"]["code"] == "not_found"


def test_the_server_says_when_it_is_up(client, db):
    assert client.get("/health").json() == {"status": "ok"}


@pytest.mark.parametrize(
    ("url", "engine", "name"),
    [
        ("sqlite:////data/a.sqlite3", "django.db.backends.sqlite3", "/data/a.sqlite3"),
        ("postgresql://u:p%40ss@db:5433/studio", "django.db.backends.postgresql", "studio"),
    ],
)
def test_a_database_is_named_by_a_url(url, engine, name):
    made = settings.database(url)
    assert (made["ENGINE"], made["NAME"]) == (engine, name)


def test_a_password_may_hold_any_character():
    assert settings.database("postgresql://u:p%40ss@db/studio")["PASSWORD"] == "p@ss"


def test_an_unknown_database_is_refused_with_a_sentence():
    with pytest.raises((SystemExit, ImproperlyConfigured), match="mysql"):
        settings.database("mysql://db/studio")
