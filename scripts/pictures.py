"""Takes the pictures of README and docs from a running demo, in headless Chromium.

make demo                                        # in one terminal
.venv/bin/python scripts/pictures.py http://127.0.0.1:8000 admin PASSWORD docs/img
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

TABS = ("", "metrics", "images", "children", "outputs", "snapshot", "explanations", "fairness")


def sign_in(page: Page, url: str, user: str, password: str) -> None:
    """Through the form, as a person does."""
    page.goto(f"{url}/sign-in")
    page.fill("input[name=username]", user)
    page.fill("input[name=password]", password)
    page.click("main button[type=submit]")
    page.wait_for_url(lambda address: "sign-in" not in address)


def main(url: str, user: str, password: str, folder: Path) -> None:
    """The newest run of the demo, each of its tabs; run.png is Details."""
    folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"],
        )
        page = browser.new_page(viewport={"width": 1280, "height": 860}, color_scheme="light")
        sign_in(page, url, user, password)
        page.goto(f"{url}/w/atelier/experiments/diabetes-demo/")
        run = page.locator("a[href*='/runs/diabetes-demo_']").first.get_attribute("href")
        assert run, "there is no run of the demo yet"
        for tab in TABS:
            page.goto(f"{url}{run.rstrip('/')}/{tab + '/' if tab else ''}")
            page.wait_for_load_state("networkidle")
            page.screenshot(path=folder / f"{tab or 'run'}.png")
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], Path(sys.argv[4]))
