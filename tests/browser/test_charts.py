"""Charts in Chromium: drawn under the strict policy, zoomed, refined, kept while points arrive."""

from __future__ import annotations

import numpy as np
import pytest

from runs.states import State
from tests import builders
from tests.pages import rich

pytestmark = [pytest.mark.chromium, pytest.mark.xdist_group("chromium")]


def zoom(page, selector: str, first: float, last: float) -> None:
    """Drag over the plot from one share of its width to another, as a reader does."""
    box = page.locator(f"{selector} .nsewdrag").first.bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * first, y)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * (first + last) / 2, y, steps=4)
    page.mouse.move(box["x"] + box["width"] * last, y, steps=4)
    page.mouse.up()


def range_of(page, selector: str) -> list[float]:
    return page.evaluate("s => document.querySelector(s)._fullLayout.xaxis.range.slice()", selector)


def test_every_kind_of_metric_is_drawn_without_breaking_the_policy(open_page, shop, drawn):
    run = rich.rich_run(shop)
    page = open_page(f"/w/lab/runs/{run.id}/metrics/")
    count = page.locator(".chart").count()
    assert count == 8
    for place in range(1, count + 1):
        page.locator(f"#chart-{place}").scroll_into_view_if_needed()
        drawn(page, f"#chart-{place}")
    assert page.locator(".chart .problem").count() == 0
    assert page.locator(".chart .main-svg").first.is_visible()


def test_a_zoom_asks_for_more_points_and_is_kept_while_points_arrive(open_page, shop, drawn):
    run = builders.run(shop, state=State.RUNNING)
    rich.log(run, "signal", np.sin(np.arange(40_000) / 500).tolist(), steps=list(range(40_000)))
    page = open_page(f"/w/lab/runs/{run.id}/metrics/")
    drawn(page)
    zoom(page, ".chart", 0.4, 0.5)
    page.wait_for_function(
        "() => document.querySelector('.chart').data[0].x.length > 1000 && document.querySelector('.chart').data[0].x[0] > 10000"
    )
    before = range_of(page, ".chart")
    assert 14_000 < before[0] < before[1] < 22_000
    inside = page.evaluate(
        "() => document.querySelector('.chart').data[0].x.filter(x => x > 16000 && x < 16100).length"
    )
    assert inside > 40, "between 16,000 and 16,100 the whole curve shows five points"
    rich.log(run, "signal", [0.5], steps=[40_000])
    times = page.evaluate("() => Number(document.querySelector('.chart').dataset.drawn)")
    drawn(page, ".chart", times + 1)
    assert range_of(page, ".chart") == before


def test_new_points_appear_while_the_run_goes_on_and_asking_ends_with_it(open_page, shop, drawn):
    run = builders.run(shop, state=State.RUNNING)
    rich.log(run, "loss", [3.0, 2.0])
    page = open_page(f"/w/lab/runs/{run.id}/metrics/")
    drawn(page)
    rich.log(run, "loss", [1.0])
    page.wait_for_function("() => document.querySelector('.chart').data[0].y.length === 3")
    type(run).objects.filter(pk=run.pk).update(state=State.COMPLETED)
    rich.log(run, "loss", [0.5])
    page.wait_for_function("() => document.querySelector('.chart').data[0].y.length === 4")
    page.wait_for_function("() => document.querySelector('.chart').dataset.live === undefined")


def test_smoothing_and_axes_change_the_chart_in_place_and_its_address(open_page, shop, drawn):
    run = builders.run(shop)
    rich.log(run, "loss", [1.0, 9.0] * 100)
    page = open_page(f"/w/lab/runs/{run.id}/metrics/")
    drawn(page)
    page.locator("#smooth").fill("0.9")
    page.wait_for_function("() => document.querySelector('.chart').data.length === 2")
    page.locator("input[name=logy]").check()
    page.wait_for_function("() => document.querySelector('.chart')._fullLayout.yaxis.type === 'log'")
    assert "smooth=0.9" in page.url and "logy=1" in page.url
    page.reload()
    drawn(page)
    assert page.evaluate("() => document.querySelector('.chart').data.length") == 2


def test_a_typed_chart_switches_its_view(open_page, shop, drawn):
    run = builders.run(shop)
    rich.document(run, "scores", "accuracy_table", rich.accuracy_table())
    page = open_page(f"/w/lab/runs/{run.id}/metrics/")
    drawn(page)
    page.locator("#view-1").select_option("Precision and recall")
    page.wait_for_function("() => document.querySelector('.chart').layout.xaxis.title.text === 'Recall'")


def test_the_values_behind_a_chart_open_as_a_table(open_page, shop, drawn):
    run = builders.run(shop)
    rich.log(run, "loss", [0.125, 0.25])
    page = open_page(f"/w/lab/runs/{run.id}/metrics/")
    page.get_by_text("Values", exact=True).first.click()
    page.get_by_role("cell", name="0.125").first.wait_for()


def test_a_million_points_are_on_screen_with_their_spike(open_page, shop, drawn):
    run = builders.run(shop)
    values = np.cumsum(np.random.default_rng(1).normal(size=1_000_000))
    values[777_777] = 1e6
    for at in range(0, 1_000_000, 100_000):
        rich.log(run, "signal", values[at : at + 100_000].tolist(), steps=list(range(at, at + 100_000)))
    page = open_page(f"/w/lab/runs/{run.id}/metrics/")
    drawn(page)
    x, y = page.evaluate(
        "() => [document.querySelector('.chart').data[0].x, document.querySelector('.chart').data[0].y]"
    )
    assert len(x) <= 2000 and max(y) == 1e6 and x[y.index(1e6)] == 777_777


def test_a_click_on_a_run_in_a_chart_opens_it(open_page, shop, drawn):
    run = builders.run(shop)
    rich.log(run, "accuracy", [0.5])
    page = open_page("/w/lab/experiments/trials/")
    drawn(page, "#runs-chart")
    page.locator("#runs-chart .points path").first.scroll_into_view_if_needed()
    box = page.locator("#runs-chart .points path").first.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=3)
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_url(f"**/w/lab/runs/{run.id}/")


def test_charts_follow_the_system_into_the_dark(open_page, shop, drawn):
    run = builders.run(shop)
    rich.log(run, "loss", [1.0, 2.0])
    page = open_page(f"/w/lab/runs/{run.id}/metrics/")
    drawn(page)
    light = page.evaluate("() => document.querySelector('.chart')._fullLayout.font.color")
    page.emulate_media(color_scheme="dark")
    drawn(page, ".chart", 2)
    assert page.evaluate("() => document.querySelector('.chart')._fullLayout.font.color") != light
