"""New points for old objects while a video streams: when, from what, and what it changes."""

from __future__ import annotations

import numpy as np
import pytest

from rvsam_video import Prompt, SegmentationSettings, Session
from rvsam_video.results import ObjectResult
from rvsam_video.streaming.renewal import RestartClock

EVERY_5 = SegmentationSettings(
    positive_points=4, negative_points=1, refill_below=0, restart_every=5
)


def square():
    mask = np.zeros((48, 64), np.bool_)
    mask[18:30, 5:17] = True
    return mask


@pytest.fixture
def session(fakes):
    def build(settings=EVERY_5, *, step=(1, 0), score=0.9, lookahead=0, prompts=None):
        prompts = prompts or [Prompt.create(mask=square())]
        tracker = fakes.DriftTracker(lookahead, step)
        return Session(tracker, fakes.DiscSegmenter(score=score), settings, prompts)

    return build


def run(session, frames):
    results = [result for frame in frames for result in session.push(frame)]
    return results + session.flush()


def item(height, width, score=0.9):
    mask = np.zeros((50, 50), np.bool_)
    mask[:height, :width] = True
    return ObjectResult(1, mask, score)


def changes(results):
    """Frames whose points are not those of the frame before."""
    ids = [result.points.ids.tolist() for result in results]
    return [number for number in range(1, len(ids)) if ids[number] != ids[number - 1]]


@pytest.mark.parametrize("lookahead", [0, 3])
def test_points_are_chosen_anew_from_time_to_time(session, make_frames, lookahead):
    results = run(session(lookahead=lookahead), make_frames(18))
    assert changes(results)[:2] == [6, 11]
    for result in results:
        assert len(result.points) == 5
        mask, own = result.masks[1], result.points
        x, y = own.xy[own.labels == 1].mean(0)
        assert mask[round(float(y)), round(float(x))]


def test_a_mask_that_cannot_be_trusted_is_waited_out(session, make_frames):
    assert changes(run(session(score=0.3), make_frames(18))) == []


def test_points_that_the_user_gave_stay(session, make_frames):
    prompts = [Prompt.create(points=[[20, 24]])]
    results = run(session(prompts=prompts), make_frames(14))
    assert changes(results) == [6, 11]
    assert all(0 in result.points.ids for result in results)


def test_objects_have_their_own_clocks(session, make_frames):
    late = Prompt.create(object_id=2, frame=3, mask=np.roll(square(), 20, axis=1))
    results = run(session(prompts=[Prompt.create(mask=square()), late]), make_frames(14))
    assert changes(results) == [3, 6, 9, 11]


def test_a_restored_session_restarts_in_the_same_frames(session, make_frames):
    frames = make_frames(14)
    want = run(session(), frames)
    for cut in (4, 5, 6, 9):
        first = session()
        got = [result for frame in frames[:cut] for result in first.push(frame)]
        second = session()
        second.restore(first.snapshot())
        got += run(second, frames[cut:])
        for a, b in zip(want, got, strict=True):
            assert np.array_equal(a.points.ids, b.points.ids)
            assert np.array_equal(a.points.xy, b.points.xy)


@pytest.mark.parametrize(
    ("sides", "score", "expected"),
    [
        ((10, 10), 0.9, True),
        ((10, 10), 0.5, True),
        ((10, 10), 0.4, False),
        ((7, 10), 0.9, True),
        ((3, 23), 0.9, False),
        ((14, 10), 0.9, True),
        ((3, 47), 0.9, False),
    ],
)
def test_a_mask_is_trusted_if_it_is_as_large_as_usual_and_scored_well(sides, score, expected):
    clock = RestartClock(since=0)
    for _ in range(3):
        clock.see(item(10, 10))
        clock.see(item(0, 0))
    assert clock.is_time(item(*sides, score), 5, EVERY_5) == expected
    assert not clock.is_time(item(10, 10), 4, EVERY_5)
    assert not clock.is_time(item(10, 10), 50, SegmentationSettings())


@pytest.mark.parametrize(("sides", "expected"), [((5, 5), False), ((2, 13), True)])
def test_a_tiny_mask_is_never_trusted(sides, expected):
    clock = RestartClock(since=0)
    clock.see(item(*sides))
    assert clock.is_time(item(*sides), 5, EVERY_5) == expected


def test_the_usual_area_follows_slowly():
    clock = RestartClock(since=0)
    clock.see(item(10, 10))
    trusted = []
    for frame in range(5, 12):
        trusted.append(clock.is_time(item(10, 20), frame, EVERY_5))
        clock.see(item(10, 20))
    # 100, 120, 136, 149 and so on: two hundred are usual from 143 on.
    assert trusted == [False] * 3 + [True] * 4
