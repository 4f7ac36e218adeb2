"""The Fairness tab by keyboard alone, without JavaScript, with two dashboards beside each other, on a phone."""

from __future__ import annotations

import json

import numpy as np
import pytest

from runs.insights import files
from runs.insights.fairness import store
from runs.insights.fairness.builder import build
from runs.models import Mitigation
from runs.states import State
from tests import builders

pytestmark = [pytest.mark.chromium, pytest.mark.xdist_group("chromium")]
CSV = "x,y,sex\n" + "".join(f"{i},{i % 2},{'fm'[i // 2 % 2]}\n" for i in range(40))


@pytest.fixture
def run(shop):
    """A completed run with two dashboards: three models of 200 rows, and probabilities; a CSV file to mitigate on."""
    made = builders.run(shop, state=State.COMPLETED, display_name="measured")
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 200)
    sensitive = {"Age": np.where(rng.random(200) < 0.1, "over 80", "80 or younger"), "Sex": rng.choice(["f", "m"], 200)}
    models = {f"m:{i}": np.where(rng.random(200) < 0.1 * i + 0.1, 1 - y, y) for i in range(3)}
    store.save(made, build("binaryClassification", y, models, sensitive), "Hard", validate_model_ids=False)
    score = np.clip(0.6 * y + rng.random(200) / 2, 0, 1)
    store.save(made, build("probability", y, {"soft:1": score}, sensitive), "Soft", validate_model_ids=False)
    files.write(made.id, "outputs/data.csv", CSV.encode())
    return made


@pytest.fixture
def hard(run):
    """The tab's address with the dashboard of three models."""
    return f"/w/lab/runs/{run.id}/fairness/?d={run.fairness_dashboards.get(name='Hard').pk}"


def tab_to(page, name, most=60):
    """Press Tab until the element with that accessible name has the focus."""
    look = "() => { const e = document.activeElement; return (e.labels?.[0]?.textContent || e.ariaLabel || e.textContent || '').trim(); }"
    for _ in range(most):
        page.keyboard.press("Tab")
        if page.evaluate(look).startswith(name):
            return
    raise AssertionError(f"no Tab leads to {name!r}")


def test_a_reader_compares_and_asks_for_mitigation_with_the_keyboard_alone(open_page, hard, run, drawn):
    page = open_page(hard)
    drawn(page)  # keys that are pressed while the chart library loads reach the page late, and letters one by one
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    tab_to(page, "Performance metric")
    page.keyboard.type("Recall")
    page.wait_for_url("**measure=recall_score**")
    page.get_by_role("columnheader", name="Recall (true positive rate)").first.wait_for()
    # What was chosen keeps the focus, so that the arrow keys go on from there.
    assert page.evaluate("document.activeElement.id") == "fair-measure"
    page.keyboard.press("ArrowDown")
    page.wait_for_url("**measure=specificity_score**")
    tab_to(page, "m:2")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="m:2 by Age").wait_for()
    tab_to(page, "Mitigate", most=90)
    page.keyboard.press("Enter")
    page.get_by_label("Label column (0 and 1)").wait_for()
    for name, text in (("Label column", "y"), ("Sensitive columns", "sex")):
        tab_to(page, name)
        page.keyboard.type(text)
    page.keyboard.press("Enter")
    page.get_by_text("1 child run trains under DemographicParity").wait_for()
    assert Mitigation.objects.get().spec["sensitive"] == ["sex"]
    assert page.get_by_role("heading", name="Mitigation").is_visible()


def test_without_javascript_the_forms_upload_mitigate_and_compare(open_page, hard, run, tmp_path):
    file = tmp_path / "mine.json"
    dictionary = json.loads(store.content(run.fairness_dashboards.get(name="Hard")))
    file.write_text(json.dumps({**dictionary, "predictedY": [[0, 1]] * 3}))
    page = open_page(hard, script=False)
    for sentence, content in (("'predictedY[0]' has 2 predictions for 200", None), ("Uploaded “By form”", dictionary)):
        if content:
            file.write_text(json.dumps(content))
        page.locator("#upload > summary").click()
        page.get_by_label("JSON file").set_input_files(file)
        page.get_by_label("Name", exact=True).fill("By form")
        page.get_by_label("Model names must be registered").uncheck()
        page.get_by_role("button", name="Upload").click()
        assert page.get_by_text(sentence).is_visible()
    page.get_by_label("Beside it").select_option("Soft")
    page.get_by_role("button", name="Show", exact=True).click()
    assert page.get_by_role("region", name="Measures by group").count() == 2
    page.locator("summary", has_text="Predictions").click()
    assert page.get_by_role("region", name="Predictions by group").is_visible()
    assert page.get_by_text("Fewer than 30 rows in over 80").count() == 2
    page.locator("#mitigate > summary").click()
    page.get_by_label("Label column (0 and 1)").fill("x")
    page.get_by_label("Sensitive columns").fill("sex")
    page.get_by_role("button", name="Start", exact=True).click()
    assert page.get_by_text("mitigation is for two classes").is_visible()
    page.locator("#mitigate > summary").click()
    page.get_by_label("Label column (0 and 1)").fill("y")
    page.get_by_label("Sensitive columns").fill("sex")
    page.get_by_role("button", name="Start", exact=True).click()
    assert page.get_by_role("link", name="GridSearch · DemographicParity").is_visible()
    page.get_by_role("button", name="Cancel what still runs").click()
    assert page.get_by_text("1 child run is asked to end").is_visible()


def test_two_dashboards_stand_beside_each_other_and_below_on_a_phone(open_page, hard, run, drawn):
    address = f"{hard}&beside={run.fairness_dashboards.get(name='Soft').pk}"
    page = open_page(address)
    for place in range(page.locator(".chart").count()):
        page.locator(".chart").nth(place).scroll_into_view_if_needed()
    drawn(page)
    left, right = (page.locator(".sides > .insight").nth(i).bounding_box() for i in (0, 1))
    assert right["x"] > left["x"] + left["width"] / 2 and abs(right["y"] - left["y"]) < 4
    page = open_page(address, phone=True, dark=True)
    left, right = (page.locator(".sides > .insight").nth(i).bounding_box() for i in (0, 1))
    assert right["y"] >= left["y"] + left["height"] and page.evaluate(
        "document.documentElement.scrollWidth <= innerWidth"
    )


def test_a_threshold_is_typed_in_place(open_page, run):
    page = open_page(f"/w/lab/runs/{run.id}/fairness/?d={run.fairness_dashboards.get(name='Soft').pk}")
    page.get_by_role("spinbutton", name="Threshold").fill("0.5")
    page.get_by_role("spinbutton", name="Threshold").press("Enter")
    page.wait_for_url("**threshold=0.5**")
    page.get_by_role("columnheader", name="Accuracy").first.wait_for()
    assert page.get_by_role("rowheader", name="Equalized odds difference").is_visible()
