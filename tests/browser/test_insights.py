"""The Explanations and Fairness tabs in Chromium: choices in place, picked points, on a phone, by keyboard, without JavaScript."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from runs.actions import artifacts
from runs.insights.explanations import store as explanations
from runs.insights.fairness import store
from runs.insights.fairness.builder import build
from runs.models import raw
from runs.states import State
from tests import builders
from tests.browser.test_accessibility import broken_rules

pytestmark = [pytest.mark.chromium, pytest.mark.xdist_group("chromium")]
IDENTITY = "12345678-1234-1234-1234-123456789abc"


@pytest.fixture
def studied(shop):
    """A completed run with an explanation of 300 rows and a dashboard of two models."""
    run = builders.run(shop, state=State.COMPLETED, display_name="studied")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 4))
    truth = (x[:, 3] > 0).astype(int)
    p = 1 / (1 + np.exp(-x[:, 3]))
    local = np.stack([-x * np.arange(4), x * np.arange(4)])
    arrays = {
        "local_importance_values": local,
        "global_importance_values": np.abs(local).mean((0, 1)),
        "expected_values": np.array([-0.5, 0.5]),
        "eval_data": x,
        "eval_y_predicted": (p > 0.4).astype(int),
        "eval_y_predicted_proba": np.stack([1 - p, p], 1),
        "true_ys": truth,
    }
    put = lambda name, data: artifacts.put(raw.run_key(run.id), f"explanations/{IDENTITY}/{name}", io.BytesIO(data))  # noqa: E731
    for name, array in arrays.items():
        out = io.BytesIO()
        np.save(out, array)
        put(f"{name}.npy", out.getvalue())
    put("features.json", b'["small", "mild", "strong", "strongest"]')
    put("classes.json", b'["no", "yes"]')
    named = {**{n: f"{n}.npy" for n in arrays}, "features": "features.json", "classes": "classes.json"}
    meta = {"format": 1, "source": "interpret-community", "method": "shap_tree", "model_task": "classification"}
    put("explanation_metadata.json", json.dumps({**meta, "files": named}).encode())
    explanations.register(run.id, {"id": IDENTITY, "comment": "all rows"})
    groups = {"Age": np.where(x[:, 0] > 0, "over 50", "50 or younger"), "Sex": np.where(x[:, 1] > 0, "f", "m")}
    models = {"strict:1": (p > 0.6).astype(int), "loose:1": (p > 0.4).astype(int)}
    store.save(run, build("binaryClassification", truth, models, groups), "Fairness", validate_model_ids=False)
    return f"/w/lab/runs/{run.id}/"


@pytest.mark.parametrize("address", ["explanations/?p=3&chart=swarm", "fairness/"])
def test_neither_tab_breaks_a_rule_of_axe_with_everything_unfolded(open_page, studied, address):
    page = open_page(f"{studied}{address}")
    page.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
    found = broken_rules(page)
    assert not found, "\n".join(found)


def test_metrics_are_changed_in_place_by_keyboard(open_page, studied, drawn):
    page = open_page(f"{studied}fairness/")
    drawn(page)
    page.get_by_label("Fairness metric", exact=True).focus()
    page.keyboard.press("ArrowDown")
    page.wait_for_url("**disparity=demographic_parity_ratio**")
    page.get_by_role("term").filter(has_text="Demographic parity ratio").wait_for()
    page.get_by_label("Sensitive feature").select_option("Sex")
    page.get_by_role("heading", name="loose:1 by Sex").wait_for()
    assert page.get_by_label("Fairness metric", exact=True).input_value() == "demographic_parity_ratio"
    page.get_by_role("link", name="strict:1").click()
    page.get_by_role("heading", name="strict:1 by Sex").wait_for()


def test_a_clicked_point_opens_its_waterfall(open_page, studied, drawn):
    page = open_page(f"{studied}explanations/")
    chart = page.locator(".chart[data-pick]")
    chart.scroll_into_view_if_needed()
    drawn(page, ".chart[data-pick]")
    page.locator(".chart[data-pick] .points path").first.wait_for()
    page.locator(".chart[data-pick][data-picks]").wait_for()
    # plotly knows what is clicked once its hover label is up; charts above that are still being drawn move the point.
    # So a person would: point, look, click, and once more if nothing came of it.
    label = page.locator(".chart[data-pick] .hoverlayer .hovertext").first
    opened = page.locator(".waterfalls article").first
    for _ in range(20):
        box = page.locator(".chart[data-pick] .points path").nth(20).bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        page.mouse.move(x - 40, y - 40)
        page.mouse.move(x, y, steps=3)
        try:
            label.wait_for(timeout=2000)
            page.mouse.click(x, y, delay=50)
            opened.wait_for(timeout=5000)
        except PlaywrightTimeout:
            continue
        break
    opened.wait_for()
    assert "p=" in page.url
    page.get_by_label("Chart", exact=True).first.select_option("swarm")
    page.wait_for_url("**chart=swarm**")
    assert page.locator(".waterfalls article").count() == 1


@pytest.mark.parametrize("tab", ["explanations/?p=3&p=8", "fairness/"])
def test_both_tabs_fit_a_phone_in_the_dark(open_page, studied, drawn, tab):
    page = open_page(f"{studied}{tab}", phone=True, dark=True)
    page.locator(".chart").first.scroll_into_view_if_needed()
    drawn(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_both_tabs_are_tables_and_forms_without_javascript(open_page, studied):
    page = open_page(f"{studied}fairness/", script=False)
    page.get_by_label("Performance metric").select_option("recall_score")
    page.get_by_role("button", name="Show", exact=True).click()
    assert page.get_by_role("columnheader", name="Recall (true positive rate)").first.is_visible()
    page = open_page(f"{studied}explanations/", script=False)
    page.get_by_label("Row 5", exact=True).check() if page.get_by_label("Row 5", exact=True).count() else page.locator(
        "input[name=p]"
    ).first.check()
    page.get_by_role("button", name="Show the picked rows").click()
    assert page.locator(".waterfalls article").count() == 1
    page.locator(".waterfalls summary").click()
    assert page.get_by_role("rowheader", name="Expected value").is_visible()
