"""Environments' pages and REST, through the front door."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from studio.environments import credentials, register
from studio.environments.logs import Writer
from studio.environments.models import Build, Image, Lock, Use
from studio.workspace.models import Workspace
from tests import people
from tests.environments.builders import definition, prepared

pytestmark = pytest.mark.django_db


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def page(client: Client, path: str, status: int = 200) -> str:
    answer = client.get(f"/w/lab/environments/{path}")
    assert answer.status_code == status, answer.content[:500]
    return answer.content.decode()


def a_build(lab: Workspace, **fields: object) -> Build:
    values = {
        "key": "ab" * 32,
        "backend": "docker",
        "workspace": lab,
        "environment": "mine",
        "definition": definition("mine"),
        "run_id": "run-1",
    }
    return Build.objects.create(**{**values, **fields})


def test_registered_and_curated_environments_are_listed(lab: Workspace, reader: User) -> None:
    register.register(lab, definition("mine", pip=["idna==3.10"]), "carl")
    text = page(signed_in(reader), "")
    assert "mine" in text and "AzureML-sklearn" in text and "LightGBM" in text


def test_two_versions_are_compared_line_by_line(lab: Workspace, reader: User) -> None:
    register.register(lab, definition("mine", pip=["idna==3.10"]))
    register.register(lab, definition("mine", pip=["idna==3.11"]))
    text = page(signed_in(reader), "mine/compare/?from=1&to=2")
    assert "version 1 to 2" in text and re.search(r"-\s+- idna==3.10", text) and re.search(r"\+\s+- idna==3.11", text)


def test_names_and_logs_cannot_bring_markup_or_terminal_codes_into_a_page(lab: Workspace, reader: User) -> None:
    build = a_build(lab, environment="<b>bold</b>", message="<i>no</i>", state="Failed", ended_at=timezone.now())
    log = Writer(build.pk)
    log.write(b"\x1b[31m<script>alert(1)</script>\x1b[0m\x1b]0;title\x07 done\n")
    log.close()
    text = page(signed_in(reader), f"-/builds/{build.pk}/")
    assert "<script>alert(1)" not in text and "&lt;script&gt;alert(1)&lt;/script&gt; done" in text
    assert "<b>bold</b>" not in text and "<i>no</i>" not in text and "\x1b" not in text and "title\x07" not in text


def test_a_log_that_grows_is_followed_and_the_asking_ends_with_the_build(lab: Workspace, reader: User) -> None:
    build, client = a_build(lab), signed_in(reader)
    log = Writer(build.pk)
    log.say("first line")
    log.flush()
    assert "offset=11" in page(client, f"-/builds/{build.pk}/")
    log.say("second line")
    log.close()
    answer = client.get(f"/w/lab/environments/-/builds/{build.pk}/log?offset=11").content.decode()
    assert answer.startswith("second line") and "offset=23" in answer
    Build.objects.update(state="Succeeded", ended_at=timezone.now())
    assert "hx-get" not in client.get(f"/w/lab/environments/-/builds/{build.pk}/log?offset=23").content.decode()


def test_another_workspaces_build_is_not_there_unless_a_run_here_shares_it(
    lab: Workspace, elsewhere: Workspace, reader: User
) -> None:
    build, client = a_build(elsewhere, environment="their-secret", run_id="their-run"), signed_in(reader)
    page(client, f"-/builds/{build.pk}/", status=404)
    Use.objects.create(run_id="ours", workspace=lab, key=build.key, backend="docker", build=build)
    text = page(client, f"-/builds/{build.pk}/")
    assert "ours" in text and "their-secret" not in text and "their-run" not in text


def an_image(lab: Workspace, name: str, days: int, **fields: object) -> Image:
    lock = Lock.objects.create(packages_key=name, python="3.11", platform="linux-x86_64", pip="idna==3.10\n")
    used = timezone.now() - timedelta(days=days)
    return Image.objects.create(
        key=(name * 8)[:64],
        backend="process",
        name=name,
        size=5_000_000,
        lock=lock,
        build=a_build(lab, key=name),
        used_at=used,
        **fields,
    )


def test_a_prune_shows_first_what_would_go_and_removes_only_that(lab: Workspace, owner: User, home: object) -> None:
    old, new = an_image(lab, "old-image", 40), an_image(lab, "new-image", 1)
    Build.objects.update(state="Succeeded", ended_at=timezone.now())
    client = signed_in(owner)
    text = page(client, "-/images/?days=30")
    assert (
        "These would go, 5.0 MB together" in text
        and f'value="{old.pk}" checked' in text
        and f'value="{new.pk}"' not in text
    )


def test_only_an_owner_may_prune(lab: Workspace, contributor: User) -> None:
    answer = signed_in(contributor).post("/w/lab/environments/-/images/prune", {"days": "0"})
    assert answer.status_code == 403


@pytest.mark.django_db(transaction=True)
def test_a_pruned_virtual_environment_is_gone_from_the_disk(lab: Workspace, owner: User, home: object) -> None:
    from pathlib import Path

    found = prepared(lab, definition(pip=["idna==3.10"]))
    image = Image.objects.get()
    assert Path(image.name).is_dir()
    answer = signed_in(owner).post(
        "/w/lab/environments/-/images/prune", {"days": "0", "image": [image.pk]}, follow=True
    )
    assert "Removed 1 image" in answer.content.decode()
    assert not Path(image.name).exists() and not Path(found.python).exists()
    again = prepared(lab, definition(pip=["idna==3.10"]), run="run-2")
    assert again.state == "ready" and Path(again.python).exists(), "a later run has it built from the same lock"


def test_rest_registers_gets_and_lists(lab: Workspace, contributor: User) -> None:
    client, headers = Client(), people.bearer(contributor)
    url = "/api/v1/workspaces/lab/environments"
    made = client.post(
        url, {"definition": definition("mine", pip=["idna==3.10"])}, content_type="application/json", **headers
    )
    assert made.status_code == 201 and made.json()["version"] == "1"
    assert client.get(f"{url}/mine?version=1", **headers).json()["definition"]["name"] == "mine"
    names = [item["name"] for item in client.get(url, **headers).json()["items"]]
    assert names == ["mine", "AzureML-Minimal", "AzureML-PyTorch", "AzureML-sklearn"]
    refused = client.get(f"{url}/mine?version=9", **headers)
    assert refused.status_code == 404 and "it has 1" in refused.json()["error"]["message"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"definition": []},
        {"definition": {"name": "x", "python": 3}},
        {"definition": {"name": "x", "docker": {"baseImage": "a b"}}},
    ],
)
def test_rest_refuses_what_is_no_environment(lab: Workspace, contributor: User, body: dict[str, object]) -> None:
    answer = Client().post(
        "/api/v1/workspaces/lab/environments", body, content_type="application/json", **people.bearer(contributor)
    )
    assert answer.status_code == 400 and answer.json()["error"]["message"]


def test_a_registrys_password_in_a_submitted_run_is_not_kept_with_the_run(lab: Workspace, contributor: User) -> None:
    from runs.models import Run

    registry = {"address": "registry.example", "username": "ann", "password": "open sesame"}
    environment = definition(docker={"baseImage": "a/b:1", "baseImageRegistry": registry})
    body = {
        "experiment": "trials",
        "kind": "script",
        "definition": {"command": "true", "target": "local", "environment": environment},
    }
    headers = people.bearer(contributor)
    made = Client().post("/api/v1/workspaces/lab/runs", body, content_type="application/json", **headers)
    assert made.status_code == 201, made.content
    assert "sesame" not in made.content.decode() and "sesame" not in str(Run.objects.get().definition)
    whole = credentials.filled_in(lab, Run.objects.get().definition["environment"])
    assert whole["docker"]["baseImageRegistry"]["password"] == "open sesame", "the build has it all the same"
