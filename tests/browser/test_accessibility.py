"""Every page by axe-core in light and dark, by keyboard alone, and without motion for those who ask for none."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe

from runs.states import State
from studio.compute import targets
from studio.environments import register
from studio.workspace import tokens
from studio.workspace.models import Model, ModelFile, ModelVersion
from tests import builders
from tests.environments.builders import definition
from tests.pages import rich

pytestmark = [pytest.mark.chromium, pytest.mark.xdist_group("chromium")]

# WCAG 2.2 A and AA, and axe's own advice on landmarks and headings.
RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
}

# All that differs in the dark.
COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast"]}, "resultTypes": ["violations"]}


@pytest.fixture
def furnished(shop):
    """A workspace with something on every page; the addresses of all pages in it."""
    from django.contrib.auth import get_user_model

    run = rich.rich_run(shop)
    rich.document(run, "of three", "confusion_matrix", {
        "schema_type": "confusion_matrix", "schema_version": "v1",
        "data": {"class_labels": ["a", "b", "c"], "matrix": [[9, 1, 0], [2, 7, 1], [0, 3, 8]]},
    })  # fmt: skip
    live = rich.rich_run(shop, seed=1, state=State.RUNNING)
    failed = rich.rich_run(
        shop, seed=2, state=State.FAILED, error_code="ValueError", error_message="ValueError: odd",
        error_details="Traceback\nValueError: odd",
    )  # fmt: skip
    bare = builders.run(shop, state=State.COMPLETED, display_name="bare")
    for place in range(3):
        rich.log(
            builders.run(shop, parent=run, state=State.COMPLETED, display_name=f"fold {place}"), "loss", [0.5, place]
        )
    model = Model.objects.create(workspace=shop, name="diabetes", last_version=1)
    version = ModelVersion.objects.create(model=model, version=1, run_id=run.id, tags={"stage": "trial"})
    ModelFile.objects.create(version=version, path="model.pkl", size=9, sha256="0" * 64)
    for number in ("3.10", "3.11"):
        register.register(shop, definition("mine", pip=[f"idna=={number}"]), "olga")
    targets.create(shop, "olga", name="cpu", vm_size="STANDARD_D2_V2", max_nodes=2, backend="process")
    tokens.make(get_user_model().objects.get(username="olga"), "laptop")
    tabs = ["", "metrics/", "images/", "images/?name=ROC", "children/", "outputs/", "snapshot/"]
    return [
        *(f"/w/lab/runs/{run.id}/{tab}" for tab in tabs),
        *(f"/w/lab/runs/{run.id}/{page}" for page in ("edit", "delete", "register", "usage", "metrics/values?m=loss")),
        f"/w/lab/runs/{run.id}/outputs/?file=outputs/patients.csv",
        f"/w/lab/runs/{run.id}/snapshot/?with={failed.id}", f"/w/lab/compare/?run={run.id}&run={failed.id}",
        f"/w/lab/runs/{live.id}/", f"/w/lab/runs/{failed.id}/",
        *(f"/w/lab/runs/{bare.id}/{tab}" for tab in tabs[1:]),
        "/w/lab/", "/w/lab/experiments/", "/w/lab/experiments/diabetes/", "/w/lab/experiments/diabetes/?status=Queued",
        "/w/lab/models/", "/w/lab/models/diabetes/", "/w/lab/models/diabetes/1/", "/w/lab/models/diabetes/1/edit",
        "/w/lab/environments/", "/w/lab/environments/mine/", "/w/lab/environments/mine/compare/?from=1&to=2",
        "/w/lab/environments/-/builds/", "/w/lab/environments/-/images/", "/w/lab/compute/", "/w/lab/compute/new",
        "/w/lab/compute/cpu/", "/w/lab/compute/local/", "/w/lab/queue/", "/w/lab/settings", "/account/tokens",
        "/account/password", "/workspaces/new", "/api/v1/docs",
    ]  # fmt: skip


def settled(page) -> None:
    """Every chart in view is drawn and nothing is under way."""
    page.wait_for_function(
        """() => ![...document.querySelectorAll('.chart[data-figure-url]')].some((c) =>
             c.getBoundingClientRect().top < innerHeight && !c.dataset.drawn && !c.querySelector('.problem'))
             && !document.querySelector('.htmx-request')"""
    )


def broken_rules(page) -> list[str]:
    """What axe finds on a page, first in light by all rules, then in the dark by those on colours."""
    axe, found = Axe(), []
    for scheme, rules in (("light", RULES), ("dark", COLOURS)):
        page.emulate_media(color_scheme=scheme)
        settled(page)
        for rule in axe.run(page, options=rules).response["violations"]:
            found += [f"{scheme}, {rule['id']}: {node['html'][:140]}" for node in rule["nodes"][:3]]
    return found


def test_no_page_breaks_a_rule_of_axe(open_page, furnished):
    page = open_page("/w/lab/")
    broken = {}
    for path in furnished:
        page.goto(path)
        if found := broken_rules(page):
            broken[path] = found
    assert not broken, "\n".join(f"{path}\n  " + "\n  ".join(found) for path, found in broken.items())


def test_the_sign_in_page_breaks_no_rule_either(open_page, shop):
    page = open_page("/w/lab/")
    page.context.clear_cookies()
    page.goto("/sign-in")
    assert not Axe().run(page, options=RULES).response["violations"]


def test_each_page_has_a_title_of_its_own_and_one_main_heading(open_page, furnished):
    page = open_page("/w/lab/", script=False)
    titles: dict[str, str] = {}
    for path in furnished:
        page.goto(path)
        heading = page.locator("h1").all_inner_texts()
        assert len(heading) == 1 and heading[0].strip(), path
        titles.setdefault(page.title(), path)
        # A file, a filter or a pair is the same page with another content.
        assert titles[page.title()].partition("?")[0] == path.partition("?")[0], (path, titles[page.title()])


WALK = """() => {
  const at = document.activeElement, box = at.getBoundingClientRect(), style = getComputedStyle(at);
  const shown = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 1.5;
  const inside = box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
  const all = [...document.querySelectorAll('a[href], button, input, select, textarea, summary, iframe, [tabindex]')];
  return { tag: at.outerHTML.slice(0, 120), place: all.indexOf(at), shown, inside, body: at === document.body };
}"""


@pytest.mark.parametrize("path", ["", "metrics/", "outputs/"])
def test_tab_goes_through_a_page_in_its_order_and_is_seen_everywhere(open_page, shop, drawn, path):
    run = rich.rich_run(shop)
    page = open_page(f"/w/lab/runs/{run.id}/{path}")
    settled(page)
    last, problems = -1, []
    for _ in range(150):
        page.keyboard.press("Tab")
        at = page.evaluate(WALK)
        if at["body"] or at["place"] <= last:
            break
        last = at["place"]
        if not at["shown"] or not at["inside"]:
            problems.append(("not marked" if at["inside"] else "out of sight") + ": " + at["tag"])
    assert last > 15 and not problems, problems
    # The last stop is the page's last control: nothing traps the keyboard, and no log line is a stop of its own.
    assert page.locator("a.line[tabindex='-1']").count() == page.locator("a.line").count()


def test_a_menu_opens_closes_and_gives_the_keyboard_back(open_page, shop):
    builders.run(shop, display_name="one")
    page = open_page("/w/lab/experiments/trials/")
    menu = page.locator(".filters details.menu > summary")
    menu.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.closest('details.menu').open")
    page.keyboard.press("Escape")
    assert menu.evaluate("n => document.activeElement === n && !n.parentElement.open")


def test_nothing_moves_for_those_who_ask_for_stillness(open_page, shop, drawn):
    run = builders.run(shop, state=State.RUNNING)
    rich.log(run, "loss", [1.0, 2.0])
    page = open_page(f"/w/lab/runs/{run.id}/metrics/")
    moving = "() => document.getAnimations().filter((a) => a.playState === 'running').length"
    page.wait_for_function("() => document.getAnimations().length > 0")
    page.emulate_media(reduced_motion="reduce")
    drawn(page)
    assert page.evaluate(moving) == 0


def test_a_piece_that_refreshes_itself_leaves_what_a_reader_did_in_it(open_page, shop):
    targets.create(shop, "olga", name="cpu", vm_size="STANDARD_D2_V2", max_nodes=2, backend="process")
    page = open_page("/w/lab/compute/cpu/")
    table = page.locator("details", has_text="Table").first
    table.locator("summary").focus()
    page.keyboard.press("Enter")
    page.evaluate("() => { document.querySelector('details[open] summary').dataset.old = '1'; }")
    page.wait_for_function("() => !document.querySelector('[data-old]')")  # it was swapped
    assert table.evaluate("n => n.open && document.activeElement === n.querySelector('summary')")
    table.locator("summary").press("Enter")
    page.evaluate("() => { document.querySelector('main details summary').dataset.old = '1'; }")
    page.wait_for_function("() => !document.querySelector('[data-old]')")
    assert not table.evaluate("n => n.open")


def test_a_tag_being_written_is_not_lost_when_the_runs_refresh(open_page, shop):
    run = builders.run(shop, state=State.RUNNING, display_name="r0")
    page = open_page("/w/lab/experiments/trials/")
    field = page.get_by_label("Tag for the ticked runs")
    field.press_sequentially("stage=tri")
    rich.log(run, "loss", [1.0])
    page.locator("th", has_text="loss").wait_for()  # the new column came with the refresh
    assert field.input_value() == "stage=tri" and field.evaluate("n => document.activeElement === n")
