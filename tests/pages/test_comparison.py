"""Child runs at any depth, and runs side by side."""

from __future__ import annotations

import re

import orjson
import pytest

from runs.states import State
from tests import builders
from tests.pages import rich
from tests.pages.conftest import text


@pytest.fixture
def sweep(lab):
    """A parent with three children that differ in --rate, the first with a child of its own."""
    parent = builders.run(lab, id="parent", state=State.RUNNING)
    for place, (rate, accuracy) in enumerate(((0.1, 0.7), (0.2, 0.9), (0.3, 0.8))):
        child = builders.run(
            lab, parent=parent, id=f"c{place}", display_name=f"trial {place}", state=State.COMPLETED,
            definition={"arguments": ["--rate", str(rate), "--solver", "saga"]},
        )  # fmt: skip
        rich.log(child, "accuracy", [0.1, accuracy])
        if place == 0:
            rich.log(builders.run(lab, parent=child, id="deep", display_name="inner fold"), "accuracy", [0.5])
    return parent


def test_children_stand_as_a_tree_with_their_metrics_and_arguments(page, sweep):
    html = text(page(sweep, "children"))
    assert re.findall(r'class="name depth-(\d)"><a href="/w/lab/runs/(\w+)/"', html) == [
        ("1", "c0"), ("2", "deep"), ("1", "c1"), ("1", "c2"),
    ]  # fmt: skip
    assert "--rate" in html and ">0.9<" in html and ">0.3<" in html


def test_children_are_sorted_by_a_metric(page, sweep):
    order = re.findall(r'depth-\d"><a href="/w/lab/runs/(\w+)/"', text(page(sweep, "children", order="-accuracy")))
    assert order == ["c1", "c2", "c0", "deep"]


@pytest.mark.parametrize(("view", "traces"), [("over", 1), ("curves", 4), ("parallel", 4), ("scatter", 1)])
def test_charts_over_children(page, sweep, view, traces):
    made = orjson.loads(page(sweep, "children/figure", view=view, metric="accuracy").content)
    assert len(made["data"]) == traces


def test_a_metric_is_drawn_against_an_argument(page, sweep):
    made = orjson.loads(page(sweep, "children/figure", view="scatter", metric="accuracy", argument="rate").content)[
        "data"
    ][0]
    assert (made["x"], made["y"]) == ([0.1, 0.2, 0.3], [0.7, 0.9, 0.8])


def test_the_table_of_children_is_sent_again_when_one_is_added_or_logs(page, lab, sweep):
    seen = re.search(r"part=table&amp;seen=([^\"]+)", text(page(sweep, "children")))[1]
    assert page(sweep, "children", part="table", seen=seen).status_code == 204
    builders.run(lab, parent=sweep, display_name="late one")
    assert "late one" in text(page(sweep, "children", part="table", seen=seen))


def test_a_childs_page_leads_back_to_its_parents(page, sweep):
    from runs.models import Run

    html = text(page(Run.objects.get(pk="deep")))
    crumbs = html[html.index('class="crumbs"') : html.index("</nav>", html.index('class="crumbs"'))]
    assert crumbs.index("/runs/parent/") < crumbs.index("/runs/c0/")


def test_the_children_cost_as_many_queries_for_thirty_as_for_three(page, lab, sweep, django_assert_max_num_queries):
    counts = []
    for more in (0, 27):
        for place in range(more):
            rich.log(builders.run(lab, parent=sweep, id=f"m{place}"), "accuracy", [0.5])
        with django_assert_max_num_queries(22) as counted:
            page(sweep, "children")
        counts.append(len(counted))
    assert counts[0] == counts[1]


def test_runs_side_by_side_with_what_differs_marked(browser, lab, sweep):
    html = text(browser.get("/w/lab/compare/", {"run": ["c0", "c1"]}))
    rows = dict(re.findall(r'<tr( class="changed")?><th scope="row">([^<]+)</th>', html.replace("\n", "")) and [
        (name, bool(mark)) for mark, name in re.findall(r'<tr( class="changed")?><th scope="row">([^<]+)</th>', html)
    ])  # fmt: skip
    assert rows["rate"] and rows["accuracy"] and not rows["solver"] and not rows["Status"]
    assert "highest of these runs" in html


def test_only_the_differences_are_shown_on_request(browser, sweep):
    html = text(browser.get("/w/lab/compare/", {"run": ["c0", "c1"], "diff": 1}))
    assert ">rate<" in html and ">solver<" not in html


def test_curves_of_several_runs_lie_over_each_other(browser, sweep):
    made = orjson.loads(browser.get("/w/lab/compare/figure", {"run": ["c0", "c1", "c2"], "m": "accuracy"}).content)
    assert [trace["name"] for trace in made["data"]] == ["trial 0", "trial 1", "trial 2"]


def test_runs_of_other_workspaces_are_left_out_of_a_comparison(browser, lab, elsewhere, sweep):
    secret = builders.run(elsewhere, display_name="secret run")
    assert "secret run" not in text(browser.get("/w/lab/compare/", {"run": ["c0", secret.id]}))


def test_a_comparison_of_one_says_how_to_begin(browser, sweep):
    assert "Tick two or more runs" in text(browser.get("/w/lab/compare/", {"run": "c0"}))


def test_a_hundred_runs_can_stand_side_by_side(browser, lab, django_assert_max_num_queries):
    ids = []
    for place in range(100):
        run = builders.run(lab)
        rich.log(run, "accuracy", [place / 100])
        ids.append(run.id)
    with django_assert_max_num_queries(10):
        html = text(browser.get("/w/lab/compare/", {"run": ids}))
    assert html.count("/w/lab/runs/") >= 100
