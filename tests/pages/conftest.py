"""Fixtures of the page tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from django.test import Client

from runs.models import Run
from studio.workspace.models import Workspace

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.http import HttpResponse

Page = Callable[..., "HttpResponse"]


@pytest.fixture(autouse=True)
def own_files(settings, tmp_path):
    """Contents go to the test's own folder."""
    settings.STORAGES = settings.STORAGES | {
        "default": {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": str(tmp_path)}}
    }


@pytest.fixture
def browser(client: Client, owner: User, lab: Workspace) -> Client:
    """olga's browser."""
    client.force_login(owner)
    return client


@pytest.fixture
def page(browser: Client) -> Page:
    """GET a tab of a run: page(run, "metrics", m="loss", htmx=True)."""

    def get(
        run: Run, tab: str = "", *, htmx: bool = False, headers: dict[str, str] | None = None, **query: object
    ) -> HttpResponse:
        address = f"/w/{run.workspace.name}/runs/{quote(run.id, safe='')}/{tab}"
        if tab and "/" not in tab:
            address += "/"
        return browser.get(address, query, headers={**({"HX-Request": "true"} if htmx else {}), **(headers or {})})

    return get


def text(response: HttpResponse) -> str:
    """The page's HTML."""
    assert response.status_code == 200, (response.status_code, response.content[:400])
    return response.content.decode()


def body(response: HttpResponse) -> bytes:
    """The bytes of a streamed or plain answer."""
    return b"".join(response.streaming_content) if response.streaming else response.content
