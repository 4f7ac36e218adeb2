"""Lists of runs: every row once, in order, whatever the filters; and what a page costs."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from runs.models import raw
from runs.queries import cursors
from studio.errors import Invalid
from tests.api.conftest import Api, api  # noqa: F401 - the fixture

pytestmark = pytest.mark.django_db


def walk(api: Api, query: str, limit: int = 7) -> Iterator[dict[str, Any]]:  # noqa: F811
    cursor = ""
    for _ in range(100):
        page = api.ok("GET", f"/workspaces/lab/runs?limit={limit}&{query}{cursor}")
        assert len(page["items"]) <= limit
        yield from page["items"]
        if page["next"] is None:
            return
        cursor = f"&cursor={page['next']}"
    raise AssertionError("the list has no end")


@pytest.fixture
def forty(api: Api) -> list[str]:  # noqa: F811
    """40 runs; every other has the metric auc, some with the same value, one NaN, one infinite."""
    chance = random.Random(1)
    ids = []
    for i in range(40):
        run = api.start(
            tags={"parity": str(i % 2), **({"rare": None} if i % 10 == 0 else {})}, properties={"i": str(i)}
        )["id"]
        if i % 2 == 0:
            value: Any = chance.choice([0.1, 0.2, 0.3])
            value = {"f": "nan"} if i == 4 else {"f": "inf"} if i == 6 else value
            api.log(run, "auc", [value])
        ids.append(run)
    return ids


@pytest.mark.parametrize("order", ["created_at", "-created_at", "metric:auc", "-metric:auc"])
@pytest.mark.parametrize("limit", [1, 7, 19, 20, 100])
def test_a_walk_meets_every_run_once_in_order(api: Api, forty: list[str], order: str, limit: int) -> None:  # noqa: F811
    runs = list(walk(api, f"experiment=trials&order={order}&metrics=auc", limit))
    ids = [run["id"] for run in runs]
    assert sorted(ids) == sorted(forty)
    if order.endswith("created_at"):
        assert ids == (forty if order == "created_at" else forty[::-1])
        return
    values = [run["metrics"].get("auc") for run in runs]
    numbers = [float("inf") if value == {"f": "inf"} else value for value in values[:19]]
    assert numbers == sorted(numbers, reverse=order.startswith("-"))
    assert all(value in (None, {"f": "nan"}) for value in values[19:])


def test_a_workspaces_runs_are_ordered_by_a_metric_across_experiments(api: Api, forty: list[str]) -> None:  # noqa: F811
    other = api.start("other")["id"]
    api.log(other, "auc", [0.25])
    runs = [run["id"] for run in walk(api, "order=-metric:auc")]
    assert len(runs) == 41 and runs.index(other) < 19


def test_filters_narrow_a_list(api: Api, forty: list[str]) -> None:  # noqa: F811
    def ids(query: str) -> list[str]:
        return [run["id"] for run in walk(api, query + "&order=created_at")]

    assert ids("tag=parity=1") == forty[1::2]
    assert ids("tag=rare") == forty[::10]
    assert ids("tag=rare&tag=parity=1") == []
    assert ids("property=i=7") == [forty[7]]
    api.ok("POST", f"/runs/{forty[3]}/end", {"status": "Completed"})
    assert ids("status=Completed") == [forty[3]]
    assert len(ids("status=Completed,Running")) == 40
    assert ids("type=azureml.scriptrun") == []
    assert "no status" in api.refused(400, "GET", "/workspaces/lab/runs?status=Finished")
    assert "no experiment" in api.refused(404, "GET", "/workspaces/lab/runs?experiment=nope")


def test_runs_below_others_are_left_out_unless_asked_for(api: Api) -> None:  # noqa: F811
    parent = api.start()["id"]
    child = api.start(parent_id=parent)["id"]
    assert [run["id"] for run in walk(api, "experiment=trials")] == [parent]
    assert {run["id"] for run in walk(api, "experiment=trials&include_children=1")} == {parent, child}
    assert [run["id"] for run in walk(api, f"parent={parent}")] == [child]


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "limit=x", "order=magic", "cursor=zz", "archived=2", "include_children=yes"]
)
def test_a_question_that_makes_no_sense_is_refused(api: Api, query: str) -> None:  # noqa: F811
    api.refused(400, "GET", f"/workspaces/lab/runs?{query}")


def test_a_page_costs_the_same_number_of_queries_however_many_runs_it_has(api: Api, forty: list[str]) -> None:  # noqa: F811
    def queries(query: str) -> int:
        with CaptureQueriesContext(
            connection,
        ) as caught:
            api.ok("GET", f"/workspaces/lab/runs?experiment=trials&{query}")
        return len(caught)

    queries("limit=1")  # the caller is looked up once
    assert queries("limit=2&metrics=auc") == queries("limit=100&metrics=auc") == 5
    assert queries("limit=10&order=-metric:auc") == 4


@given(st.text(max_size=40))
def test_no_text_breaks_a_cursor(text: str) -> None:
    with pytest.raises(Invalid):
        cursors.decode(text, "-created_at", (str, str))


@given(st.text().filter(lambda t: "\x00" not in t), st.floats(allow_nan=False, allow_infinity=False))
def test_a_cursor_gives_back_what_it_was_made_of(text: str, number: float) -> None:
    assert cursors.decode(cursors.encode("o", text, number), "o", (str, float)) == [text, number]


HOSTILE = ["", "a", '"', "\\", '\\"', "{", "}", ",", "NULL", "null", " a ", "it's", "é\n\t", "\U0001f600", "%s", "$1"]


def test_texts_of_any_content_are_found_among_others(db: None) -> None:
    for wanted in (HOSTILE, *([text] for text in HOSTILE), []):
        where, params = raw.among("x.v", wanted)
        there = f"WITH x(v) AS (VALUES {raw.values(len(HOSTILE), 1)})"
        [found] = raw.together((f"{there} SELECT v FROM x WHERE {where}", [*HOSTILE, *params]))
        assert [text for (text,) in found] == wanted
