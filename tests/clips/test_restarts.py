"""Whole clips with restarts: chunk after chunk, in bounded memory, also when objects vanish."""

from __future__ import annotations

import numpy as np
import pytest

from rvsam_video import PromptError, SegmentationSettings
from rvsam_video.clips.restarts import RestartingClipSegmenter
from rvsam_video.clips.segmenter import ClipObject, ClipSegmenter
from rvsam_video.settings import RestartSettings
from rvsam_video.trackers.clips import ForwardClip

VARIANTS = ["horizon", "median-area", "similar-area", "similar-area-together"]
FEW = SegmentationSettings(positive_points=5, negative_points=1, point_selection="kmedoids")


def square(x, y, side=12):
    mask = np.zeros((48, 64), np.bool_)
    mask[y : y + side, x : x + side] = True
    return mask


def centre(mask):
    y, x = np.nonzero(mask)
    return float(x.mean()), float(y.mean())


@pytest.fixture
def engine(fakes):
    def build(step=(1, 0), settings=FEW, **restarts):
        values = {"horizon": 6, "tracker_horizon": 8} | restarts
        return RestartingClipSegmenter(
            ForwardClip(fakes.DriftTracker(step=step)),
            fakes.DiscSegmenter(),
            settings,
            RestartSettings(**values),
        )

    return build


@pytest.mark.parametrize("variant", VARIANTS)
def test_masks_follow_their_objects_from_chunk_to_chunk(engine, make_frames, variant):
    frames = make_frames(25)
    objects = [
        ClipObject(object_id=3, frame=0, mask=square(5, 5)),
        ClipObject(object_id=9, frame=4, mask=square(5, 30)),
    ]
    results = list(engine(variant=variant).segment(lambda: frames, objects))
    assert [result.index for result in results] == list(range(25))
    assert [sorted(result.masks) for result in results] == [[3]] * 4 + [[3, 9]] * 21
    for result in results:
        assert centre(result.masks[3]) == pytest.approx((10.5 + result.index, 10.5), abs=3)
        table = result.points
        assert len(set(table.ids.tolist())) == len(table)
    chunks = {tuple(result.points.ids.tolist()) for result in results}
    assert len(chunks) > 4


def test_one_chunk_is_a_clip_without_restarts(engine, fakes, make_frames):
    frames = make_frames(10)
    objects = [ClipObject(object_id=1, frame=0, mask=square(5, 5))]
    whole = ClipSegmenter(ForwardClip(fakes.DriftTracker()), fakes.DiscSegmenter(), FEW)
    want = list(whole.segment(lambda: frames, objects))
    got = list(engine(horizon=10, tracker_horizon=10).segment(lambda: frames, objects))
    for a, b in zip(want, got, strict=True):
        assert np.array_equal(a.index_map(), b.index_map())
        assert np.array_equal(a.points.xy, b.points.xy)
        assert a.scores == b.scores


@pytest.mark.parametrize("variant", VARIANTS)
def test_an_object_that_vanished_keeps_the_points_it_has(engine, make_frames, variant):
    frames = make_frames(40)
    objects = [ClipObject(object_id=1, frame=0, mask=square(50, 20))]
    results = list(engine(step=(2, 0), variant=variant).segment(lambda: frames, objects))
    assert not results[-1].masks[1].any()
    own = results[-1].points
    places = own.xy[own.labels == 1]
    # Where a part is still in the picture, the others restart from that; none begins at (0, 0).
    assert (places[:, 0] > (100 if variant == "horizon" else 60)).all()


def test_results_come_while_the_clip_is_being_read(engine, make_frames):
    frames = make_frames(60)
    read = []

    def source():
        for frame in frames:
            read.append(frame.index)
            yield frame

    objects = [ClipObject(object_id=1, frame=0, mask=square(5, 5))]
    for result in engine(step=(0, 0)).segment(source, objects):
        assert read[-1] <= max(result.index, 0) + 2 * 8


def test_objects_are_checked(engine, make_frames):
    frames = make_frames(3)
    with pytest.raises(PromptError, match="at least one"):
        next(engine().segment(lambda: frames, []))
