"""From the prompts of a frame to its masks: batches, answers, corrections and memories."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rvsam_video import Prompt, SegmentationSettings, Session, WeightsError
from rvsam_video.trackers.base import TrackedPoints

CLICKS_ONLY = SegmentationSettings(add_points_to_clicks=False, refill_below=0)


def click(x, y, object_id=1, frame=0):
    return Prompt.create(object_id=object_id, frame=frame, points=[[x, y]])


@pytest.fixture
def segmenter(fakes):
    return fakes.DiscSegmenter()


@pytest.fixture
def session(fakes, segmenter):
    def build(prompts=(), *, settings=CLICKS_ONLY, lookahead=0):
        return Session(fakes.DriftTracker(lookahead, (0, 0)), segmenter, settings, prompts)

    return build


def run(session, frames):
    results = [result for frame in frames for result in session.push(frame)]
    return results + session.flush()


def seen(batches):
    """How often the segmenter has seen each object before, batch by batch."""
    return [
        [0 if item.memory is None else int(item.memory["seen"]) for item in batch]
        for batch in batches
    ]


def test_what_the_segmenter_remembers_comes_back_with_the_next_frame(
    session, segmenter, make_frames
):
    run(session([click(20, 24), click(40, 24, 2, frame=2)]), make_frames(5))
    # The first prompts of both, and then all that live in a frame together: what was answered with
    # its prompt is not asked again.
    assert seen(segmenter.batches) == [[0], [1], [0], [2], [3, 1], [4, 2]]


def test_an_object_that_was_removed_is_not_remembered(session, segmenter, make_frames):
    frames = make_frames(4)
    live = session([click(20, 24), click(40, 24, 2)])
    live.push(frames[0])
    live.push(frames[1])
    live.remove(1)
    live.add(1, points=[[10, 10]])
    live.push(frames[2])
    assert live.object_ids == [1, 2]
    assert seen(segmenter.batches[-2:]) == [[0], [1, 2]]


def test_an_object_added_to_a_frame_that_is_out_goes_on_from_there(session, segmenter, make_frames):
    frames = make_frames(3)
    live = session()
    live.push(frames[0])
    live.add(5, points=[[20, 24]])
    live.add(3, points=[[40, 24]])
    (result,) = live.push(frames[1])
    assert [item.object_id for item in result.objects] == [3, 5]
    assert seen(segmenter.batches) == [[0], [0], [1, 1]]
    assert segmenter.embeds == 2


def test_a_known_correction_is_shown_in_a_second_step(session, segmenter, make_frames):
    """First what is seen without it, as the user saw it who corrected it; then with it."""
    prompts = [click(20, 24), click(44, 24, 2), click(30, 24, frame=2)]
    results = run(session(prompts), make_frames(4))
    plain, corrected, after = segmenter.batches[-3:]
    assert [item.object_id for item in plain] == [1, 2]
    assert plain[0].points.tolist() == [[20, 24], [44, 24]]
    assert [item.object_id for item in corrected] == [1]
    assert corrected[0].points.tolist() == [[20, 24], [30, 24], [44, 24]]
    assert corrected[0].point_ids.tolist() == [0, 2, -1]
    assert [item.object_id for item in after] == [1, 2]
    # The second step goes on from the first, the next frame from the second.
    assert seen([plain, corrected, after]) == [[2, 2], [3], [4, 3]]
    centres = [np.nonzero(result.masks[1])[1].mean() for result in results]
    assert centres == pytest.approx([20, 20, 25, 25])


@pytest.mark.parametrize("lookahead", [0, 2])
def test_a_correction_gives_the_same_whether_its_frame_is_out_or_not(
    fakes, session, make_frames, lookahead
):
    frames = make_frames(8)
    live = session([click(20, 24), click(44, 24, 2)], lookahead=lookahead)
    results = [result for frame in frames[:5] for result in live.push(frame)]
    shown = live.add(1, points=[[30, 24]])
    assert (shown is None) == (lookahead > 0)
    results += run(live, frames[5:])
    centres = [np.nonzero(result.masks[1])[1].mean() for result in results]
    assert centres[5:] == pytest.approx([25] * 3)
    assert centres[:4] == pytest.approx([20] * 4)


def test_a_stored_correction_is_not_forgotten(session, segmenter, make_frames):
    frames = make_frames(8)

    def begin():
        return session([click(20, 24), click(44, 24, 2)], lookahead=3)

    whole, first, second = begin(), begin(), begin()
    want = []
    for live in (whole, first):
        want = [result for frame in frames[:5] for result in live.push(frame)]
        live.add(1, points=[[30, 24], [32, 24]])
        live.add(2, points=[[44, 26]])
    asked = len(segmenter.batches)
    want += run(whole, frames[5:])
    again = len(segmenter.batches)
    second.restore(first.snapshot())
    got = run(second, frames[5:])
    assert np.nonzero(want[4].masks[1])[1].mean() > 21
    # Frames 2 to 7: in 4 there are two steps, and memories go on where they were.
    counts = [[count, count] for count in range(2, 9)]
    assert seen(segmenter.batches[asked:again]) == counts
    assert seen(segmenter.batches[again:]) == counts
    for a, b in zip(want[-len(got) :], got, strict=True):
        assert np.array_equal(a.index_map(), b.index_map())


@pytest.mark.parametrize(("overlap", "shared"), [(True, True), (False, False)])
def test_objects_share_pixels_only_if_they_may(session, make_frames, overlap, shared):
    prompts = [click(20, 24), click(24, 24, 2)]
    settings = replace(CLICKS_ONLY, overlap=overlap)
    results = run(session(prompts, settings=settings), make_frames(2))
    assert bool((results[-1].masks[1] & results[-1].masks[2]).any()) == shared
    assert results[-1].masks[1][24, 19]
    assert results[-1].masks[2][24, 25]


def test_an_object_scored_too_low_has_no_mask_but_keeps_its_score(session, make_frames):
    settings = replace(CLICKS_ONLY, score_threshold=0.95)
    results = run(session([click(20, 24)], settings=settings), make_frames(2))
    for result in results:
        assert not result.masks[1].any()
        assert result.scores[1] == 0.9
        assert result.objects[0].prompted


@pytest.mark.parametrize("where", ["score", "logits"])
def test_answers_that_are_no_numbers_end_the_run(session, segmenter, make_frames, where):
    frames, live = make_frames(3), session([click(20, 24)])
    live.push(frames[0])
    predict = segmenter.predict

    def damaged(embedding, prompts):
        found = predict(embedding, prompts)
        if where == "score":
            return [replace(item, score=float("nan")) for item in found]
        logits = found[0].logits.copy()
        logits[2, 3] = np.nan
        return [replace(item, logits=logits) for item in found]

    segmenter.predict = damaged
    with pytest.raises(WeightsError, match="in frame 1 with values that are no numbers"):
        live.push(frames[1])


def test_places_that_are_no_numbers_end_the_run():
    ids, xy = np.array([0, 1]), np.array([[1, np.nan], [3, 4]], np.float32)
    sure = np.ones(2, np.float32)
    TrackedPoints(0, ids, xy, np.array([False, True]), sure)
    with pytest.raises(WeightsError, match="places that are no numbers"):
        TrackedPoints(0, ids, xy, np.array([True, True]), sure)
    with pytest.raises(WeightsError, match="places that are no numbers"):
        TrackedPoints(0, ids, xy[::-1], np.array([True, False]), sure * np.inf)
