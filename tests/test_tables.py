"""Tables of columns: rows are added, chosen and stored in one way for every table of points."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from rvsam_video import UsageError
from rvsam_video.tables import Table, column


@dataclass(frozen=True, slots=True, eq=False)
class Clicks(Table):
    ids: NDArray[np.int64] = field(metadata=column(np.int64))
    xy: NDArray[np.float32] = field(metadata=column(np.float32, 2))
    looks: NDArray[np.uint8] = field(metadata=column(np.uint8, "side", "side", 3))


def clicks(*ids: int) -> Clicks:
    """One row per id, whose other values follow from it."""
    values = np.array(ids, np.int64)
    xy = np.stack([values, -values], 1).astype(np.float32)
    looks = np.broadcast_to(values[:, None, None, None], (len(ids), 2, 2, 3)).astype(np.uint8)
    return Clicks(values, xy, looks)


def same(first: Clicks, second: Clicks) -> bool:
    pairs = zip(first.to_arrays().items(), second.to_arrays().items(), strict=True)
    return all(
        one == other and a.dtype == b.dtype and np.array_equal(a, b)
        for (one, a), (other, b) in pairs
    )


IDS = st.lists(st.integers(0, 255), max_size=8)


def test_an_empty_table_has_the_types_and_shapes_of_its_columns():
    table = Clicks.empty(side=5)
    assert len(table) == 0
    assert [item.dtype for item in table.to_arrays().values()] == [np.int64, np.float32, np.uint8]
    assert [item.shape for item in table.to_arrays().values()] == [(0,), (0, 2), (0, 5, 5, 3)]
    assert same(Clicks.empty(side=2).then(clicks(4, 2)), clicks(4, 2))


def test_new_rows_are_zeros_to_be_filled():
    table = Clicks.zeros(3, side=2)
    assert len(table) == 3
    assert not any(item.any() for item in table.to_arrays().values())
    table.ids[:], table.xy[:], table.looks[:] = 7, (7, -7), 7
    assert same(table, clicks(7, 7, 7))


@given(IDS, IDS, IDS)
def test_tables_follow_each_other(first, second, third):
    assert same(clicks(*first).then(clicks(*second)), clicks(*first, *second))
    together = clicks(*first).then(clicks(*second), clicks(*third))
    assert same(together, clicks(*first, *second, *third))
    assert same(clicks(*first).then(), clicks(*first))


@given(st.lists(st.tuples(st.integers(0, 255), st.booleans()), max_size=8))
def test_rows_are_taken_by_mark_or_by_number(marked):
    table = clicks(*(value for value, _ in marked))
    marks = np.array([mark for _, mark in marked], np.bool_)
    want = clicks(*(value for value, mark in marked if mark))
    assert same(table.take(marks), want)
    assert same(table.take(np.flatnonzero(marks)), want)
    backwards = np.arange(len(table))[::-1]
    assert table.take(backwards).ids.tolist() == table.ids.tolist()[::-1]


@given(IDS)
def test_arrays_bring_a_table_back(ids):
    table = clicks(*ids)
    arrays = table.to_arrays()
    assert list(arrays) == ["ids", "xy", "looks"]
    assert same(Clicks.from_arrays(arrays | {"other": np.zeros(99)}), table)


def test_nothing_that_is_taken_or_stored_changes_with_the_table():
    table = clicks(1, 2, 3)
    arrays, part = table.to_arrays(), table.take(np.array([True, False, True]))
    back, more = Clicks.from_arrays(arrays), table.then(clicks(4))
    table.ids[:] = 9
    arrays["xy"][:] = 9
    assert arrays["ids"].tolist() == [1, 2, 3]
    assert same(part, clicks(1, 3))
    assert same(back, clicks(1, 2, 3))
    assert same(more, clicks(1, 2, 3, 4))


def test_columns_are_equally_long_and_stay_so():
    table = clicks(1, 2)
    with pytest.raises(UsageError, match="Clicks differ in length: ids 1, xy 2, looks 2"):
        Clicks(table.ids[:1], table.xy, table.looks)
    with pytest.raises(FrozenInstanceError):
        table.ids = table.ids[:1]
