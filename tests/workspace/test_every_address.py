"""Every address of the site, generated from the URL configuration: one that is added is tested without being listed.

A page's parameters get values from SAMPLES; a parameter that is not there fails with the name to add.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from runs.states import State
from tests import builders

if TYPE_CHECKING:
    from studio.workspace.models import Workspace

# Answered for anybody: they hold nothing of anybody's.
PUBLIC = {"sign-in", "sign-out", "health"}
# The person's own things: they need an account and no workspace.
OWN = {"tokens", "revoke-token", "password", "new-workspace", "home"}


def addresses(resolver: URLResolver | None = None, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Every (name, route) of the pages; the API has a table of its own and the admin is Django's."""
    for entry in (resolver or get_resolver()).url_patterns:
        route = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            if not route.startswith(("admin/", "api/")):
                yield from addresses(entry, route)
        elif isinstance(entry, URLPattern) and not route.startswith("api/"):
            yield entry.name or route, route


def samples(lab: Workspace) -> dict[str, Any]:
    """A value for each parameter's name: things of `lab` where there are some."""
    parent = builders.run(lab, state=State.RUNNING, id="shown")
    return {
        "ws": lab.name,
        "run_id": parent.id,
        "other": parent.id,
        "other_id": parent.id,
        "experiment": parent.experiment.name,
        "name": parent.experiment.name,
        "path": "outputs/model.pkl",
    }


def fill(route: str, values: dict[str, Any]) -> str:
    """The address with its parameters filled in; numbers and unknown texts get a value that no row has."""
    route = route.replace("^", "").replace("$", "").replace("\\Z", "")

    def value(match: re.Match[str]) -> str:
        converter, name = (match.group(1) or "str:")[:-1], match.group(2)
        if converter in ("int", "uuid"):
            return "1" if converter == "int" else "00000000-0000-0000-0000-000000000001"
        return str(values.get(name, "x"))

    return "/" + re.sub(r"<(\w+:)?(\w+)>", value, route)


NAMES = sorted({name for name, _ in addresses()})


def test_there_are_pages_to_test():
    assert len(NAMES) > 10 and {"sign-in", "tokens", "workspace-settings"} <= set(NAMES)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in PUBLIC])
def test_nobody_gets_in_without_signing_in(client, lab, name):
    values = samples(lab)
    for route in [route for known, route in addresses() if known == name]:
        for method in (client.get, client.post):
            answer = method(fill(route, values))
            assert answer.status_code in (302, 401, 403, 404, 405), (route, method, answer.status_code)
            assert answer.status_code != 302 or answer["Location"].startswith("/sign-in"), (route, answer["Location"])


@pytest.mark.parametrize("name", [name for name in NAMES if name not in PUBLIC | OWN])
def test_a_stranger_finds_nothing_of_another_workspace(client, lab, stranger, name):
    values = samples(lab)
    client.force_login(stranger)
    for route in [route for known, route in addresses() if known == name and "<" in route]:
        for method in (client.get, client.post):
            answer = method(fill(route, values))
            assert answer.status_code in (404, 405), (route, method, answer.status_code)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in PUBLIC | OWN])
def test_a_reader_changes_nothing(client, lab, reader, name):
    values = samples(lab)
    client.force_login(reader)
    for route in [route for known, route in addresses() if known == name and "<" in route]:
        before = client.get(fill(route, values)).status_code
        assert before < 500, (route, before)
        answer = client.post(fill(route, values))
        assert answer.status_code in (403, 404, 405), (route, answer.status_code)
