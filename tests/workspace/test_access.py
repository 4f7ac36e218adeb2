"""Who may see and do what."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone

from studio.errors import Conflict, Forbidden, NotFound, Unauthenticated
from studio.workspace import members, tokens
from studio.workspace.access import workspace_for, workspaces_of
from studio.workspace.models import Membership, Role, Token
from tests import people


def test_a_stranger_is_told_that_nothing_is_there(lab, stranger):
    with pytest.raises(NotFound) as hidden:
        workspace_for(stranger, "lab")
    with pytest.raises(NotFound) as absent:
        workspace_for(stranger, "bal")
    assert hidden.value.message.replace("lab", "") == absent.value.message.replace("bal", "")


def test_a_member_below_the_role_is_told_what_it_needs(reader, lab):
    assert workspace_for(reader, "lab") == lab
    with pytest.raises(Forbidden, match="Contributor"):
        workspace_for(reader, "lab", Role.CONTRIBUTOR)


def test_people_see_the_workspaces_they_are_in(owner, stranger):
    assert [w.name for w in workspaces_of(owner)] == ["lab"]
    assert [w.name for w in workspaces_of(stranger)] == ["elsewhere"]


def test_a_workspace_keeps_an_owner(lab):
    only = Membership.objects.get(workspace=lab, role=Role.OWNER)
    with pytest.raises(Conflict):
        members.remove(only)
    with pytest.raises(Conflict):
        members.change(only, Role.READER)


def test_a_token_is_kept_as_a_hash_and_works_until_revoked(owner):
    token, text = tokens.make(owner, "laptop")
    assert text not in str(Token.objects.values().get(pk=token.pk))
    assert tokens.user_of(text) == owner
    tokens.revoke(token)
    with pytest.raises(Unauthenticated, match="revoked"):
        tokens.user_of(text)


def test_an_expired_token_says_so(owner):
    token, text = tokens.make(owner, "laptop", days=1)
    Token.objects.filter(pk=token.pk).update(expires_at=timezone.now() - dt.timedelta(seconds=1))
    with pytest.raises(Unauthenticated, match="expired"):
        tokens.user_of(text)


def test_a_switched_off_account_can_do_nothing(owner):
    text = tokens.make(owner, "laptop")[1]
    owner.is_active = False
    owner.save()
    with pytest.raises(Unauthenticated):
        tokens.user_of(text)


def test_one_signs_in_makes_a_token_and_revokes_it(client, owner):
    assert client.get("/account/tokens").status_code == 302
    page = client.post("/sign-in", {"username": "olga", "password": people.PASSWORD}, follow=True)
    assert page.status_code in (200, 404)
    page = client.post("/account/tokens", {"name": "laptop", "days": 30})
    text = page.context["made"]
    assert text.startswith("atp_") and text in page.content.decode()
    assert text not in client.get("/account/tokens").content.decode()
    client.post(f"/account/tokens/{Token.objects.get().pk}/revoke")
    with pytest.raises(Unauthenticated):
        tokens.user_of(text)


def test_nobody_revokes_the_token_of_another(client, owner, stranger):
    token = tokens.make(owner, "laptop")[0]
    client.force_login(stranger)
    assert client.post(f"/account/tokens/{token.pk}/revoke").status_code == 404
    assert Token.objects.get(pk=token.pk).revoked_at is None


def test_the_settings_page_lets_owners_add_people_and_readers_look(client, lab, owner, reader, stranger):
    client.force_login(reader)
    assert "config.json" in client.get("/w/lab/settings").content.decode()
    assert client.post("/w/lab/members", {"username": "sven", "role": "Reader"}).status_code == 403
    client.force_login(owner)
    client.post("/w/lab/members", {"username": "sven", "role": "Reader"})
    assert Membership.objects.get(workspace=lab, user=stranger).role == Role.READER
    client.force_login(people.person("nobody"))
    assert client.get("/w/lab/settings").status_code == 404


def test_an_owner_changes_a_role_and_takes_a_member_out(client, lab, owner, reader):
    client.force_login(owner)
    member = Membership.objects.get(workspace=lab, user=reader)
    address = f"/w/lab/members/{member.pk}"
    client.post(address, {"role": str(Role.CONTRIBUTOR.value)})
    member.refresh_from_db()
    assert member.role == Role.CONTRIBUTOR
    # The form of a row sends its choice first and then the button that was pressed.
    client.post(address, {"role": [str(Role.CONTRIBUTOR.value), "remove"]})
    assert not Membership.objects.filter(pk=member.pk).exists()
