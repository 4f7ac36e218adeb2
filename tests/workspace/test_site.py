"""What holds for every page: headers, errors as sentences, the admin."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.contrib import admin
from django.core.exceptions import ImproperlyConfigured
from django.urls import reverse

from studio import settings
from studio.static_files import FILES
from tests import people

OURS = [
    model
    for app in ("workspace", "runs", "environments", "compute")
    if apps.is_installed(f"studio.{app}") or app == "runs"
    for model in apps.get_app_config(app).get_models()
]


def test_every_model_is_in_the_admin_and_its_list_opens(client, db):
    client.force_login(people.person("root", superuser=True))
    for model in OURS:
        assert admin.site.is_registered(model), model
        page = client.get(reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"), {"q": "a"})
        assert page.status_code == 200, model


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
