"""Offline TAPIR on videos of any length: windows that give what one window over all would."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable, Sequence

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rvsam_video.errors import UsageError
from rvsam_video.frame import Frame, Image
from rvsam_video.trackers.base import ClipTracker, QueryPoints, TrackedPoints
from rvsam_video.trackers.tapir.offline import TapirOffline
from rvsam_video.trackers.tapir.variants import TapirClipSettings

SIZE = (256, 256)
REACH = 3
"""Frames on either side that the closed-form network looks at."""


class ReachingEngine:
    """A point is at its query place plus the mean brightness of the frames within `REACH`.

    As in TAPIR, the first guess on its own frame is known; there the place is not moved.
    """

    side = 256

    def __init__(self) -> None:
        self.encoded = 0
        self.windows: list[tuple[int, int]] = []

    def encode(self, picture: Image) -> float:
        self.encoded += 1
        return float(picture.mean())

    def nothing(self) -> torch.Tensor:
        return torch.zeros(0, 1, 2)

    def describe(self, encoded: float, xy: np.ndarray) -> torch.Tensor:
        assert np.isfinite(encoded)
        return torch.from_numpy(np.asarray(xy, np.float32).copy())[:, None]

    def follow_clip(
        self, encoded: Sequence[float], queries: torch.Tensor, frames: np.ndarray, xy: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        self.windows.append((len(encoded), len(queries)))
        count = len(encoded)
        light = [
            np.mean(encoded[max(n - REACH, 0) : n + REACH + 1], dtype=np.float32)
            for n in range(count)
        ]
        places = np.repeat(queries.numpy(), count, axis=1) + np.array(light)[None, :, None]
        for row, number in enumerate(frames):
            if 0 <= number < count:
                places[row, number] = xy[row]
        sure = np.tile(np.arange(count) % 2 == 0, (len(queries), 1)).astype(np.float32)
        return places.astype(np.float32), sure


@pytest.fixture
def engine() -> ReachingEngine:
    return ReachingEngine()


def tracker(engine, **options) -> TapirOffline:
    chosen = {"window": 12, "margin": REACH, "pin_query": False} | options
    return TapirOffline("tapir-offline", engine, TapirClipSettings(**chosen))


def ask(*points: tuple[int, int, float, float]) -> QueryPoints:
    table = np.array(points, np.float64)
    return QueryPoints(
        table[:, 0].astype(np.int64), table[:, 1].astype(np.int64), table[:, 2:].astype(np.float32)
    )


def frame(index: int) -> Frame:
    bright = index * index % 83
    return Frame(index, index / 25, np.full((256, 256, 3), bright, np.uint8))


def xy_of(given: Iterable[TrackedPoints]) -> dict[tuple[int, int], tuple[float, ...]]:
    return {
        (item.frame_index, int(key)): tuple(np.round(xy, 3).tolist())
        for item in given
        for key, xy in zip(item.ids, item.xy, strict=True)
    }


POINTS = [ask((n, start, 10 * n, 20)) for n, start in enumerate((0, 0, 4, 11, 12, 23))]


def stream(state, count: int, queries=POINTS) -> list[TrackedPoints]:
    for query in queries:
        state.add(query)
    given = [points for index in range(count) for points in state.push(frame(index))]
    return given + state.flush()


@pytest.mark.parametrize("count", [1, 5, 11, 12, 13, 18, 19, 30, 50])
def test_windows_give_what_one_window_over_all_gives(engine, count):
    windows = stream(tracker(engine).start(SIZE), count)
    assert engine.encoded == count
    assert max(length for length, _ in engine.windows) <= 12
    assert [item.frame_index for item in windows] == list(range(count))
    whole = stream(tracker(ReachingEngine(), whole_video=True).start(SIZE), count)
    assert xy_of(windows) == xy_of(whole)


def test_a_clip_of_one_window_is_run_once_and_as_a_whole(engine):
    stream(tracker(engine).start(SIZE), 12)
    assert [length for length, _ in engine.windows] == [12]


def test_frames_come_out_as_soon_as_a_window_is_full_and_passed(engine):
    follow = tracker(engine)
    assert follow.lookahead == 12
    state = follow.start(SIZE)
    state.add(POINTS[0])
    out = [[item.frame_index for item in state.push(frame(index))] for index in range(20)]
    assert out[11] == []
    assert out[12] == list(range(9))
    assert out[18] == list(range(9, 15))
    assert [item.frame_index for item in state.flush()] == list(range(15, 20))
    assert state.flush() == []


def test_the_whole_video_comes_at_its_end(engine):
    follow = tracker(engine, whole_video=True)
    assert follow.lookahead == sys.maxsize
    state = follow.start(SIZE)
    state.add(POINTS[0])
    assert not any(state.push(frame(index)) for index in range(40))
    assert len(state.flush()) == 40


def test_points_are_pinned_and_live_from_their_frame_on(engine):
    given = stream(tracker(engine, pin_query=True).start(SIZE), 30)
    for item in given:
        assert set(item.ids) == {n for n, start in enumerate((0, 0, 4, 11, 12, 23))
                                 if start <= item.frame_index}  # fmt: skip
    np.testing.assert_array_equal(given[11].xy[3], [30, 20])
    # By the fake engine odd frames of a window are unsure.
    assert given[11].confidence[3] == 1
    assert given[11].visible[3]


def test_points_may_be_added_in_every_frame_that_is_not_out(engine):
    state = tracker(engine).start(SIZE)
    given = [points for index in range(20) for points in state.push(frame(index))]
    assert given[-1].frame_index == 14
    with pytest.raises(ValueError, match=r"query frame 13 has passed; the earliest .* is 14"):
        state.add(ask((1, 13, 10, 10)))
    state.add(ask((1, 14, 10, 10), (2, 16, 20, 20), (3, 22, 30, 30)))
    given = [points for index in range(20, 24) for points in state.push(frame(index))]
    given += state.flush()
    assert [list(item.ids) for item in given] == [[1]] + [[1, 2]] * 6 + [[1, 2, 3]] * 2
    whole = stream(
        tracker(ReachingEngine(), whole_video=True).start(SIZE), 24,
        [ask((1, 14, 10, 10), (2, 16, 20, 20), (3, 22, 30, 30))],
    )  # fmt: skip
    wanted = xy_of(whole)
    assert all(wanted[key] == xy for key, xy in xy_of(given).items())


def test_removed_points_do_not_come_back(engine):
    state = tracker(engine).start(SIZE)
    state.add(ask((1, 0, 10, 10), (2, 0, 20, 20), (3, 30, 5, 5)))
    given = [points for index in range(14) for points in state.push(frame(index))]
    state.remove([2, 3, 77])
    given += [points for index in range(14, 32) for points in state.push(frame(index))]
    given += state.flush()
    ids = {item.frame_index: list(item.ids) for item in given}
    assert ids[8] == [1, 2]
    assert ids[9] == ids[31] == [1]


@given(count=st.integers(1, 40), kill=st.integers(0, 39))
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_killed_run_goes_on_with_the_same_bits(engine, count, kill):
    follow = tracker(engine)
    expected = stream(follow.start(SIZE), count)
    state, given = follow.start(SIZE), []
    for query in POINTS:
        state.add(query)
    for index in range(count):
        if index == kill:
            file = io.BytesIO()
            np.savez(file, **state.snapshot())
            file.seek(0)
            state = follow.start(SIZE)
            state.restore(np.load(file, allow_pickle=False))
        given += state.push(frame(index))
    given += state.flush()
    assert xy_of(given) == xy_of(expected)


def test_a_margin_of_nothing_still_keeps_the_frame_given_out_last(engine):
    state = tracker(engine, window=4, margin=0).start(SIZE)
    for index in range(9):
        state.push(frame(index))
    state.add(ask((1, 6, 10, 10)))
    assert {item.frame_index: list(item.ids) for item in state.flush()} == {7: [1], 8: [1]}


def test_in_a_whole_clip_points_are_answered_for_before_their_own_frame(engine):
    follow = tracker(engine)
    assert isinstance(follow, ClipTracker)
    asked = ask((4, 20, 100, 50), (9, 0, 60, 60), (2, 99, 10, 10))
    given = list(follow.track_clip(lambda: map(frame, range(30)), asked))
    assert [item.frame_index for item in given] == list(range(30))
    for item in given:
        np.testing.assert_array_equal(item.ids, [4, 9, 2])
        np.testing.assert_allclose(item.xy[2], [10, 10])
        assert not item.visible[2]
    # Frame 5 was looked at for point 4, though it begins in frame 20.
    light = np.mean([frame(index).image.mean() for index in range(5 - REACH, 5 + REACH + 1)])
    np.testing.assert_allclose(given[5].xy[0], np.array([100, 50]) + light, atol=1e-3)
    np.testing.assert_allclose(given[20].xy[0], [100, 50], atol=1e-4)


@pytest.mark.parametrize("options", [{"window": 6, "margin": 3}, {"margin": -1}])
def test_windows_must_be_longer_than_their_margins(options):
    with pytest.raises(UsageError, match="a window must be longer than its two margins"):
        TapirClipSettings(**options)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"resolution": 384}, "resolution is 384; it must be 256 or 512"),
        ({"points_at_once": 0}, "points_at_once is 0; it must be at least 1"),
    ],
)
def test_other_settings_that_make_no_sense(options, sentence):
    with pytest.raises(UsageError, match=sentence):
        TapirClipSettings(**options)
