"""The pages in Chromium: live, by keyboard, without JavaScript, on a phone, and with hostile files."""

from __future__ import annotations

import pytest

from runs.lifecycle import move
from runs.models import Log, LogChunk, Run
from runs.states import State
from tests import builders, people
from tests.pages import rich

pytestmark = [pytest.mark.chromium, pytest.mark.xdist_group("chromium")]
DRIVER = "azureml-logs/70_driver_log.txt"
TABS = ("", "metrics/", "images/", "children/", "outputs/", "snapshot/", "explanations/", "fairness/")


def test_a_state_changes_on_the_open_page(open_page, shop):
    run = builders.run(shop, state=State.RUNNING, kind="script")
    page = open_page(f"/w/lab/runs/{run.id}/")
    assert page.locator("h1 .pill").inner_text() == "Running"
    move(
        run,
        State.FAILED,
        error_code="ValueError",
        error_message="ValueError: odd",
        error_details="Traceback\nValueError: odd",
    )
    page.locator("h1 .pill.bad").wait_for()
    page.locator(".card.bad", has_text="ValueError: odd").wait_for()
    page.get_by_role("link", name="Delete").wait_for()


def test_a_log_follows_while_it_grows_and_stays_where_the_reader_scrolled(open_page, shop):
    run = builders.run(shop, state=State.RUNNING)
    log = rich.live_log(run, DRIVER, b"".join(b"line %d\n" % i for i in range(300)))

    def write(text: bytes) -> None:
        size = Log.objects.get(pk=log.pk).size
        LogChunk.objects.create(log=log, offset=size, data=text)
        Log.objects.filter(pk=log.pk).update(size=size + len(text))

    page = open_page(f"/w/lab/runs/{run.id}/outputs/")
    page.get_by_text("line 299", exact=True).wait_for()
    at_end = "() => { const l = document.querySelector('[data-log]'); return l.scrollHeight - l.scrollTop - l.clientHeight < 60; }"
    assert page.evaluate(at_end)
    write(b"fresh line\n")
    page.get_by_text("fresh line", exact=True).wait_for()
    page.wait_for_function(at_end)
    page.evaluate("() => { document.querySelector('[data-log]').scrollTop = 0; }")
    page.wait_for_function("() => !document.querySelector('[data-follow]').checked")
    write(b"later line\n")
    page.locator("li", has_text="later line").wait_for(state="attached")
    assert page.evaluate("() => document.querySelector('[data-log]').scrollTop") == 0
    assert [int(n) for n in page.locator("#log-lines li .line").all_inner_texts()] == list(range(1, 303))


def test_the_link_of_a_failed_run_brings_its_line_into_view(open_page, shop):
    run = builders.run(
        shop, state=State.FAILED, error_message="ValueError: here", error_details="Traceback\nValueError: here"
    )
    lines = [f"line {i}" for i in range(2000)]
    lines[700] = "ValueError: here"
    rich.artifact(run, DRIVER, "\n".join(lines).encode(), "text/plain")
    page = open_page(f"/w/lab/runs/{run.id}/")
    page.get_by_role("link", name="Open the log at this line").click()
    found = page.locator("#L701")
    found.wait_for()
    assert found.evaluate(
        "n => { const a = n.getBoundingClientRect(), b = n.closest('[data-log]').getBoundingClientRect(); return a.top >= b.top && a.bottom <= b.bottom; }"
    )


def test_a_slider_goes_through_the_images_of_a_name(open_page, shop):
    run = rich.rich_run(shop)
    page = open_page(f"/w/lab/runs/{run.id}/images/")
    album = page.locator("[data-album]")
    album.locator("input[type=range]").fill("0")
    assert "ROC_1.png" in album.locator("img").get_attribute("src")
    album.locator("[data-album-link]").click()
    page.locator(".viewer h2", has_text="ROC").wait_for()
    assert "ROC_1.png" in page.locator(".viewer img").get_attribute("src")
    page.keyboard.press("ArrowRight")
    page.wait_for_function("() => document.querySelector('.viewer img').src.includes('ROC_5.png')")


def test_an_html_file_is_shown_and_its_script_does_not_run(open_page, shop):
    run = rich.rich_run(shop)
    page = open_page(f"/w/lab/runs/{run.id}/outputs/?file=outputs/report.html", quiet=False)
    frame = page.frame_locator("iframe.preview-document")
    frame.locator("h1", has_text="Report").wait_for()
    assert "owned" not in page.title() and page.frames[1].title() != "owned"
    page.goto(f"/w/lab/runs/{run.id}/outputs/raw?file=outputs/report.html")
    assert page.title() != "owned" and page.evaluate("() => self.origin") == "null"


def test_bulk_buttons_wait_for_ticks_and_the_live_table_keeps_them(open_page, shop):
    runs = [builders.run(shop, state=State.RUNNING, display_name=f"r{i}") for i in range(3)]
    page = open_page("/w/lab/experiments/trials/")
    compare = page.get_by_role("button", name="Compare")
    assert compare.is_disabled()
    page.get_by_label("Tick r0", exact=True).check()
    assert compare.is_disabled() and page.get_by_role("button", name="Archive").last.is_enabled()
    rich.log(runs[2], "loss", [1.0])
    page.get_by_label("Tick r1", exact=True).check()
    asked = "() => new Promise((r) => document.body.addEventListener('htmx:beforeRequest', (e) => r(e.target.id), { once: true }))"
    assert page.evaluate(asked) == "runs-table"
    assert page.get_by_label("Tick r0", exact=True).is_checked() and page.get_by_text("2 selected").is_visible()
    compare.click()
    page.wait_for_url("**/compare/**")
    page.locator("h1", has_text="2 runs compared").wait_for()


def test_the_pages_are_used_by_keyboard(open_page, shop):
    run = rich.rich_run(shop)
    page = open_page(f"/w/lab/runs/{run.id}/")
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("() => document.activeElement.id") == "content"
    page.locator(".bar details.menu summary").last.focus()
    page.keyboard.press("Enter")
    assert page.get_by_role("link", name="Access tokens").is_visible()
    page.keyboard.press("Escape")
    assert not page.get_by_role("link", name="Access tokens").is_visible()
    outline = "() => getComputedStyle(document.activeElement).outlineStyle"
    page.locator(".tabs a").first.focus()
    page.keyboard.press("Tab")
    assert page.evaluate(outline) == "solid"


def test_everything_reads_without_javascript(open_page, shop):
    run = rich.rich_run(shop)
    builders.run(shop, parent=run, display_name="child one")
    page = open_page(f"/w/lab/runs/{run.id}/", script=False)
    page.get_by_role("link", name="Metrics", exact=True).click()
    assert page.get_by_role("row", name="loss").first.is_visible()
    page.get_by_role("link", name="Outputs + Logs").click()
    assert page.get_by_text("done with 0.100").is_visible()
    page.get_by_label(f"Search in {DRIVER}").fill("done with")
    page.get_by_role("button", name="Search").click()
    assert page.locator(".hits a").count() == 1
    page.get_by_role("link", name="Child Runs").click()
    assert page.get_by_role("link", name="child one").is_visible()
    page.get_by_role("link", name="diabetes").first.click()
    page.get_by_label("Status").select_option("Failed")
    page.get_by_role("button", name="Apply").click()
    assert page.get_by_text("No run passes the filters").is_visible()
    page.goto(f"/w/lab/runs/{run.id}/edit")
    page.get_by_label("Name").fill("renamed")
    page.get_by_role("button", name="Save").click()
    assert page.get_by_role("heading", level=1).inner_text().startswith("renamed")


AUDIT = """() => {
  const nameless = (n) => !(n.getAttribute('aria-label') || n.textContent.trim() || n.title || (n.labels && n.labels.length)
    || n.querySelector('[aria-label], title, img[alt]:not([alt=""])') || n.placeholder && n.getAttribute('aria-label'));
  const said = (n) => n.outerHTML.slice(0, 120);
  const found = [];
  document.querySelectorAll('a[href], button, input:not([type=hidden]), select, textarea, summary').forEach((n) => { if (nameless(n)) found.push('no name: ' + said(n)); });
  document.querySelectorAll('img:not([alt])').forEach((n) => found.push('no alt: ' + said(n)));
  document.querySelectorAll('table').forEach((t) => { if (!t.querySelector('th[scope]')) found.push('no headers: ' + said(t)); });
  document.querySelectorAll('[style]').forEach((n) => { if (!n.closest('.js-plotly-plot, #js-plotly-tester')) found.push('style attribute: ' + said(n)); });
  if (document.querySelectorAll('h1').length !== 1) found.push('h1: ' + document.querySelectorAll('h1').length);
  const ids = [...document.querySelectorAll('[id]')].map((n) => n.id);
  ids.filter((id, i) => ids.indexOf(id) !== i).forEach((id) => { if (!document.getElementById(id).closest('svg')) found.push('twice: #' + id); });
  if (!document.documentElement.lang) found.push('no language');
  return found;
}"""


def test_no_page_is_wider_than_a_phone_and_every_control_has_a_name(open_page, shop):
    run = rich.rich_run(shop)
    other = rich.rich_run(shop, seed=1, state=State.RUNNING)
    builders.run(shop, parent=run, display_name="a child with a name that is rather long and has no spaces_" + "x" * 60)
    paths = [f"/w/lab/runs/{run.id}/{tab}" for tab in TABS]
    paths += [
        "/w/lab/", "/w/lab/experiments/", "/w/lab/experiments/diabetes/", f"/w/lab/runs/{run.id}/edit", f"/w/lab/runs/{other.id}/",
        f"/w/lab/runs/{run.id}/delete", f"/w/lab/runs/{run.id}/register", "/w/lab/models/",
        f"/w/lab/compare/?run={run.id}&run={other.id}", f"/w/lab/runs/{run.id}/snapshot/?with={other.id}", "/account/tokens",
    ]  # fmt: skip
    problems: dict[str, list[str]] = {}
    for phone in (True, False):
        page = open_page("/w/lab/", phone=phone, dark=phone)
        for path in paths:
            page.goto(path)
            over = page.evaluate("() => document.documentElement.scrollWidth - innerWidth")
            found = page.evaluate(AUDIT) + ([f"{over} px too wide"] if over > 0 else [])
            if found:
                problems[f"{path} {'phone' if phone else 'desk'}"] = found
    assert not problems, problems
    assert Run.objects.count() == 3


def test_a_description_is_edited_where_it_stands(open_page, shop):
    run = builders.run(shop, display_name="before", state=State.COMPLETED)
    page = open_page(f"/w/lab/runs/{run.id}/")
    page.get_by_role("link", name="Edit name, description, tags").click()
    page.get_by_label("Name").fill("after")
    page.get_by_label("Tags").fill("kept=yes")
    assert page.url.endswith(f"/runs/{run.id}/")
    page.get_by_role("button", name="Save").click()
    page.locator("h1", has_text="after").wait_for()
    assert page.locator(".tag", has_text="kept").is_visible()


def test_forms_work_without_javascript(open_page, shop):
    people.person("nina")
    run = builders.run(shop, state=State.COMPLETED, display_name="r0")
    page = open_page("/w/lab/settings", script=False)
    assert not page.get_by_role("button", name="Copy").is_visible(), "a button that would do nothing"
    page.get_by_label("Account to add").fill("nina")
    page.get_by_role("button", name="Add").click()
    page.get_by_label("Role of nina", exact=True).select_option("Reader")
    page.get_by_role("button", name="Save the role of nina").click()
    assert page.get_by_label("Role of nina", exact=True).locator("option[selected]").inner_text() == "Reader"
    page.get_by_role("button", name="Take nina out").click()
    assert not page.get_by_role("row", name="nina").is_visible()
    page.goto("/account/tokens")
    page.get_by_label("Name").fill("laptop")
    page.get_by_role("button", name="Make a token").click()
    assert page.locator("#made-token").inner_text().startswith("atp_")
    page.goto("/w/lab/compute/new")
    page.get_by_label("Name").fill("cpu")
    page.get_by_role("button", name="Create").click()
    assert page.get_by_role("heading", level=1).inner_text() == "cpu"
    page.goto("/w/lab/experiments/trials/")
    page.get_by_label("Tick r0", exact=True).check()
    page.get_by_label("Tag for the ticked runs").fill("kept=yes")
    page.get_by_role("button", name="Tag", exact=True).click()
    assert page.get_by_role("cell", name="kept yes").is_visible()
    page.goto(f"/w/lab/runs/{run.id}/")
    page.get_by_role("link", name="Delete").click()
    page.get_by_role("button", name="Delete").click()
    assert not Run.objects.filter(pk=run.pk).exists()
