"""The Explanations tab in Chromium: by keyboard alone, without JavaScript, with cohorts and several rows beside each other."""

from __future__ import annotations

import pytest

from tests.browser.test_insights import studied  # noqa: F401 - a fixture

pytestmark = [pytest.mark.chromium, pytest.mark.xdist_group("chromium")]
COHORT = {"Name": "right half", "Value of filter 1": "0"}


def tab_to(page, label, most=80):
    """Press Tab until the field with that label has the focus, as a person without a mouse does."""
    wanted = page.get_by_label(label, exact=True).first
    for _ in range(most):
        if wanted.evaluate("node => node === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{label!r} is not reached by Tab")


def test_everything_is_chosen_by_keyboard(open_page, studied, drawn):  # noqa: F811
    page = open_page(f"{studied}explanations/")
    drawn(page)
    tab_to(page, "Top features")
    page.keyboard.press("ArrowLeft")
    page.wait_for_url("**top=3**")
    tab_to(page, "Sorted by")
    page.keyboard.press("ArrowDown")
    page.wait_for_url("**sort=name**")
    tab_to(page, "Chart")
    page.keyboard.press("ArrowDown")
    page.wait_for_url("**chart=box**")
    page.get_by_role("columnheader", name="Median").wait_for()
    row = page.locator("input[name=p]").first
    value = row.get_attribute("value")
    tab_to(page, f"Row {value}", 120)
    page.keyboard.press("Space")
    page.get_by_role("heading", name=f"Row {value} ").wait_for()
    drawn(page, ".waterfalls .chart")
    page.locator(".waterfalls summary").first.focus()
    page.keyboard.press("Enter")
    assert page.get_by_role("rowheader", name="Expected value").is_visible()


def test_cohorts_and_rows_stand_beside_each_other_without_javascript(open_page, studied):  # noqa: F811
    page = open_page(f"{studied}explanations/", script=False)
    page.locator("summary").filter(has_text="Cohorts").click()
    page.locator("summary").filter(has_text="New cohort").click()
    for label, value in COHORT.items():
        page.get_by_label(label, exact=True).fill(value)
    page.get_by_label("Column of filter 1").select_option(label="strongest")
    page.get_by_label("Comparison of filter 1").select_option("gt")
    page.get_by_role("button", name="Save cohort").click()
    assert page.get_by_role("columnheader", name="right half").first.is_visible()
    page.get_by_label("Chart", exact=True).first.select_option("box")
    page.get_by_role("button", name="Show", exact=True).first.click()
    boxes = page.get_by_role("region", name="Importance by feature")
    assert boxes.get_by_role("cell", name="right half").count() == 4
    for box in page.locator("input[name=p]").all()[:3]:
        box.check()
    page.get_by_role("button", name="Show the picked rows").click()
    assert page.locator(".waterfalls article").count() == 3
    assert "Cohort" in boxes.inner_text(), "the choice of cohorts is kept"
    with page.expect_download() as download:
        page.get_by_role("region", name="Individual importance").get_by_role("link", name="CSV").click()
    lines = download.value.path().read_text().splitlines()
    assert lines[0] == "row,feature,value,adds" and len(lines) == 1 + 3 * 6


@pytest.mark.parametrize("phone", [False, True], ids=["wide", "phone"])
def test_swarms_of_cohorts_are_drawn_in_lanes_with_a_legend(open_page, studied, drawn, phone):  # noqa: F811
    from runs.models import Cohort, Run

    run = Run.objects.get(display_name="studied")
    for name, op in (("high", "gt"), ("low", "lt")):
        Cohort.objects.create(run=run, name=name, filters=[{"on": "f:strongest", "op": op, "value": "0"}])
    chosen = "&".join(f"cohort={c.pk}" for c in Cohort.objects.all())
    page = open_page(f"{studied}explanations/?chart=swarm&p=3&p=8&{chosen}", phone=phone, dark=phone)
    chart = page.locator(".chart").first
    chart.scroll_into_view_if_needed()
    drawn(page)
    assert chart.locator(".legendtext").all_text_contents() == ["All rows", "high", "low"]
    assert chart.locator(".scatterlayer .trace").count() == 12
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
