"""Environments by name: registered versions, curated ones, passwords."""

from __future__ import annotations

import pytest

from studio.environments import credentials, register
from studio.environments.models import Credential, EnvironmentVersion
from studio.errors import Invalid, NotFound
from studio.workspace.models import Workspace
from tests.environments.builders import definition

pytestmark = pytest.mark.django_db


def test_the_same_content_keeps_its_version_and_a_change_makes_the_next(lab: Workspace) -> None:
    first = register.register(lab, definition("mine", pip=["idna==3.10"]), "carl")
    again = register.register(lab, definition("mine", pip=["idna==3.10"], version="7"), "carl")
    changed = register.register(lab, definition("mine", pip=["idna==3.11"]), "carl")
    assert (first.version, again.version, changed.version) == ("1", "1", "2")
    assert register.get(lab, "mine").version == "2" and register.get(lab, "mine", 1).definition == first.definition


def test_a_version_that_is_not_there_is_refused_with_those_that_are(lab: Workspace) -> None:
    register.register(lab, definition("mine"))
    with pytest.raises(NotFound, match="no version '9'; it has 1"):
        register.get(lab, "mine", "9")


def test_curated_environments_are_listed_and_their_names_are_taken(lab: Workspace) -> None:
    names = [record.name for record in register.listed(lab) if record.is_curated]
    assert names == ["AzureML-Minimal", "AzureML-PyTorch", "AzureML-sklearn"]
    assert "horovod==0.28.1" in str(register.get(lab, "AzureML-PyTorch").definition)
    with pytest.raises(Invalid, match="curated"):
        register.register(lab, definition("AzureML-Mine"))


@pytest.mark.parametrize("name", ["", "../x", "a b", "x" * 256, None, 3])
def test_a_name_that_is_no_name_is_refused(lab: Workspace, name: object) -> None:
    with pytest.raises(Invalid, match="can't name an environment"):
        register.register(lab, {**definition(), "name": name})


def test_another_workspace_has_its_own_names(lab: Workspace, elsewhere: Workspace) -> None:
    register.register(lab, definition("mine"))
    with pytest.raises(NotFound):
        register.get(elsewhere, "mine")


def test_a_registrys_password_is_kept_encrypted_and_shown_nowhere(lab: Workspace) -> None:
    registry = {"address": "registry.example", "username": "ann", "password": "open sesame"}
    record = register.register(lab, definition("mine", docker={"baseImage": "a/b:1", "baseImageRegistry": registry}))
    row = EnvironmentVersion.objects.get()
    assert "sesame" not in str(record.as_json()) and "sesame" not in str(row.definition)
    assert "sesame" not in Credential.objects.get().password
    whole = credentials.filled_in(lab, record.definition)
    assert whole["docker"]["baseImageRegistry"]["password"] == "open sesame"


def test_a_masked_password_that_nobody_gave_is_asked_for(lab: Workspace) -> None:
    registry = {"address": "registry.example", "username": "ann", "password": "***"}
    with pytest.raises(Invalid, match=r"password of 'ann' at the registry 'registry\.example' is not known"):
        credentials.filled_in(lab, definition(docker={"baseImage": "a/b:1", "baseImageRegistry": registry}))
