"""The book of points: whose they are, in which frames they count, and which are forgotten first."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rvsam_video.points.book import PointBook
from rvsam_video.results import PointState
from rvsam_video.trackers.base import TrackedPoints

SIZE = (64, 48)
ON, OFF = np.ones(1, np.int8), np.zeros(1, np.int8)


def seen(frame, visible, xy=(20, 24)):
    """The tracker's answer: ids and whether each is visible, all in one place."""
    ids = np.array(list(visible), np.int64)
    places = np.tile(np.array(xy, np.float32), (len(ids), 1))
    marks = np.array(list(visible.values()), np.bool_)
    return TrackedPoints(frame, ids, places, marks, np.full(len(ids), 0.5, np.float32))


def look(book, frame, visible, **options):
    return book.table(seen(frame, visible, **options), SIZE, border=0)


def chosen(book, count, object_id=1, frame=0):
    return book.add(object_id, np.ones(count, np.int8), frame=frame, given=False)


def test_ids_count_on_and_none_comes_twice():
    book = PointBook()
    assert chosen(book, 2).tolist() == [0, 1]
    assert chosen(book, 1, object_id=2).tolist() == [2]
    book.drop(np.array([1, 2, 99]))
    assert chosen(book, 2).tolist() == [3, 4]
    assert book.ids_of(1).tolist() == [0, 3, 4]
    assert book.ids_of(2).tolist() == []


def test_a_frames_table_joins_what_the_tracker_saw_with_whose_it_is():
    book = PointBook()
    chosen(book, 1, object_id=7)
    book.add(3, OFF, frame=0, given=True)
    table = look(book, 0, {1: False, 0: True})
    assert table.ids.tolist() == [0, 1]
    assert table.object_ids.tolist() == [7, 3]
    assert table.labels.tolist() == [1, 0]
    assert table.confidence.tolist() == [0.5, 0.5]
    assert table.states.tolist() == [PointState.VISIBLE, PointState.HIDDEN]
    assert table.visible.tolist() == [True, False]


def test_what_only_one_of_both_knows_is_left_out():
    book = PointBook()
    chosen(book, 2)
    assert look(book, 0, {1: True, 5: True}).ids.tolist() == [1]


def test_a_point_counts_from_its_own_frame_to_the_one_before_it_ends():
    book = PointBook()
    chosen(book, 1, frame=2)
    book.retire(1, 5)
    spans = [len(look(book, frame, {0: True})) for frame in range(7)]
    assert spans == [0, 0, 1, 1, 1, 0, 0]
    assert book.retired(3).tolist() == []
    assert book.retired(4).tolist() == [0]


def test_retiring_ends_the_points_of_one_object_and_never_prolongs_them():
    book = PointBook()
    chosen(book, 1, object_id=1)
    chosen(book, 1, object_id=2)
    book.retire(1, 3)
    book.retire(1, 9)
    assert look(book, 2, {0: True, 1: True}).ids.tolist() == [0, 1]
    assert look(book, 3, {0: True, 1: True}).ids.tolist() == [1]


@pytest.mark.parametrize(("given", "left"), [(True, []), (False, [1])])
def test_what_the_user_gave_may_outlive_what_was_chosen(given, left):
    book = PointBook()
    chosen(book, 1)
    book.add(1, ON, frame=0, given=True)
    assert book.given_ids(1).tolist() == [1]
    assert book.given_ids(2).tolist() == []
    book.retire(1, 4, given=given)
    assert look(book, 4, {0: True, 1: True}).ids.tolist() == left


def test_the_longest_hidden_are_forgotten_first():
    book = PointBook()
    chosen(book, 4)
    for frame in range(6):
        look(book, frame, {0: frame < 4, 1: True, 2: frame < 1, 3: frame < 3})
    # Hidden for 2, 0, 5 and 3 frames.
    assert book.surplus(1, 4).tolist() == []
    assert book.surplus(1, 9).tolist() == []
    assert book.surplus(1, 3).tolist() == [2]
    assert book.surplus(1, 1).tolist() == [2, 3, 0]


def test_a_point_that_was_seen_again_is_not_held_against_for_its_past():
    book = PointBook()
    chosen(book, 2)
    for frame in range(10):
        look(book, frame, {0: frame == 8, 1: frame < 6})
    # The first was hidden eight times before it was seen, but once since; the second four times.
    assert book.surplus(1, 1).tolist() == [1]


def test_a_point_just_seen_is_no_older_than_one_that_is_new():
    book = PointBook()
    chosen(book, 1, frame=1)
    chosen(book, 1)
    look(book, 0, {1: True})
    look(book, 1, {0: False, 1: False})
    # Both hidden for one frame: the first given goes first.
    assert book.surplus(1, 1).tolist() == [0]


def test_a_point_outside_counts_as_hidden():
    book = PointBook()
    chosen(book, 2)
    assert look(book, 0, {0: True}, xy=(70, 24)).states.tolist() == [PointState.OUTSIDE]
    look(book, 0, {1: True})
    assert book.surplus(1, 1).tolist() == [0]


def test_points_that_live_in_no_frame_yet_do_not_age():
    book = PointBook()
    chosen(book, 1, frame=5)
    chosen(book, 1)
    look(book, 0, {0: False, 1: False})
    assert book.surplus(1, 1).tolist() == [1]


def test_neither_the_users_points_nor_those_off_the_object_are_too_many():
    book = PointBook()
    book.add(1, ON, frame=0, given=True)
    book.add(1, OFF, frame=0, given=False)
    chosen(book, 1, object_id=2)
    mine = chosen(book, 2)
    assert book.surplus(1, 0).tolist() == mine.tolist()
    assert book.surplus(1, 1).tolist() == mine[:1].tolist()


def test_a_judge_refuses_points_that_a_place_outside_then_overrules():
    def judge(ids, xy, states):
        assert states.tolist() == [PointState.VISIBLE, PointState.HIDDEN]
        return np.full(len(ids), PointState.PATCH_DIFFERS, np.int8)

    book = PointBook()
    chosen(book, 2)
    inside = book.table(seen(0, {0: True, 1: False}), SIZE, 0, judge)
    assert inside.states.tolist() == [PointState.PATCH_DIFFERS] * 2
    beyond = book.table(seen(1, {0: True, 1: False}, xy=(-3, 9)), SIZE, 0, judge)
    assert beyond.states.tolist() == [PointState.OUTSIDE] * 2


@given(st.lists(st.lists(st.booleans(), min_size=3, max_size=3), max_size=6), st.integers(0, 6))
def test_a_stored_book_forgets_in_the_same_order(history, cut):
    whole, parts = PointBook(), PointBook()
    for book in (whole, parts):
        chosen(book, 2)
        book.add(1, ON, frame=0, given=True)
        chosen(book, 1)
    for frame, (first, second, third) in enumerate(history):
        if frame == cut:
            stored, parts = parts.snapshot(), PointBook()
            parts.restore(stored)
        visible = {0: first, 1: second, 2: True, 3: third}
        for book in (whole, parts):
            look(book, frame, visible)
    assert parts.surplus(1, 0).tolist() == whole.surplus(1, 0).tolist()
    assert chosen(parts, 1).tolist() == chosen(whole, 1).tolist() == [4]
