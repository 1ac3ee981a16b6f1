"""Streaming CoTracker: what comes out when, whatever was added when, and what is kept."""

from __future__ import annotations

import gc
import io
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rvsam_video.errors import UsageError
from rvsam_video.frame import Frame
from rvsam_video.trackers.base import QueryPoints, TrackedPoints, TrackerState
from rvsam_video.trackers.cotracker.geometry import FrameGeometry
from rvsam_video.trackers.cotracker.grids import SupportGrid
from rvsam_video.trackers.cotracker.network import EncodedFrame, Inference
from rvsam_video.trackers.cotracker.predictor import track_clip
from rvsam_video.trackers.cotracker.tracker import CoTracker
from rvsam_video.trackers.cotracker.variants import CoTrackerSettings

SIZE = (64, 48)
STARTS = np.array([0, 0, 3, 9, 17, 21])
PLACES = np.array([[10, 10], [40, 30], [50, 12], [20, 20], [33, 40], [7, 31]], np.float32)
KINDS = {
    "version 1": {"logit_channels": 1, "aligned_corners": False},
    "waiting take part": {"waiting_take_part": True},
    "any length": {"window": 12, "step": 6, "pads": False},
}


def _queries(rows: Sequence[int], group: int = 0) -> QueryPoints:
    chosen = np.array(rows, np.int64)
    return QueryPoints(chosen, STARTS[chosen], PLACES[chosen], group)


def _tracker(network: object, **options: object) -> CoTracker:
    chosen = {"network_size": SIZE, "iterations": 2, "pin_query": False} | options
    return CoTracker("fake", network, CoTrackerSettings(**chosen))


def _stream(
    state: TrackerState, clip: np.ndarray, adds: Mapping[int, Sequence[QueryPoints]], first: int = 0
) -> list[TrackedPoints]:
    """Push the frames from `first` on, adding queries just before the frame they are listed at."""
    given = []
    for index in range(first, len(clip)):
        for queries in adds.get(index, ()):
            state.add(queries)
        given += state.push(Frame(index, index / 25, clip[index]))
    return given + state.flush()


def _equal(first: Sequence[TrackedPoints], second: Sequence[TrackedPoints]) -> None:
    assert [item.frame_index for item in first] == [item.frame_index for item in second]
    for one, two in zip(first, second, strict=True):
        for name in ("ids", "xy", "visible", "confidence"):
            np.testing.assert_array_equal(getattr(one, name), getattr(two, name))


def _places(given: Sequence[TrackedPoints]) -> dict[tuple[int, int], np.ndarray]:
    """(frame, id) to (x, y, confidence)."""
    return {
        (item.frame_index, int(key)): np.array([*xy, sure])
        for item in given
        for key, xy, sure in zip(item.ids, item.xy, item.confidence, strict=True)
    }


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("length", [5, 8, 9, 12, 13, 24, 30])
def test_streaming_gives_what_the_whole_clip_gives(fake_network, soft_clip, kind, length):
    network = fake_network(**KINDS[kind])
    clip, rows = soft_clip[:length], np.flatnonzero(length > STARTS)
    given = _stream(_tracker(network).start(SIZE), clip, {0: [_queries(rows)]})
    assert network.encoded == length
    if kind == "any length" and length > 12:
        return
    inference = Inference(network)
    geometry = FrameGeometry(SIZE, SIZE, network.aligned_corners)
    frames = (EncodedFrame(inference, geometry.picture(image)) for image in clip)
    whole = track_clip(inference, frames, STARTS[rows], PLACES[rows], iterations=2)
    assert [item.frame_index for item in given] == list(range(length))
    for item in given:
        live = np.flatnonzero(STARTS[rows] <= item.frame_index)
        np.testing.assert_array_equal(item.ids, rows[live])
        np.testing.assert_allclose(item.xy, whole.xy[item.frame_index, live], atol=1e-5)
        scores = whole.probabilities[item.frame_index, live].prod(-1)
        np.testing.assert_allclose(item.confidence, scores, atol=1e-6)
        np.testing.assert_array_equal(item.visible, item.confidence > 0.6)


@pytest.mark.parametrize("length", [1, 2, 4])
def test_a_video_shorter_than_a_step_is_answered_too(fake_network, soft_clip, length):
    state = _tracker(fake_network()).start(SIZE)
    given = _stream(state, soft_clip[:length], {0: [_queries([0, 1])]})
    assert [len(item.ids) for item in given] == [2] * length
    assert all(np.isfinite(item.xy).all() and item.xy.any() for item in given)


@given(
    delays=st.lists(st.integers(0, 11), min_size=6, max_size=6),
    kind=st.sampled_from(["version 1", "waiting take part"]),
)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_point_added_late_goes_on_as_if_known_from_the_start(
    fake_network, soft_clip, delays, kind
):
    """Compared from where nothing was given out yet when the last point came."""
    network = fake_network(**KINDS[kind])
    tracker = _tracker(network, leave_out_waiting=True)
    expected = _stream(tracker.start(SIZE), soft_clip, {0: [_queries(range(6))]})
    state, given, late = tracker.start(SIZE), [], 0
    for index in range(30):
        for row in range(6):
            # As late as allowed by the delay, while the query frame has not been given out.
            due = STARTS[row] + delays[max(row, 1)] == index
            forced = len(given) + 4 > STARTS[row] and index % 4 == 3 and index >= 7
            added = any(row in group.points.ids for group in state._window.groups.values())
            if not added and (due or forced):
                state.add(_queries([row]))
                late = len(given)
        given += state.push(Frame(index, index / 25, soft_clip[index]))
    given += state.flush()
    found, wanted = _places(given[late:]), _places(expected[late:])
    assert found.keys() == wanted.keys()
    for key in found:
        np.testing.assert_allclose(found[key], wanted[key], atol=1e-5)


def test_points_that_come_together_cost_one_more_run(fake_network, soft_clip):
    network = fake_network()
    state = _tracker(network).start(SIZE)
    state.add(_queries([0]))
    for index in range(8):
        state.push(Frame(index, 0.0, soft_clip[index]))
    assert network.refined == 1
    for key in (5, 6, 7):
        state.add(QueryPoints(np.array([key]), np.array([key]), PLACES[:1]))
    for index in range(8, 12):
        state.push(Frame(index, 0.0, soft_clip[index]))
    assert network.refined == 3
    assert network.encoded == 12


def test_a_point_of_the_frame_given_out_last_is_taken(fake_network, soft_clip):
    state = _tracker(fake_network()).start(SIZE)
    state.add(_queries([0]))
    given = [item for i in range(8) for item in state.push(Frame(i, 0.0, soft_clip[i]))]
    assert [item.frame_index for item in given] == [0, 1, 2, 3]
    with pytest.raises(ValueError, match=r"query frame 2 has passed; the earliest .* is 3"):
        state.add(QueryPoints(np.array([8]), np.array([2]), PLACES[:1]))
    state.add(QueryPoints(np.array([9]), np.array([3]), PLACES[3:4]))
    assert all(item.ids.tolist() == [0, 9] for item in state.flush())


def test_groups_do_not_touch_each_other(fake_network, soft_clip):
    tracker = _tracker(fake_network(), support=SupportGrid(2, every=12))
    alone = [
        _places(_stream(tracker.start(SIZE), soft_clip, {0: [_queries(rows)]}))
        for rows in ([0, 2, 4], [1, 3, 5])
    ]
    both = {0: [_queries([0, 2, 4], 1), _queries([1, 3, 5], 7)]}
    together = _places(_stream(tracker.start(SIZE), soft_clip, both))
    merged = alone[0] | alone[1]
    assert together.keys() == merged.keys()
    for key in merged:
        np.testing.assert_array_equal(together[key], merged[key])
    joined = _places(_stream(tracker.start(SIZE), soft_clip, {0: [_queries(range(6))]}))
    assert any(not np.array_equal(joined[key], merged[key]) for key in merged)


ADDS = {0: [_queries([0, 2])], 9: [_queries([3], 4)], 14: [_queries([4])], 21: [_queries([5], 4)]}


@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_run_goes_on_with_the_same_bits(fake_network, soft_clip, kind):
    tracker = _tracker(fake_network(**KINDS[kind]), support=SupportGrid(2, every=5, keep=2))
    expected = _stream(tracker.start(SIZE), soft_clip, ADDS)
    state, given = tracker.start(SIZE), []
    for index in range(30):
        file = io.BytesIO()
        np.savez(file, **state.snapshot())
        file.seek(0)
        state = tracker.start(SIZE)
        state.restore(np.load(file, allow_pickle=False))
        for queries in ADDS.get(index, ()):
            state.add(queries)
        given += state.push(Frame(index, index / 25, soft_clip[index]))
    _equal(given + state.flush(), expected)


def test_a_snapshot_is_not_changed_by_what_comes_later(fake_network, soft_clip):
    tracker = _tracker(fake_network())
    state = tracker.start(SIZE)
    given = [item for i in range(0) for item in state.push(Frame(i, 0.0, soft_clip[i]))]
    state.add(_queries([0, 2, 3]))
    given = [item for i in range(10) for item in state.push(Frame(i, 0.0, soft_clip[i]))]
    saved = state.snapshot()
    rest = _stream(state, soft_clip, {}, first=10)
    again = tracker.start(SIZE)
    again.restore(saved)
    _equal(_stream(again, soft_clip, {}, first=10), rest)
    assert len(given) == 4


def test_removed_points_leave_results_and_windows(fake_network, soft_clip):
    network = fake_network()
    state = _tracker(network, support=SupportGrid(2)).start(SIZE)
    state.add(_queries([0, 1, 2]))
    given = []
    for index in range(30):
        given += state.push(Frame(index, 0.0, soft_clip[index]))
        if index == 13:
            state.remove([1, 99])
        if index == 22:
            runs = network.refined
            state.remove([0, 2])
    given += state.flush()
    ids = {item.frame_index: item.ids.tolist() for item in given}
    assert ids[7] == [0, 1, 2]
    assert ids[8] == [0, 2]
    assert ids[15] == [0, 2]
    assert all(ids[index] == [] for index in range(16, 30))
    assert network.refined == runs


def test_videos_through_one_network_do_not_mix(fake_network, soft_clip):
    tracker = _tracker(fake_network())
    other = soft_clip[::-1]
    expected = [_stream(tracker.start(SIZE), clip, ADDS) for clip in (soft_clip, other)]
    states, given = [tracker.start(SIZE), tracker.start(SIZE)], [[], []]
    for index in range(30):
        for state, clip, out in zip(states, (soft_clip, other), given, strict=True):
            for queries in ADDS.get(index, ()):
                state.add(queries)
            out.extend(state.push(Frame(index, index / 25, clip[index])))
    for state, out, wanted in zip(states, given, expected, strict=True):
        _equal(out + state.flush(), wanted)


def test_indices_may_skip_unreadable_frames(fake_network, soft_clip):
    """The frames that are there count; a query in a missing one begins in the next."""
    tracker = _tracker(fake_network())
    expected = _stream(tracker.start(SIZE), soft_clip[:20], {0: [_queries(range(5))]})
    state, indices = tracker.start(SIZE), [3 + 2 * i for i in range(20)]
    ids, given = np.arange(5), []
    starts = np.array([0, 3, 8, 2 * 9 + 3, 2 * 17 + 2])
    state.add(QueryPoints(ids[:3], starts[:3], PLACES[:3]))
    for index, image in zip(indices, soft_clip, strict=False):
        if index == indices[10]:
            state.add(QueryPoints(ids[3:], starts[3:], PLACES[3:5]))
        given += state.push(Frame(index, 0.0, image))
    given += state.flush()
    assert [item.frame_index for item in given] == indices
    for item, wanted in zip(given, expected, strict=True):
        np.testing.assert_array_equal(item.ids, wanted.ids)
        np.testing.assert_array_equal(item.xy, wanted.xy)


def test_every_frame_comes_out_within_the_lookahead(fake_network, soft_clip):
    tracker = _tracker(fake_network())
    state, waited = tracker.start(SIZE), []
    state.add(_queries([0]))
    for index in range(24):
        for item in state.push(Frame(index, 0.0, soft_clip[index])):
            waited.append(index - item.frame_index)
    assert max(waited) == tracker.lookahead
    assert [item.frame_index for item in state.flush()] == list(range(20, 24))
    assert state.flush() == []


def test_pinned_queries_are_where_they_were_put(fake_network, soft_clip):
    tracker = _tracker(fake_network(), pin_query=True, visibility_threshold=1.0)
    queries = _queries(range(6))
    for item in _stream(tracker.start((64, 48)), soft_clip, {0: [queries]}):
        own = item.frame_index == queries.frames[item.ids]
        np.testing.assert_array_equal(item.xy[own], queries.xy[item.ids[own]])
        np.testing.assert_array_equal(item.visible, own)
        assert np.all(item.confidence[own] == 1)


def test_places_are_in_pixels_of_the_frames(fake_network, soft_clip):
    """The same video, twice as large, shows the same motion twice as large."""
    network = fake_network(aligned_corners=False)
    small = _stream(_tracker(network).start(SIZE), soft_clip, {0: [_queries([0, 1])]})
    large_clip = soft_clip.repeat(2, 1).repeat(2, 2)
    doubled = QueryPoints(np.array([0, 1]), np.zeros(2, np.int64), 2 * PLACES[:2])
    large = _stream(_tracker(network).start((128, 96)), large_clip, {0: [doubled]})
    for one, two in zip(small, large, strict=True):
        np.testing.assert_allclose(two.xy, 2 * one.xy, atol=1e-3)


def test_nothing_is_encoded_before_there_are_points(fake_network, soft_clip):
    network = fake_network()
    state = _tracker(network).start(SIZE)
    given = [item for i in range(20) for item in state.push(Frame(i, 0.0, soft_clip[i]))]
    assert network.encoded == 0
    assert [len(item.ids) for item in given] == [0] * 16
    state.add(QueryPoints(np.array([1]), np.array([19]), PLACES[:1]))
    assert [item.ids.tolist() for item in state.flush()] == [[], [], [], [1]]


def _live_tensors() -> int:
    gc.collect()
    return sum(type(item) is torch.Tensor for item in gc.get_objects())


def test_memory_does_not_grow_with_the_video(fake_network, soft_clip):
    network = fake_network()
    state = _tracker(network, support=SupportGrid(2, every=3, keep=4)).start(SIZE)
    state.add(_queries([0, 1]))
    tensors, sizes = [], []
    for index in range(120):
        state.push(Frame(index, 0.0, soft_clip[index % 30]))
        if index % 24 == 23 and index > 24:
            tensors.append(_live_tensors())
            sizes.append(sum(array.nbytes for array in state.snapshot().values()))
            assert len(state._window.frames) < network.window + network.step
    assert len(set(tensors)) == 1
    assert len(set(sizes)) == 1
    assert network.encoded == 120


def test_support_points_steady_but_are_never_given_out(fake_network, soft_clip):
    plain, steadied = (
        _stream(_tracker(fake_network(), **options).start(SIZE), soft_clip, {5: [_queries([2])]})
        for options in ({}, {"support": SupportGrid(3, every=6)})
    )
    assert all(item.ids.tolist() in ([], [2]) for item in steadied)
    assert not np.array_equal(plain[20].xy, steadied[20].xy)


def test_one_window_over_the_whole_video(fake_network, soft_clip):
    network = fake_network(**KINDS["any length"])
    tracker = _tracker(network, whole_video=True)
    given = _stream(tracker.start(SIZE), soft_clip, {0: [_queries(range(6))]})
    assert network.refined == 1
    assert [item.frame_index for item in given] == list(range(30))
    with pytest.raises(UsageError, match="leave out whole_video"):
        _tracker(fake_network(), whole_video=True)


@pytest.mark.parametrize("ids", [[0], [3, 3], [-1]])
def test_ids_must_be_new(fake_network, ids):
    state = _tracker(fake_network()).start(SIZE)
    state.add(_queries([0], group=5))
    count = len(ids)
    with pytest.raises(ValueError, match="new, unique and not negative"):
        state.add(QueryPoints(np.array(ids), np.zeros(count, np.int64), PLACES[:count]))


def test_frames_must_rise_and_keep_their_size(fake_network, soft_clip):
    state = _tracker(fake_network()).start(SIZE)
    state.push(Frame(4, 0.0, soft_clip[0]))
    with pytest.raises(ValueError, match="frame 4 came after frame 4"):
        state.push(Frame(4, 0.0, soft_clip[0]))
    with pytest.raises(ValueError, match=r"frame 5 is \(48, 64\) pixels"):
        state.push(Frame(5, 0.0, soft_clip[0].transpose(1, 0, 2)))
