"""Streaming TAPIR: what comes out when, whatever was added and removed when, and what is kept."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rvsam_video.frame import Frame
from rvsam_video.trackers.base import ClipTracker, QueryPoints, TrackedPoints, TrackerState
from rvsam_video.trackers.tapir.engine import Found
from rvsam_video.trackers.tapir.tracker import Tapir
from rvsam_video.trackers.tapir.variants import TapirSettings

SIZE = (320, 180)
SCALE = np.array([320 / 256, 1], np.float32)


def tracker(engine, **options) -> Tapir:
    return Tapir("tapir-online", engine, TapirSettings(**options))


def ask(*points: tuple[int, int, float, float]) -> QueryPoints:
    """Points as (id, frame, x, y)."""
    table = np.array(points, np.float64)
    return QueryPoints(
        table[:, 0].astype(np.int64), table[:, 1].astype(np.int64), table[:, 2:].astype(np.float32)
    )


def frame(index: int, size: tuple[int, int] = SIZE) -> Frame:
    """A picture whose brightness is its index."""
    return Frame(index, index / 25, np.full((size[1], size[0], 3), index, np.uint8))


def stream(
    state: TrackerState,
    indices: Iterable[int],
    before: Mapping[int, Sequence[QueryPoints]] | None = None,
) -> list[TrackedPoints]:
    given = []
    for index in indices:
        for queries in (before or {}).get(index, ()):
            state.add(queries)
        given += state.push(frame(index))
    return given + state.flush()


def places(given: Iterable[TrackedPoints]) -> dict[tuple[int, int], tuple[float, ...]]:
    """(frame, id) to (x, y, visible, confidence)."""
    return {
        (item.frame_index, int(key)): (*xy.tolist(), bool(seen), float(sure))
        for item in given
        for key, xy, seen, sure in zip(
            item.ids, item.xy, item.visible, item.confidence, strict=True
        )
    }


def test_every_frame_is_answered_at_once_also_without_points(counting):
    state = tracker(counting).start(SIZE)
    for index in range(3):
        (points,) = state.push(frame(index))
        assert points.frame_index == index
        assert points.xy.shape == (0, 2)
    assert state.flush() == []
    assert counting.encoded == 0


def test_a_point_lives_from_its_frame_on_where_it_was_put(counting):
    given = stream(tracker(counting).start(SIZE), range(5), {0: [ask((7, 2, 200, 90))]})
    assert [list(item.ids) for item in given] == [[], [], [7], [7], [7]]
    np.testing.assert_allclose(given[2].xy, [[200, 90]])
    assert given[2].visible.all()
    assert given[2].confidence[0] == 1
    # One pixel of 256 is 1.25 of 320.
    np.testing.assert_allclose(given[4].xy, [[200 + 2 * 1.25, 90]], atol=1e-4)


def test_places_are_counted_from_pixel_centres(counting):
    asked = []
    counting.start = lambda encoded, xy, usual=counting.start: (
        asked.append(xy) or usual(encoded, xy)
    )
    given = stream(tracker(counting, pin_query=False).start(SIZE), [0], {0: [ask((1, 0, 31, 17))]})
    np.testing.assert_allclose(asked[0], [[31.5 * 256 / 320, 17.5 * 256 / 180]], rtol=1e-6)
    np.testing.assert_allclose(given[0].xy, [[31, 17]], atol=1e-4)


def test_without_pinning_the_network_decides_on_the_first_frame_too(counting):
    asked = {0: [ask((1, 0, 10, 20))]}
    pinned, free = (
        stream(tracker(counting, pin_query=pin).start(SIZE), [0], asked)[0] for pin in (True, False)
    )
    assert pinned.visible.all()
    assert not free.visible.any()


@pytest.mark.parametrize(("threshold", "visible"), [(0.5, True), (0.9, True), (0.91, False)])
def test_a_point_is_visible_above_a_threshold(counting, threshold, visible):
    state = tracker(counting, visibility_threshold=threshold).start(SIZE)
    points = stream(state, [1, 3], {1: [ask((1, 1, 300, 20))]})[1]
    # Two logits of -3: not hidden with 0.953, and near with 0.953.
    assert points.confidence[0] == pytest.approx(0.9074, abs=1e-4)
    assert bool(points.visible[0]) is visible


def test_confidence_neither_overflows_nor_vanishes():
    logits = np.array([[-200, -200], [200, 0], [0, 0], [-200, 0]], np.float32)
    found = Found(np.zeros((4, 2), np.float32), logits).confidence()
    np.testing.assert_allclose(found, [1, 0, 0.25, 0.5], atol=1e-6)
    assert found.dtype == np.float32


def test_a_frame_is_encoded_once_for_all_points_old_and_new(counting):
    state = tracker(counting).start(SIZE)
    state.add(ask((0, 0, 10, 10)))
    state.push(frame(0))
    state.add(ask((1, 0, 20, 10)))
    state.add(ask((2, 0, 30, 10), (3, 1, 40, 10)))
    assert counting.encoded == 1
    state.push(frame(1))
    assert counting.encoded == 2


@given(
    starts=st.lists(st.integers(0, 9), min_size=1, max_size=8),
    delays=st.lists(st.integers(-3, 0), min_size=8, max_size=8),
    at_once=st.integers(1, 4),
)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_when_a_point_becomes_known_does_not_matter(counting, starts, delays, at_once):
    """Frames before its own, or with it, and whatever other points share a batch with it."""
    queries = [ask((n, start, 100 + n, 50)) for n, start in enumerate(starts)]
    expected = stream(
        tracker(counting, points_at_once=at_once).start(SIZE), range(12), {0: queries}
    )
    state, given = tracker(counting, points_at_once=at_once).start(SIZE), []
    for index in range(12):
        for start, delay, query in zip(starts, delays, queries, strict=False):
            if max(start + delay, 0) == index:
                state.add(query)
        given += state.push(frame(index))
    found, wanted = places(given), places(expected)
    assert found == wanted


def test_points_of_the_frame_given_out_last_have_been_through_it(counting):
    known, late = tracker(counting).start(SIZE), tracker(counting).start(SIZE)
    known.add(ask((1, 3, 200, 50)))
    for state in (known, late):
        for index in range(4):
            state.push(frame(index))
    late.add(ask((1, 3, 200, 50)))
    assert places(known.push(frame(4))) == places(late.push(frame(4)))


def test_queries_of_frames_that_were_skipped_begin_in_the_next(counting):
    given = stream(tracker(counting).start(SIZE), [0, 1, 5, 6], {1: [ask((1, 3, 200, 50))]})
    assert [list(item.ids) for item in given] == [[], [], [1], [1]]
    np.testing.assert_allclose(given[2].xy, [[200, 50]])
    np.testing.assert_allclose(given[3].xy, [[201.25, 50]], atol=1e-4)


def test_what_cannot_be_added_is_said(counting):
    state = tracker(counting).start(SIZE)
    state.add(ask((1, 0, 10, 10), (2, 9, 10, 10)))
    for index in range(3):
        state.push(frame(index))
    for again in ((1, 2, 10, 10), (2, 2, 10, 10)):
        with pytest.raises(ValueError, match="must be new and unique"):
            state.add(ask(again))
    with pytest.raises(ValueError, match="must be new and unique"):
        state.add(ask((5, 3, 10, 10), (5, 3, 20, 20)))
    with pytest.raises(ValueError, match=r"query frame 1 has passed; the earliest .* is 2"):
        state.add(ask((3, 1, 10, 10)))
    state.add(ask((3, 2, 10, 10)))


def test_frames_must_rise_and_have_one_size(counting):
    state = tracker(counting).start(SIZE)
    state.push(frame(4))
    with pytest.raises(ValueError, match="frame 4 came after frame 4"):
        state.push(frame(4))
    with pytest.raises(ValueError, match=r"frame 5 is \(64, 48\) pixels; this video is \(320"):
        state.push(frame(5, (64, 48)))


@pytest.mark.parametrize("at_once", [1, 2, 3, 128])
def test_removed_points_are_gone_and_the_others_as_they_were(counting, at_once):
    points = [ask((n, n // 3, 100 + n, 50)) for n in range(9)]
    expected = places(stream(tracker(counting).start(SIZE), range(8), {0: points}))
    state, given = tracker(counting, points_at_once=at_once).start(SIZE), []
    for query in [*points, ask((50, 7, 10, 10))]:
        state.add(query)
    for index in range(8):
        if index == 3:
            state.remove([1, 2, 6, 99])
        if index == 5:
            state.remove([0, 50])
        given += state.push(frame(index))
    found = places(given)
    gone = {1: 3, 2: 3, 6: 3, 0: 5}
    assert found == {key: it for key, it in expected.items() if key[0] < gone.get(key[1], 99)}
    state.remove(list(range(9)))
    assert list(state.push(frame(8))[0].ids) == []


def test_batches_have_a_limit_and_are_filled_up(counting):
    state = tracker(counting, points_at_once=4).start(SIZE)
    state.add(ask(*((n, 0, n, 10) for n in range(10))))
    state.push(frame(0))
    assert counting.batches == [4, 4, 2]
    state.add(ask((20, 1, 5, 5)))
    counting.batches.clear()
    state.push(frame(1))
    assert counting.batches == [4, 4, 3]
    state.remove([0, 1, 2, 4, 5])
    counting.batches.clear()
    (points,) = state.push(frame(2))
    assert counting.batches == [3, 3]
    assert list(points.ids) == [3, 6, 7, 8, 9, 20]


@pytest.mark.parametrize("at_once", [2, 128])
def test_a_killed_run_goes_on_with_the_same_bits(counting, at_once):
    adds = {0: [ask((1, 0, 10, 20), (2, 3, 300, 20))], 4: [ask((3, 4, 60, 60), (4, 9, 70, 10))]}
    follow = tracker(counting, points_at_once=at_once)
    expected = stream(follow.start(SIZE), range(12), adds)
    state, given = follow.start(SIZE), []
    for index in range(12):
        file = io.BytesIO()
        np.savez(file, **state.snapshot())
        file.seek(0)
        state = follow.start(SIZE)
        state.restore(np.load(file, allow_pickle=False))
        for queries in adds.get(index, ()):
            state.add(queries)
        given += state.push(frame(index))
    assert places(given) == places(expected)


def test_a_restored_state_still_has_the_last_picture(counting):
    follow = tracker(counting)
    state = follow.start(SIZE)
    state.push(frame(0))
    state.push(frame(7))
    saved = state.snapshot()
    late, expected = follow.start(SIZE), state
    late.restore(saved)
    for one in (late, expected):
        one.add(ask((1, 7, 200, 20)))
    assert places(late.push(frame(8))) == places(expected.push(frame(8)))
    assert late.snapshot()["rows/0/memory"].tolist() == [[2.0, 15.0]]


def test_a_snapshot_is_not_changed_by_what_comes_later(counting):
    state = tracker(counting).start(SIZE)
    state.add(ask((1, 0, 10, 20)))
    state.push(frame(0))
    saved = state.snapshot()
    before = {key: value.copy() for key, value in saved.items()}
    state.push(frame(1))
    state.add(ask((2, 1, 10, 20)))
    state.push(frame(2))
    assert saved.keys() == before.keys()
    for key, value in saved.items():
        np.testing.assert_array_equal(value, before[key])


# Whole clips


def test_in_a_whole_clip_points_are_looked_for_from_the_first_frame_on(counting):
    follow = tracker(counting)
    assert isinstance(follow, ClipTracker)
    indices = [0, 2, 3, 5, 8]
    asked = ask((4, 3, 200, 50), (9, 0, 100, 60), (2, 99, 10, 10), (5, 4, 250, 50))
    given = list(follow.track_clip(lambda: map(frame, indices), asked))
    assert [item.frame_index for item in given] == indices
    for item in given:
        np.testing.assert_array_equal(item.ids, [4, 9, 2, 5])
    # By the fake engine: moved by one pixel of 256 with each frame from the first.
    own = [200.0, 201.25, 200.0, 203.75, 205.0]
    np.testing.assert_allclose([item.xy[0, 0] for item in given], own, atol=1e-3)
    # Point 5 belongs to a frame that was skipped, point 2 to none.
    np.testing.assert_allclose(given[3].xy[3], [250, 50])
    for item in given:
        assert not item.visible[2]
        np.testing.assert_allclose(item.xy[2], [10, 10])


def test_an_empty_clip_has_no_answers(counting):
    assert list(tracker(counting).track_clip(list, ask((1, 0, 1, 1)))) == []


def test_a_reversed_clip_is_a_clip_like_any_other(counting):
    """As evaluations do it: the pictures in reverse, with rising indices."""
    clip = [frame(index) for index in range(6)]
    backwards = [Frame(n, n / 25, item.image) for n, item in enumerate(reversed(clip))]
    state = tracker(counting).start(SIZE)
    state.add(ask((1, 0, 200, 20)))
    given = [points for item in backwards for points in state.push(item)]
    assert [list(points.ids) for points in given] == [[1]] * 6
    assert state.snapshot()["rows/0/memory"].tolist() == [[6.0, 15.0]]
