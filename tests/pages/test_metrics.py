"""The Metrics tab: table first when there are many, samples that keep spikes, zoom, typed charts, CSV."""

from __future__ import annotations

import csv
import io
import re
from html import unescape

import numpy as np
import orjson
import pytest

from runs.states import State
from tests import builders
from tests.pages import rich
from tests.pages.conftest import body, text


def figure(answer):
    assert answer.status_code == 200, answer.content[:300]
    return orjson.loads(answer.content)


def test_with_few_metrics_the_curves_are_drawn_and_with_fifty_the_table_comes_first(page, lab):
    few = builders.run(lab)
    for name in ("loss", "accuracy"):
        rich.log(few, name, [1.0, 2.0, 3.0])
    assert text(page(few, "metrics")).count("data-figure-url") == 2
    many = builders.run(lab)
    for place in range(50):
        rich.log(many, f"m{place:02d}", [1.0, 2.0])
    html = text(page(many, "metrics"))
    assert "data-figure-url" not in html and html.count('type="checkbox" name="m"') == 50
    offered = re.search(r'href="(\?picked=1[^"]+)">draw the first 12', html)
    assert offered and text(page(many, "metrics/" + unescape(offered[1]))).count("data-figure-url") == 12


def test_a_single_value_is_read_as_a_number_and_not_drawn(page, lab):
    run = builders.run(lab)
    rich.log(run, "rows", [442])
    html = text(page(run, "metrics"))
    assert "data-figure-url" not in html and ">442<" in html


def test_picked_metrics_are_drawn_apart_or_together(page, lab):
    run = rich.rich_run(lab)
    assert text(page(run, "metrics", m=["loss", "accuracy"])).count("data-figure-url") == 2
    assert text(page(run, "metrics", m=["loss", "accuracy"], together=1)).count("data-figure-url") == 1
    names = [trace["name"] for trace in figure(page(run, "metrics/figure", m=["loss", "accuracy"]))["data"]]
    assert names == ["loss", "accuracy"]


def test_a_long_curve_is_sampled_with_its_spikes_and_is_finer_after_a_zoom(page, lab):
    run = builders.run(lab)
    values = np.sin(np.arange(50_000) / 900)
    values[31_337] = 77.0
    rich.log(run, "signal", values.tolist(), steps=list(range(50_000)))
    whole = figure(page(run, "metrics/figure", m="signal"))["data"][0]
    assert len(whole["x"]) <= 2000 and 77.0 in whole["y"]
    zoomed = figure(page(run, "metrics/figure", m="signal", **{"from": 31_000, "to": 31_999}))["data"][0]
    assert zoomed["x"][0] == 30_999 and zoomed["x"][-1] == 32_000 and len(zoomed["x"]) == 1002


def test_x_is_the_step_the_time_or_the_seconds_since_the_first_point(page, lab):
    run = builders.run(lab)
    rich.log(run, "loss", [3.0, 2.0, 1.0], steps=[10, 20, 30], gap=5.0)
    shown = {x: figure(page(run, "metrics/figure", m="loss", x=x)) for x in ("step", "time", "relative")}
    assert shown["step"]["data"][0]["x"] == [10, 20, 30]
    assert shown["relative"]["data"][0]["x"] == [0, 5, 10]
    assert shown["time"]["data"][0]["x"][0] == rich.START * 1000 and shown["time"]["layout"]["xaxis"]["type"] == "date"


def test_points_that_came_out_of_order_are_drawn_in_order(page, lab):
    run = builders.run(lab)
    rich.log(run, "loss", [3.0, 1.0], steps=[3, 1])
    rich.log(run, "loss", [2.0], steps=[2])
    curve = figure(page(run, "metrics/figure", m="loss"))["data"][0]
    assert (curve["x"], curve["y"]) == ([1, 2, 3], [1.0, 2.0, 3.0])


def test_smoothing_draws_the_raw_values_behind_and_axes_may_be_logarithmic(page, lab):
    run = builders.run(lab)
    rich.log(run, "loss", [1.0, 3.0, 1.0, 3.0])
    made = figure(page(run, "metrics/figure", m="loss", smooth=0.9, logy=1, logx=1))
    raw, smooth = made["data"]
    assert raw["y"] == [1.0, 3.0, 1.0, 3.0] and max(smooth["y"]) - min(smooth["y"]) < 1.5
    assert made["layout"]["yaxis"]["type"] == "log" and made["layout"]["xaxis"]["type"] == "log"


def test_nan_and_infinity_are_gaps_of_the_curve_and_words_in_the_table(page, lab):
    run = builders.run(lab)
    rich.log(run, "loss", [1.0, {"f": "nan"}, {"f": "inf"}, 2.0])
    assert figure(page(run, "metrics/figure", m="loss"))["data"][0]["y"] == [1.0, None, None, 2.0]
    html = text(page(run, "metrics/values", m="loss"))
    assert "nan" in html and "inf" in html


def test_a_chart_that_has_not_changed_is_not_sent_again(page, lab):
    run = builders.run(lab, state=State.RUNNING)
    rich.log(run, "loss", [1.0, 2.0])
    first = page(run, "metrics/figure", m="loss")
    again = page(run, "metrics/figure", m="loss", headers={"If-None-Match": first["ETag"]})
    assert again.status_code == 304 and not figure(first)["final"]
    rich.log(run, "loss", [3.0])
    fresh = page(run, "metrics/figure", m="loss", headers={"If-None-Match": first["ETag"]})
    assert figure(fresh)["data"][0]["y"] == [1.0, 2.0, 3.0]


def test_charts_of_a_live_run_ask_again_and_those_of_an_ended_one_don_t(page, lab):
    assert 'data-live="2000"' in text(page(rich.rich_run(lab, state=State.RUNNING), "metrics"))
    assert "data-live" not in text(page(rich.rich_run(lab), "metrics"))


@pytest.mark.parametrize(
    ("name", "view", "kind", "words"),
    [
        ("confusion", "Counts", "heatmap", "Predicted"),
        ("confusion", "Shares", "heatmap", "Predicted"),
        ("scores", "ROC", "scatter", "False positive rate"),
        ("scores", "Precision and recall", "scatter", "Recall"),
        ("scores", "Calibration", "scatter", "Predicted probability"),
    ],
)
def test_typed_metrics_are_drawn_as_what_they_are(page, lab, name, view, kind, words):
    made = figure(page(rich.rich_run(lab), "metrics/typed", m=name, view=view))
    assert made["data"][0]["type"] == kind and made["layout"]["xaxis"]["title"]["text"] == words


def test_a_typed_metric_whose_file_is_not_what_it_says_gives_a_sentence(page, lab):
    run = builders.run(lab)
    rich.document(run, "confusion", "confusion_matrix", {"data": {"matrix": [[1]]}})
    answer = page(run, "metrics/typed", m="confusion")
    assert answer.status_code == 400 and "class_labels" in answer.content.decode()


def test_rows_and_tables_are_charts_and_tables(page, lab):
    run = rich.rich_run(lab)
    assert figure(page(run, "metrics/rows", m="cos over x"))["layout"]["yaxis"]["title"]["text"] == "cos"
    assert figure(page(run, "metrics/rows", m="precision by fold"))["data"][0]["type"] == "bar"
    html = text(page(run, "metrics/values", m="precision by fold"))
    assert all(words in html for words in ('<th scope="col" class="num">fold</th>', "two", "0.84"))


def test_a_table_of_many_rows_is_sampled(page, lab):
    run = builders.run(lab)
    rich.log_columns(run, "walk", {"a": [float(i) for i in range(6000)], "b": [float(-i) for i in range(6000)]}, "row")
    made = figure(page(run, "metrics/rows", m="walk"))
    assert len(made["data"]) == 2 and len(made["data"][0]["x"]) <= 2000


def test_values_come_by_the_page(page, lab):
    run = builders.run(lab)
    rich.log(run, "loss", [float(i) for i in range(1200)])
    assert "rows 1 to 500 of 1200" in text(page(run, "metrics/values", m="loss"))
    html = text(page(run, "metrics/values", m="loss", first=1000))
    assert "rows 1001 to 1200 of 1200" in html and ">1199<" in html


def test_csv_holds_every_value(page, lab):
    run = rich.rich_run(lab)
    rows = list(csv.reader(io.StringIO(body(page(run, "metrics/csv", m="loss")).decode())))
    assert rows[0] == ["step", "time", "value"] and len(rows) == 121
    table = list(csv.reader(io.StringIO(body(page(run, "metrics/csv", m="precision by fold")).decode())))
    assert table == [
        ["fold", "train", "test"],
        ["one", "0.91", "0.8"],
        ["two", "0.93", "0.84"],
        ["three", "0.9", "0.79"],
    ]
    long = list(csv.reader(io.StringIO(body(page(run, "metrics/csv")).decode())))
    assert long[0] == ["metric", "row", "column", "value"] and ["fold scores", "0", "value", "0.71"] in long


def test_the_table_is_sent_again_only_when_a_point_arrived(page, lab):
    run = builders.run(lab, state=State.RUNNING)
    rich.log(run, "loss", [1.0, 2.0])
    seen = re.search(r"part=table&amp;known=1&amp;seen=([^\"]+)", text(page(run, "metrics")))[1]
    assert page(run, "metrics", part="table", seen=seen).status_code == 204
    rich.log(run, "loss", [9.25])
    assert "9.25" in text(page(run, "metrics", part="table", seen=seen))


def test_a_metric_that_came_after_the_page_is_offered(page, lab):
    run = builders.run(lab, state=State.RUNNING)
    rich.log(run, "loss", [1.0, 2.0])
    seen = re.search(r'hx-get="[^"]*(part=table[^"]+)"', text(page(run, "metrics")))
    assert seen and "known=1" in seen[1]
    rich.log(run, "accuracy", [0.5, 0.6])
    assert "Show 1 new metric<" in text(page(run, "metrics", part="table", known="1"))
    assert "new metric" not in text(page(run, "metrics", part="table", known="2"))
    assert "new metric" not in text(page(run, "metrics", part="table", known="x" * 99))


def test_an_unknown_metric_is_a_sentence(page, lab):
    run = builders.run(lab)
    assert page(run, "metrics/typed", m="nope").status_code == 404
    assert page(run, "metrics/figure").status_code == 400


def test_the_tab_asks_the_database_as_often_whatever_the_number_of_points(page, lab, django_assert_max_num_queries):
    run = builders.run(lab)
    for place in range(40):
        rich.log(run, f"m{place}", [float(i) for i in range(50)])
    with django_assert_max_num_queries(9):
        page(run, "metrics")
