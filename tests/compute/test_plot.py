"""Numbers to SVG."""

from datetime import UTC, datetime, timedelta

import pytest

from studio.compute.plot import plot

T = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=i) for i in range(3)]


def test_a_line_spans_the_width_and_grows_upwards():
    drawn = plot("CPU", "%", [("a", T, [0, 50, 100])])
    assert drawn.lines[0].points == "0.0,120.0 300.0,60.0 600.0,0.0"
    assert (drawn.top, drawn.lines[0].last) == ("100", 100)


def test_steps_hold_a_value_until_the_next():
    assert plot("Nodes", "", [("n", T, [1, 2, 1])], steps=True).lines[0].points.split()[:3] == [
        "0.0,60.0",
        "300.0,60.0",
        "300.0,0.0",
    ]


@pytest.mark.parametrize(
    ("value", "top"), [(0, "1"), (0.03, "0.05"), (0.9, "1"), (1, "1"), (3, "5"), (130, "200"), (1000, "1000")]
)
def test_the_axis_ends_at_a_round_number(value, top):
    assert plot("x", "", [("a", T[:1], [value])]).top == top


def test_nothing_to_draw_is_nothing_drawn():
    assert plot("x", "", [("a", [], [])]).lines == []
