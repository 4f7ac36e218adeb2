"""Home, experiments, an experiment's runs: filters, order, paging, several at once, and the cost of it."""

from __future__ import annotations

import datetime as dt
import re

import orjson
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from runs.models import Experiment, Run, RunTag
from runs.queries import overview
from runs.states import State
from studio.workspace.models import Membership, Role
from tests import builders, people
from tests.pages import rich
from tests.pages.conftest import text

HREF = re.compile(r'<th scope="row" class="name"><a href="/w/lab/runs/([^/"]+)/"')


def shown(answer) -> list[str]:
    return HREF.findall(text(answer))


def runs_of(lab, count: int, **fields) -> list[Run]:
    now = timezone.now()
    return [builders.run(lab, created_at=now - dt.timedelta(minutes=i), **fields) for i in range(count)]


def test_the_start_page_leads_into_the_only_workspace_and_lists_several(client, lab, owner):
    client.force_login(owner)
    assert client.get("/")["Location"] == "/w/lab/"
    Membership.objects.create(workspace=people.workspace("second"), user=owner, role=Role.READER)
    html = text(client.get("/"))
    assert "/w/lab/" in html and "/w/second/" in html


def test_an_empty_workspace_says_how_to_begin(browser):
    html = text(browser.get("/w/lab/"))
    assert "Workspace.from_config()" in html and "/account/tokens" in html


def test_home_shows_what_runs_now_and_says_204_while_that_stays(browser, lab):
    builders.run(lab, state=State.RUNNING, display_name="busy bee")
    builders.run(lab, state=State.COMPLETED, display_name="done deal")
    html = text(browser.get("/w/lab/"))
    assert html.count("busy bee") == 2 and html.count("done deal") == 1
    seen = re.search(r"part=now&amp;seen=([^\"]+)", html)[1]
    assert browser.get(f"/w/lab/?part=now&seen={seen}").status_code == 204


def test_experiments_come_by_their_newest_run_and_by_the_page(browser, lab):
    now = timezone.now()
    for place in range(60):
        builders.run(lab, experiment_name=f"e{place:02d}", created_at=now - dt.timedelta(hours=place))
    first = text(browser.get("/w/lab/experiments/"))
    following = re.search(r'href="(\?[^"]*)" rel="next"', first)[1].replace("&amp;", "&")
    second = text(browser.get(f"/w/lab/experiments/{following}"))
    names = [re.findall(r'class="name"><a href="/w/lab/experiments/(e\d\d)/', html) for html in (first, second)]
    assert names[0] + names[1] == [f"e{place:02d}" for place in range(60)]
    assert re.findall(r"experiments/(e\d\d)/", text(browser.get("/w/lab/experiments/?q=e3"))) == [
        f"e3{i}" for i in range(10)
    ]


def test_an_archived_experiment_leaves_the_list_and_comes_back(browser, lab):
    builders.experiment(lab, "old")
    browser.post("/w/lab/experiments/old/edit", {"do": "archive"})
    assert "/experiments/old/" not in text(browser.get("/w/lab/experiments/"))
    assert "/experiments/old/" in text(browser.get("/w/lab/experiments/?archived=1"))
    browser.post("/w/lab/experiments/old/edit", {"do": "activate"})
    assert "/experiments/old/" in text(browser.get("/w/lab/experiments/"))


def test_an_experiment_is_described_in_markdown(browser, lab):
    builders.experiment(lab, "noted")
    browser.post("/w/lab/experiments/noted/edit", {"description": "about *this*"})
    assert "<em>this</em>" in text(browser.get("/w/lab/experiments/noted/"))


def test_an_experiment_whose_name_has_odd_characters_has_a_page(browser, lab):
    name = "a/b c?d#é"
    builders.run(lab, experiment_name=name)
    link = re.search(r'href="(/w/lab/experiments/a[^"]+)"', text(browser.get("/w/lab/experiments/")))[1]
    assert "é" in text(browser.get(link)) and len(shown(browser.get(link))) == 1


def test_runs_come_newest_first_and_each_once_over_the_pages(browser, lab):
    expected = [run.id for run in runs_of(lab, 120)]
    found, address = [], "/w/lab/experiments/trials/"
    while address:
        html = text(browser.get(address))
        found += HREF.findall(html)
        match = re.search(r'href="(\?[^"]*)" rel="next"', html)
        address = "/w/lab/experiments/trials/" + match[1].replace("&amp;", "&") if match else None
    assert found == expected


def test_runs_are_sorted_by_a_metric_in_both_directions_and_those_without_come_last(browser, lab):
    runs = runs_of(lab, 4)
    for run, value in zip(runs[:3], (0.2, 0.9, 0.5), strict=True):
        rich.log(run, "accuracy", [value])
    down = shown(browser.get("/w/lab/experiments/trials/?order=-metric:accuracy"))
    up = shown(browser.get("/w/lab/experiments/trials/?order=metric:accuracy"))
    assert down == [runs[i].id for i in (1, 2, 0, 3)] and up == [runs[i].id for i in (0, 2, 1, 3)]


def test_runs_are_filtered_by_status_tag_metric_and_name(browser, lab):
    done, failed, other = (
        builders.run(lab, state=state, display_name=name)
        for state, name in ((State.COMPLETED, "good"), (State.FAILED, "bad_one"), (State.COMPLETED, "plain"))
    )
    RunTag.objects.create(run=done, experiment_id=done.experiment_id, key="model", value="lasso")
    rich.log(other, "accuracy", [0.7])
    for query, expected in (
        ({"status": "Failed"}, [failed.id]),
        ({"tag": "model=lasso"}, [done.id]),
        ({"tag": "model"}, [done.id]),
        ({"metric": "accuracy", "op": "ge", "value": "0.7"}, [other.id]),
        ({"metric": "accuracy", "op": "gt", "value": "0.7"}, []),
        ({"metric": "accuracy"}, [other.id]),
        ({"q": "BAD_"}, [failed.id]),
        ({"q": "%"}, []),
    ):
        assert shown(browser.get("/w/lab/experiments/trials/", query)) == expected, query


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"status": "Odd"}, "no status"),
        ({"metric": "a", "value": "many"}, "is no number"),
        ({"order": "size"}, "order is"),
        ({"cursor": "x"}, "cursor"),
        ({"metric": "a", "op": "like", "value": "1"}, "comparison"),
    ],
)
def test_a_filter_that_can_t_be_is_a_sentence_on_the_page(browser, lab, query, words):
    builders.run(lab)
    html = text(browser.get("/w/lab/experiments/trials/", query))
    assert 'role="alert"' in html and words in html


def test_metric_columns_are_chosen(browser, lab):
    run = builders.run(lab)
    rich.log(run, "accuracy", [0.25])
    rich.log(run, "loss", [0.75])
    html = text(browser.get("/w/lab/experiments/trials/", {"metrics": "loss", "columns": 1}))
    assert ">0.75<" in html and ">0.25<" not in html


def test_child_runs_and_archived_runs_are_shown_on_request(browser, lab):
    parent = builders.run(lab)
    child = builders.run(lab, parent=parent)
    away = builders.run(lab, archived_at=timezone.now())
    address = "/w/lab/experiments/trials/"
    assert shown(browser.get(address)) == [parent.id]
    assert set(shown(browser.get(address, {"children": 1}))) == {parent.id, child.id}
    assert shown(browser.get(address, {"archived": 1})) == [away.id]


def test_the_chart_over_runs_has_a_point_for_each_run_that_logged_it(browser, lab):
    runs = runs_of(lab, 3)
    for run, value in zip(runs[:2], (0.2, 0.9), strict=True):
        rich.log(run, "accuracy", [value])
    made = orjson.loads(browser.get("/w/lab/experiments/trials/figure", {"chart": "accuracy"}).content)["data"][0]
    assert made["y"] == [0.9, 0.2] and made["customdata"][1] == f"/w/lab/runs/{runs[0].id}/"


def test_ticked_runs_are_tagged_archived_and_cancelled_at_once(browser, lab):
    live, done = builders.run(lab, state=State.RUNNING), builders.run(lab, state=State.COMPLETED)
    ids = {"run": [live.id, done.id]}
    address = "/w/lab/experiments/trials/bulk"
    browser.post(address, ids | {"do": "tag", "tag": "kept=yes"})
    assert RunTag.objects.filter(key="kept", value="yes").count() == 2
    html = browser.post(address, ids | {"do": "cancel"}, follow=True).content.decode()
    assert "1 run was asked to cancel" in html and "nothing to cancel" in html
    browser.post(address, ids | {"do": "archive"})
    assert Run.objects.filter(archived_at=None).count() == 0
    browser.post(address, ids | {"do": "activate"})
    assert Run.objects.filter(archived_at=None).count() == 2
    assert "Tick the runs first" in browser.post(address, {"do": "archive"}, follow=True).content.decode()


def test_a_run_with_many_tags_takes_the_room_of_a_few(browser, lab):
    run = builders.run(lab, display_name="tagged")
    for place in range(9):
        RunTag.objects.create(run=run, experiment_id=run.experiment_id, key=f"tag{place}", value="x")
    html = text(browser.get("/w/lab/experiments/trials/"))
    assert html.count('<b title="tag') == 3 and "and 6 more" in html and "tag8" in html


def test_states_are_chosen_by_their_words(browser, lab):
    builders.run(lab, state=State.NOT_STARTED, display_name="waiting one")
    html = text(browser.get("/w/lab/experiments/trials/", {"status": "NotStarted"}))
    assert '<option value="NotStarted" selected>Not started</option>' in html and "waiting one" in html


def test_runs_of_another_experiment_are_not_touched_by_a_bulk_action(browser, lab):
    builders.experiment(lab, "mine")
    other = builders.run(lab, experiment_name="theirs")
    browser.post("/w/lab/experiments/mine/bulk", {"run": [other.id], "do": "archive"})
    other.refresh_from_db()
    assert other.archived_at is None


def test_the_pages_ask_the_database_as_often_for_forty_runs_as_for_four(
    browser, lab, django_assert_num_queries, django_assert_max_num_queries
):
    counts = {}
    for size in (4, 40):
        for run in runs_of(lab, size - Run.objects.count()):
            rich.log(run, "accuracy", [0.5])
            rich.log(run, "loss", [0.5])
            RunTag.objects.create(run=run, experiment_id=run.experiment_id, key="a", value="b")
        for address in ("/w/lab/", "/w/lab/experiments/", "/w/lab/experiments/trials/"):
            with django_assert_max_num_queries(16) as counted:
                browser.get(address)
            counts.setdefault(address, []).append(len(counted))
    assert all(few == many for few, many in counts.values()), counts


def test_a_live_table_is_sent_again_only_when_something_moved(browser, lab):
    run = builders.run(lab, state=State.RUNNING)
    html = text(browser.get("/w/lab/experiments/trials/"))
    seen = re.search(r"part=table&amp;seen=(\w+)", html)[1]
    assert browser.get(f"/w/lab/experiments/trials/?part=table&seen={seen}").status_code == 204
    rich.log(run, "loss", [0.125])
    assert "0.125" in text(browser.get(f"/w/lab/experiments/trials/?part=table&seen={seen}"))


def test_a_run_is_deleted_after_the_page_has_said_what_goes(browser, lab):
    parent = rich.rich_run(lab)
    builders.run(lab, parent=parent, state=State.COMPLETED)
    html = text(browser.get(f"/w/lab/runs/{parent.id}/delete"))
    assert "1 child run" in html and "15 files" in html and Run.objects.count() == 2
    answer = browser.post(f"/w/lab/runs/{parent.id}/delete")
    assert answer["Location"] == "/w/lab/experiments/diabetes/" and Run.objects.count() == 0


def test_a_run_that_still_runs_is_not_deleted(browser, lab):
    run = builders.run(lab, state=State.RUNNING)
    html = browser.post(f"/w/lab/runs/{run.id}/delete", follow=True).content.decode()
    assert "cancel it" in html and Run.objects.count() == 1


def test_an_experiment_without_runs_says_how_to_begin(browser, lab):
    builders.experiment(lab, "empty")
    assert "start_logging" in text(browser.get("/w/lab/experiments/empty/"))
    assert Experiment.objects.count() == 1


def test_what_runs_now_is_found_among_many_through_the_index_of_those(lab):
    builders.run(lab, state=State.RUNNING)
    with CaptureQueriesContext(connection) as asked:
        overview.running(lab)
    look = next(query["sql"] for query in asked if "state IN" in query["sql"])
    if connection.vendor == "sqlite":  # PostgreSQL reads a table this small whole, whatever indexes there are
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN QUERY PLAN {look}")
            assert "USING INDEX runs_not_final" in str(cursor.fetchall())
    assert [run.state for run in overview.running(lab)] == [State.RUNNING]
