"""What a page's console says while a test looks at the page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playwright.sync_api import ConsoleMessage, Error, Page

# Tests of the Docker Engine beside these make and remove networks of the machine, and Chromium then cuts off what it loads.
ELSEWHERE = "net::ERR_NETWORK_CHANGED"
TRIES = 3


def listen(page: Page, problems: list[str]) -> None:
    """Errors of the page's scripts and policy go into `problems`. Where the machine's networks change while the page is
    opened, it is opened again; that it says so is no problem of the page."""
    cut: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        if message.type == "error":
            (cut if ELSEWHERE in message.text else problems).append(message.text)

    page.on("console", heard)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto = _again(page.goto, cut)  # type: ignore[method-assign]


def _again(goto: Callable[..., Any], cut: list[str]) -> Callable[..., Any]:
    def opened(*given: Any, tries: int = TRIES, **named: Any) -> Any:
        cut.clear()
        try:
            answer = goto(*given, **named)
        except Error as error:
            if tries == 1 or ELSEWHERE not in str(error):
                raise
        else:
            if tries == 1 or not cut:
                return answer
        return opened(*given, tries=tries - 1, **named)

    return opened
