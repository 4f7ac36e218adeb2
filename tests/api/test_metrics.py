"""Metrics through the API: what was logged is what is read."""

from __future__ import annotations

import math
import uuid
from typing import Any

import numpy as np
import orjson
import pytest

from runs import metricstore
from runs.models import MetricChunk, MetricSeries
from tests.api.conftest import Api

pytestmark = pytest.mark.django_db


def post(api: Api, run: str, *series: dict[str, Any], batch: str | None = None) -> int:
    body = {"batch": batch or str(uuid.uuid4()), "series": list(series)}
    return int(api.ok("POST", f"/runs/{run}/metrics", body)["accepted"])


def entry(name: str, columns: dict[str, list[Any]], kind: str = "scalar", **more: Any) -> dict[str, Any]:
    rows = len(next(iter(columns.values())))
    return {
        "name": name,
        "kind": kind,
        "columns": columns,
        "steps": None,
        "times": [float(i) for i in range(rows)],
        **more,
    }


def whole(api: Api, run: str, query: str = "") -> dict[str, Any]:
    return api.ok("GET", f"/runs/{run}/metrics{query}")["runs"][run]


def test_every_kind_of_value_comes_back_as_it_was_logged(api: Api) -> None:
    run = api.start()["id"]
    values = {
        "loss": [0.5, {"f": "nan"}, {"f": "inf"}, {"f": "-inf"}, -0.0, 1e-300],
        "epochs": [1, 2**62],
        "solver": ["liblinear", "é", ""],
        "converged": [True, False],
        "mixed": [1, "two", False],
    }
    assert post(api, run, *(entry(name, {"": column}) for name, column in values.items())) == 16
    found = whole(api, run)
    assert {name: metric["columns"][""] for name, metric in found.items()} == values
    assert found["loss"]["kind"] == "scalar" and found["loss"]["times"] == [0, 1, 2, 3, 4, 5]
    assert found["loss"]["steps"] == [None] * 6


def test_values_that_come_one_by_one_are_one_series(api: Api) -> None:
    run = api.start()["id"]
    for i in range(200):
        post(api, run, entry("loss", {"": [i / 2]}, steps=[i * 10], times=[100.0 + i]))
    found = whole(api, run)["loss"]
    assert found["columns"][""] == [i / 2 for i in range(200)]
    assert found["steps"] == [i * 10 for i in range(200)] and found["times"][-1] == 299.0
    assert MetricChunk.objects.count() <= metricstore.LOOSE_ALLOWED + 5


def test_a_batch_that_comes_twice_counts_once(api: Api) -> None:
    run, batch = api.start()["id"], str(uuid.uuid4())
    assert post(api, run, entry("a", {"": [1.0, 2.0]}), batch=batch) == 2
    assert post(api, run, entry("a", {"": [1.0, 2.0]}), batch=batch) == 0
    assert whole(api, run)["a"]["columns"][""] == [1.0, 2.0]


def test_rows_with_other_columns_stay_aligned(api: Api) -> None:
    run = api.start()["id"]
    post(api, run, entry("row", {"a": [1], "b": ["x"]}, "row", steps=[5]))
    post(api, run, entry("row", {"a": [2]}, "row"), entry("row", {"c": [3.5], "b": ["y"]}, "row"))
    post(api, run, entry("row", {"c": [4.5, 5.5]}, "table"))
    found = whole(api, run)["row"]
    assert found["columns"] == {
        "a": [1, 2, None, None, None],
        "b": ["x", None, "y", None, None],
        "c": [None, None, 3.5, 4.5, 5.5],
    }
    assert found["steps"] == [5, None, None, None, None]
    summary = api.ok("GET", f"/runs/{run}/metrics/summary")["items"]
    assert summary[0]["rows"] == 5 and summary[0]["columns"]["c"] == {
        "type": "float", "count": 3, "last": 5.5, "min": 3.5, "max": 5.5,
    }  # fmt: skip


def test_a_sparse_column_is_merged_and_still_aligned(api: Api) -> None:
    run = api.start()["id"]
    for i in range(150):
        columns: dict[str, list[Any]] = {"every": [i]}
        if i % 2:
            columns["odd"] = [float(i)]
        post(api, run, entry("row", columns, "row"))
    found = whole(api, run)["row"]["columns"]
    assert found["every"] == list(range(150))
    assert found["odd"] == [float(i) if i % 2 else None for i in range(150)]
    assert MetricSeries.objects.get(column="odd").count == 75


def test_an_empty_list_or_table_is_there(api: Api) -> None:
    run = api.start()["id"]
    assert post(api, run, entry("nothing", {"": []}, "list"), entry("table", {"a": [], "b": []}, "table")) == 0
    found = whole(api, run)
    assert found["nothing"]["columns"] == {"": []} and found["table"]["columns"] == {"a": [], "b": []}


def test_the_summary_has_last_least_and_greatest(api: Api) -> None:
    run = api.start()["id"]
    post(api, run, entry("loss", {"": [3.0, 1.0]}, times=[10.0, 11.0]))
    post(api, run, entry("loss", {"": [2, {"f": "nan"}]}, times=[12.0, 13.0]))
    post(api, run, entry("loss", {"": [9.0]}, times=[1.0]))  # late: not the last value
    post(api, run, entry("name", {"": ["x"]}), entry("on", {"": [True]}))
    items = {item["name"]: item["columns"][""] for item in api.ok("GET", f"/runs/{run}/metrics/summary")["items"]}
    assert items["loss"] == {"type": "float", "count": 5, "last": {"f": "nan"}, "min": 1.0, "max": 9.0}
    assert items["name"] == {"type": "text", "count": 1, "last": "x", "min": None, "max": None}
    assert items["on"] == {"type": "bool", "count": 1, "last": True, "min": 1.0, "max": 1.0}


def test_metrics_of_a_tree_are_read_together(api: Api) -> None:
    parent = api.start()["id"]
    child = api.start(parent_id=parent)["id"]
    api.log(parent, "a", [1.0])
    api.log(child, "b", [2.0])
    both = api.ok("GET", f"/runs/{parent}/metrics?recursive=1")["runs"]
    assert {run: list(metrics) for run, metrics in both.items()} == {parent: ["a"], child: ["b"]}
    assert whole(api, parent, "?name=nope") == {}
    assert api.ok("GET", f"/runs/{parent}/metrics?type=azureml.scriptrun")["runs"] == {}


def test_a_sample_keeps_the_spike_and_zooms(api: Api) -> None:
    run, count = api.start()["id"], 50_000
    values = [0.0] * count
    values[12_345] = 100.0
    for at in range(0, count, 10_000):
        part = list(range(at, at + 10_000))
        post(api, run, entry("y", {"": values[at : at + 10_000]}, steps=part, times=[1000.0 + i for i in part]))
    sample = api.ok("GET", f"/runs/{run}/metrics/sample?name=y&points=200")
    assert len(sample["x"]) <= 200 and sample["total"] == count
    assert dict(zip(sample["x"], sample["y"], strict=True))[12_345] == 100.0
    zoomed = api.ok("GET", f"/runs/{run}/metrics/sample?name=y&points=200&from=12300&to=12400&x=step")
    assert zoomed["x"] == list(range(12_300, 12_401)) and zoomed["total"] == 101
    assert api.ok("GET", f"/runs/{run}/metrics/sample?name=y&points=10&x=time")["x"][0] == 1000.0


def test_steps_that_came_late_are_drawn_in_order(api: Api) -> None:
    run = api.start()["id"]
    post(api, run, entry("y", {"": [3.0, 4.0]}, steps=[3, 4]))
    post(api, run, entry("y", {"": [1.0, {"f": "nan"}, 2.0]}, steps=[1, 9, 2]))
    sample = api.ok("GET", f"/runs/{run}/metrics/sample?name=y")
    assert sample == {"x": [1, 2, 3, 4], "y": [1.0, 2.0, 3.0, 4.0], "total": 4}


def test_the_history_is_read_by_numpy(api: Api) -> None:
    run = api.start()["id"]
    for at in range(0, 3000, 100):
        post(api, run, entry("y", {"": [float(i) for i in range(at, at + 100)]}, times=[float(i) for i in range(100)]))
    response = api.send("GET", f"/runs/{run}/metrics/history?name=y")
    head, _, rest = b"".join(response.streaming_content).partition(b"\n")
    count = orjson.loads(head)["count"]
    assert count == 3000 and len(rest) == 24 * count
    assert np.frombuffer(rest, "<i8", count).tolist() == list(range(3000))
    assert np.frombuffer(rest, "<f8", count, 16 * count).tolist() == [float(i) for i in range(3000)]
    assert "no metric 'z'" in api.refused(404, "GET", f"/runs/{run}/metrics/history?name=z")
    assert "which metric" in api.refused(400, "GET", f"/runs/{run}/metrics/history")


def test_a_column_of_a_table_is_a_series_too(api: Api) -> None:
    run = api.start()["id"]
    post(api, run, entry("t", {"angle": [0, 1], "value": [0.0, 0.84]}, "table"))
    sample = api.ok("GET", f"/runs/{run}/metrics/sample?name=t&column=value")
    assert sample["y"] == [0.0, 0.84]
    assert "'angle'" in api.refused(404, "GET", f"/runs/{run}/metrics/sample?name=t&column=nope")


@pytest.mark.parametrize(
    ("series", "said"),
    [
        ([entry("", {"": [1]})], "empty"),
        ([entry("x" * 256, {"": [1]})], "255"),
        ([entry("a\nb", {"": [1]})], "U+000A"),
        ([entry("a", {"": [1]}, "magic")], "no kind"),
        ([entry("a", {"b": [1]})], 'named ""'),
        ([entry("a", {"": [1]}, "row")], "empty"),
        ([entry("a", {"b": [1], "c": [1, 2]}, "row")], "different lengths"),
        ([entry("a", {"": [None]})], "null"),
        ([entry("a", {"": [[1]]})], "can't be a metric's value"),
        ([entry("a", {"": ["x" * 256]})], "256 characters"),
        ([entry("a", {"": [1]}, times=[])], "0 entries"),
        ([entry("a", {"": [1]}, steps=["x"])], "whole numbers"),
        (["a"], "list of objects"),
        ("a", "series is a list"),
        ([{"name": "a", "columns": {}}], "needs columns"),
    ],
)  # fmt: skip
def test_what_is_no_metric_is_refused_and_nothing_is_kept(api: Api, series: Any, said: str) -> None:
    run = api.start()["id"]
    body = {
        "batch": str(uuid.uuid4()),
        "series": [entry("good", {"": [1.0]}), *series] if isinstance(series, list) else series,
    }
    assert said in api.refused(400, "POST", f"/runs/{run}/metrics", body)
    assert whole(api, run) == {}
    assert "UUID" in api.refused(400, "POST", f"/runs/{run}/metrics", {"batch": "1", "series": []})


def test_a_name_keeps_its_kind(api: Api) -> None:
    run = api.start()["id"]
    post(api, run, entry("a", {"": [1.0]}))
    post(api, run, entry("a", {"": [2.0, 3.0]}, "list"))
    body = {"batch": str(uuid.uuid4()), "series": [entry("new", {"": [1]}), entry("a", {"x": [1]}, "row")]}
    assert "logged as scalar before" in api.refused(409, "POST", f"/runs/{run}/metrics", body)
    assert list(whole(api, run)) == ["a"]
    body["series"] = [entry("b", {"": [1]}), entry("b", {"x": [1]}, "row")]
    assert "was logged as scalar" in api.refused(409, "POST", f"/runs/{run}/metrics", body)


def test_limits_of_metrics_are_kept(api: Api, settings: Any) -> None:
    settings.LIMITS = {"metric_names": 2, "metric_rows": 5, "metric_columns": 2, "metric_batch_points": 6}
    run = api.start()["id"]

    def refused(*series: dict[str, Any]) -> str:
        return api.refused(413, "POST", f"/runs/{run}/metrics", {"batch": str(uuid.uuid4()), "series": list(series)})

    post(api, run, entry("a", {"": [1.0] * 5}), entry("b", {"": [1.0]}))
    assert "5" in refused(entry("a", {"": [1.0]}))
    assert "at most 2 metrics" in refused(entry("c", {"": [1.0]}))
    assert "at most 6 values" in refused(entry("b", {"": [1.0] * 7}))
    other = api.start()["id"]
    assert "3 columns" in api.refused(
        413,
        "POST",
        f"/runs/{other}/metrics",
        {"batch": str(uuid.uuid4()), "series": [entry("r", {"a": [1], "b": [1], "c": [1]}, "row")]},
    )
    post(api, other, entry("r", {"a": [1], "b": [1]}, "row"))
    assert "columns" in api.refused(
        413, "POST", f"/runs/{other}/metrics", {"batch": str(uuid.uuid4()), "series": [entry("r", {"c": [1]}, "row")]}
    )


def test_not_a_number_in_rows_stays_one(api: Api) -> None:
    run = api.start()["id"]
    post(api, run, entry("r", {"a": [{"f": "nan"}, 1.0, None]}, "row"))
    assert whole(api, run)["r"]["columns"]["a"] == [{"f": "nan"}, 1.0, None]
    assert math.isnan(MetricSeries.objects.get(column="a").min or 0) is False
