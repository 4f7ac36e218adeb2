"""A real Chromium before the real pages: one browser for the session, a fresh profile for each test."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from studio.workspace.models import Workspace
from tests.listening import listen

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

PHONE = {"width": 390, "height": 844}
DESK = {"width": 1380, "height": 900}


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The browser that tests/left_out.py found."""
    from playwright.sync_api import sync_playwright

    # Playwright keeps an event loop in this thread, for which Django would refuse each query of the tests.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=os.environ["CHROMIUM"], args=["--no-sandbox"])
        yield browser
        browser.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture(autouse=True)
def own_files(settings: Any, tmp_path: Any) -> None:
    """Contents go to the test's own folder."""
    settings.STORAGES = settings.STORAGES | {
        "default": {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": str(tmp_path)}}
    }


@pytest.fixture
def shop(transactional_db: None) -> Workspace:
    """The workspace of these tests: olga owns it."""
    from studio.workspace.models import Role
    from tests import people

    return people.workspace("lab", olga=Role.OWNER)


Open = Callable[..., "Page"]


@pytest.fixture
def open_page(chromium: Browser, live_server: Any, shop: Workspace, client: Any) -> Iterator[Open]:
    """open_page("/w/lab/", phone=True, dark=True, script=False): a page as olga sees it. Errors of its script fail the test."""
    from django.contrib.auth import get_user_model

    client.force_login(get_user_model().objects.get(username="olga"))
    cookie = client.cookies["sessionid"].value
    contexts: list[BrowserContext] = []
    problems: list[str] = []

    def open_(path: str, *, phone: bool = False, dark: bool = False, script: bool = True, quiet: bool = True) -> Page:
        context = chromium.new_context(
            viewport=PHONE if phone else DESK,
            color_scheme="dark" if dark else "light",
            java_script_enabled=script,
            base_url=live_server.url,
        )
        contexts.append(context)
        context.add_cookies([{"name": "sessionid", "value": cookie, "url": live_server.url}])
        page = context.new_page()
        page.set_default_timeout(20_000)
        listen(page, problems if quiet else [])
        page.goto(path)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert not problems, problems


@pytest.fixture
def drawn() -> Callable[[Page, str, int], None]:
    """drawn(page, "#chart-1", 2): wait until the chart has been drawn so often."""

    def wait(page: Page, selector: str = ".chart", times: int = 1) -> None:
        page.wait_for_function(
            "([s, n]) => { const c = document.querySelector(s); return c && Number(c.dataset.drawn || 0) >= n; }",
            arg=[selector, times],
        )

    return wait
