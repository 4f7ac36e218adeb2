"""Packing points into chunks and getting the same points back."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runs import metricstore
from runs.metricstore import Chunk
from runs.values import decode, encode
from studio.errors import Invalid

FLOATS = st.floats(width=64)
VALUES = st.one_of(
    st.lists(FLOATS, min_size=1),
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1),
    st.lists(st.integers(0, 2**64 - 1), min_size=1),
    st.lists(st.booleans(), min_size=1),
    st.lists(st.text(max_size=20), min_size=1),
    st.lists(
        st.one_of(FLOATS, st.booleans(), st.integers(-(2**60), 2**60), st.text(max_size=5), st.none()), min_size=1
    ),
)


def same(a: object, b: object) -> bool:
    """Equal as a user sees it: 1 and 1.0 are one number, True and 1 are not, NaN is NaN."""
    if isinstance(a, float) and isinstance(b, float) and math.isnan(a) and math.isnan(b):
        return True
    return isinstance(a, bool) == isinstance(b, bool) and a == b


def packed(values: list, steps: list | None = None) -> Chunk:
    wire = [encode(value) for value in values]
    return metricstore.pack(wire, steps, [float(i) for i in range(len(values))])


def values_of(chunk: Chunk) -> list:
    return [decode(value) for value in metricstore.wire_values(chunk)]


@given(VALUES)
def test_every_value_comes_back_as_it_was_logged(values: list) -> None:
    chunk = packed(values)
    again = Chunk.from_blob(chunk.count, chunk.to_blob())
    assert all(map(same, values, values_of(again)))
    assert len(metricstore.numbers(again)) == len(values)


@given(st.lists(VALUES, min_size=1, max_size=5), st.booleans())
def test_merging_keeps_every_point_in_order(lists: list[list], with_steps: bool) -> None:
    chunks = [
        packed(values, list(range(len(values))) if with_steps and i % 2 else None) for i, values in enumerate(lists)
    ]
    merged = metricstore.merge([Chunk.from_blob(c.count, c.to_blob()) for c in chunks])
    flat = [value for values in lists for value in values]
    assert merged.count == len(flat)
    assert all(map(same, flat, values_of(Chunk.from_blob(merged.count, merged.to_blob()))))
    assert metricstore.wire_steps(merged) == [step for chunk in chunks for step in metricstore.wire_steps(chunk)]


@given(st.lists(st.one_of(st.none(), st.integers(-(2**63) + 1, 2**63 - 1)), min_size=1))
def test_steps_come_back_and_a_missing_one_counts_as_its_position(steps: list[int | None]) -> None:
    chunk = packed([0.5] * len(steps), steps)
    assert metricstore.wire_steps(chunk) == steps
    positions = [10 + i if step is None else step for i, step in enumerate(steps)]
    assert metricstore.steps(chunk, 10).tolist() == positions


@given(st.lists(FLOATS, min_size=1))
def test_minimum_and_maximum_leave_out_nan(values: list[float]) -> None:
    stats = metricstore.stats(packed(values))
    counted = [value for value in values if not math.isnan(value)]
    assert stats.minimum == (min(counted) if counted else None)
    assert stats.maximum == (max(counted) if counted else None)
    assert stats.last is None if math.isnan(values[-1]) else stats.last == values[-1]
    assert stats.type == "float"


@pytest.mark.parametrize(
    ("values", "type_", "last_text", "last"),
    [
        ([1, 2], "int", "2", 2.0),
        ([1, 2.5], "float", "2.5", 2.5),
        ([True, False], "bool", "false", 0.0),
        (["a", "b"], "text", '"b"', None),
        ([1.0, "b"], "mixed", '"b"', None),
        ([None, 4.5, None], "float", "null", None),
        ([math.inf], "float", '{"f":"inf"}', math.inf),
    ],
)
def test_a_series_says_what_it_holds(values: list, type_: str, last_text: str, last: float | None) -> None:
    stats = metricstore.stats(packed(values))
    assert (stats.type, stats.last_text, stats.last) == (type_, last_text, last)


@pytest.mark.parametrize(
    ("values", "steps", "times", "said"),
    [
        ([1.0], None, [], "0 entries"),
        ([1.0], [1, 2], [1.0], "2 entries"),
        ([1.0], [1.5], [1.0], "whole numbers"),
        ([1.0], [True], [1.0], "whole numbers"),
        ([1.0], [2**63], [1.0], "64-bit"),
        ([1.0], None, ["now"], "epoch seconds"),
        ([1.0], None, [10**400], "too large"),
        ([{"f": "huge"}], None, [1.0], "can't be a metric's value"),
        ([[1]], None, [1.0], "can't be a metric's value"),
        ([1.0], "1", [1.0], "a list"),
    ],
)
def test_what_is_not_a_point_is_refused_with_a_sentence(values: list, steps: object, times: list, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        metricstore.pack(values, steps, times)  # type: ignore[arg-type]


@given(st.lists(st.sampled_from([1, 1, 1, 7, 100, 1000, 5000, 20_000]), min_size=1, max_size=2000))
def test_chunks_stay_few_and_points_are_rewritten_a_few_times(batches: list[int]) -> None:
    counts: list[int] = []
    loose = rewritten = 0
    for batch in batches:
        counts.append(batch)
        loose += batch < metricstore.LOOSE
        if loose > metricstore.LOOSE_ALLOWED:
            taken = metricstore.merge_run(counts)
            if taken > 1:
                total = sum(counts[-taken:])
                counts[-taken:], rewritten = [total], rewritten + total
            loose = 0
    assert sum(counts) == sum(batches)
    assert rewritten <= 16 * sum(batches) + 64 * 1024
    assert max(counts) <= max(metricstore.MOST, max(batches))
    assert len(counts) <= sum(batches) / 256 + 3 * metricstore.LOOSE_ALLOWED


def test_packed_times_and_numbers_are_arrays_of_the_wire_types() -> None:
    chunk = packed([1.0, 2.0], [3, 4])
    assert metricstore.times(chunk).dtype == np.dtype("<f8")
    assert metricstore.steps(chunk, 0).dtype == np.dtype("<i8")
    assert metricstore.numbers(chunk).tolist() == [1.0, 2.0]
