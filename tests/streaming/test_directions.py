"""Tracking both ways in time: what decides where, and the mirrored video gives the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import rvsam_video as rv
from rvsam_video.demos.synthetic import SyntheticClip
from rvsam_video.results import FrameResult, ObjectResult, PointTable
from rvsam_video.streaming.directions import ObjectSplit
from rvsam_video.streaming.spool import Behind, Spool

CLIP = SyntheticClip(frames=16, size=(160, 90))


def click(object_id: int, *frames: int) -> list[rv.Prompt]:
    return [
        rv.Prompt.create(object_id, frame, mask=CLIP.truth(frame) == object_id) for frame in frames
    ]


def overlaps(results: list[FrameResult], object_id: int) -> list[float]:
    found = []
    for result in results:
        truth, mask = CLIP.truth(result.index) == object_id, result.masks[object_id]
        found.append((truth & mask).sum() / (truth | mask).sum())
    return found


@pytest.fixture(scope="module")
def segmenter() -> rv.VideoSegmenter:
    return rv.VideoSegmenter("lucas-kanade", "grabcut")


def test_an_object_clicked_in_the_middle_is_found_in_every_frame(segmenter):
    results = list(segmenter.track(CLIP, [*click(1, 8), *click(2, 11)]))
    assert [result.index for result in results] == list(range(16))
    assert min(overlaps(results, 1)) > 0.85
    assert min(overlaps(results, 2)) > 0.85
    assert np.array_equal(results[3].image, CLIP.frame(3).image)
    assert results[3].time == CLIP.frame(3).time


@pytest.mark.parametrize("tracker", ["lucas-kanade", "late"])
def test_backward_equals_forward_on_the_reversed_clip(tracker, fakes):
    chosen = fakes.DriftTracker(lookahead=3, step=(1, 0)) if tracker == "late" else tracker
    segmenter = rv.VideoSegmenter(chosen, "grabcut")
    frames = [CLIP.frame(index) for index in range(16)]
    (prompt,) = click(1, 15)
    backward = list(segmenter.track(frames, prompt, direction="backward"))
    turned = [
        rv.Frame(15 - frame.index, 15 / 24 - frame.time, frame.image) for frame in frames[::-1]
    ]
    forward = list(segmenter.track(turned, replace(prompt, frame=0), direction="forward"))
    for one, other in zip(backward, forward[::-1], strict=True):
        assert np.array_equal(one.masks[1], other.masks[1])
        assert one.scores == other.scores
        assert sorted(map(tuple, one.points.xy)) == sorted(map(tuple, other.points.xy))


def test_the_nearest_prompt_decides_and_the_earlier_one_in_the_middle():
    split = ObjectSplit([*click(1, 4, 10), *click(2, 7)], "both", overlap=False)
    behind = [index for index in range(16) if split.is_behind(1, index)]
    assert behind == [0, 1, 2, 3, 8, 9]
    assert [index for index in range(16) if split.is_behind(2, index)] == list(range(7))
    assert (split.last, split.lowest()) == (10, 0)
    assert ObjectSplit(click(1, 0, 10), "both", overlap=False).lowest() == 6
    only = ObjectSplit(click(1, 4, 10), "backward", overlap=False)
    assert [index for index in range(16) if only.is_behind(1, index)] == list(range(11))


def test_a_prompt_holds_in_its_own_frame(segmenter):
    results = list(segmenter.track(CLIP, click(1, 3, 12)))
    found = overlaps(results, 1)
    assert found[3] > 0.97
    assert found[12] > 0.97


def test_prompts_behind_the_end_decide_nothing(segmenter):
    late = replace(click(1, 12)[0], frame=40)
    results = list(segmenter.track(CLIP, [*click(1, 8), late]))
    assert min(overlaps(results, 1)) > 0.85


def test_backward_alone_ends_with_the_last_prompt(segmenter):
    results = list(segmenter.track(CLIP, click(1, 6), direction="backward"))
    assert [1 in result.masks for result in results] == [True] * 7 + [False] * 9


def test_an_iterator_goes_forward_and_refuses_anything_else(segmenter):
    results = list(segmenter.track(iter(CLIP), click(1, 6)))
    assert [1 in result.masks for result in results] == [False] * 6 + [True] * 10
    with pytest.raises(rv.UsageError, match="read only once"):
        next(segmenter.track(iter(CLIP), click(1, 6), direction="both"))
    with pytest.raises(rv.UsageError, match="direction is 'sideways'"):
        next(segmenter.track(CLIP, click(1, 6), direction="sideways"))


def test_points_are_followed_both_ways_from_their_own_frames(fakes, make_frames):
    tracker = fakes.DriftTracker(lookahead=2, step=(1, 2))
    queries = [[0, 5, 6], [4, 10, 10]]
    tracked = list(rv.track_points(make_frames(6), queries, tracker=tracker))
    assert [points.frame_index for points in tracked] == list(range(6))
    assert all(points.ids.tolist() == [0, 1] for points in tracked)
    # The same drift in either direction of time: away from the query frame.
    assert [points.xy[1].tolist() for points in tracked] == [
        [14, 18], [13, 16], [12, 14], [11, 12], [10, 10], [11, 12],
    ]  # fmt: skip
    back = list(rv.track_points(make_frames(6), queries, tracker=tracker, direction="backward"))
    assert [points.ids.tolist() for points in back] == [[0, 1], [1], [1], [1], [1], []]


def test_smaller_pictures_give_results_of_the_full_size(segmenter):
    prompt = click(1, 0)
    results = list(segmenter.track(CLIP, prompt, longest_side=96))
    assert {result.masks[1].shape for result in results} == {(90, 160)}
    assert np.array_equal(results[5].image, CLIP.frame(5).image)
    assert min(overlaps(results, 1)) > 0.75
    # In pixels of the full picture.
    assert CLIP.truth(0)[tuple(np.round(results[0].points.xy[0]).astype(int)[::-1])] == 1


def mask(*columns: int) -> np.ndarray:
    found = np.zeros((2, 6), np.bool_)
    found[:, list(columns)] = True
    return found


def test_a_pixel_that_both_ways_claim_goes_to_the_nearer_prompt():
    prompts = [
        rv.Prompt.create(1, 0, points=[[0, 0]]), rv.Prompt.create(2, 10, points=[[5, 0]]),
    ]  # fmt: skip
    split = ObjectSplit(prompts, "both", overlap=False)
    ahead, back = ObjectResult(1, mask(0, 1, 2), 0.5), ObjectResult(2, mask(2, 3), 0.6)
    image = np.zeros((2, 6, 3), np.uint8)

    def joined(index: int, overlap: bool = False) -> list[list[int]]:
        result = FrameResult(index, 0.0, image, (ahead,), PointTable.empty())
        chosen = ObjectSplit(prompts, "both", overlap=True) if overlap else split
        return [
            np.flatnonzero(item.mask[0]).tolist()
            for item in chosen.joined(result, Behind((back,))).objects
        ]

    assert joined(2) == [[0, 1, 2], [3]]
    assert joined(8) == [[0, 1], [2, 3]]
    assert joined(5) == [[0, 1, 2], [3]]
    assert joined(2, overlap=True) == [[0, 1, 2], [2, 3]]


def test_a_spool_is_read_back_from_its_lowest_frame_on():
    spool = Spool()
    for index in (9, 7, 6, 2):
        logits = np.full((2, 2), index, np.float32) if index == 7 else None
        item = ObjectResult(3, mask(index % 6), -np.inf, logits, prompted=index != 6)
        spool.append(index, Behind((item,)))
    spool.rewind()
    assert spool.at(0).objects == ()
    for index in (2, 6, 7, 9):
        (item,) = spool.at(index).objects
        assert np.array_equal(item.mask, mask(index % 6))
        assert (item.score, item.prompted) == (-np.inf, index != 6)
        assert (item.logits is None) == (index != 7)
        assert spool.at(index).objects == ()
    spool.rewind()
    assert spool.at(7).objects[0].logits[0, 0] == 7
