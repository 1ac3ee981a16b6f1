"""Whole clips: read again instead of kept, with any tracker and segmenter."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from rvsam_video import PromptError, SegmentationSettings, SourceError
from rvsam_video.clips.frames import longest_side
from rvsam_video.clips.segmenter import ClipObject, ClipSegmenter
from rvsam_video.demos.synthetic import SyntheticClip
from rvsam_video.segmenters import create_segmenter
from rvsam_video.trackers import create_tracker
from rvsam_video.trackers.clips import ForwardClip

POINT = np.array([[20, 24]], np.float32)
ON = np.ones(1, np.int8)


def click(object_id=1, frame=0):
    return ClipObject(object_id=object_id, frame=frame, points=POINT, labels=ON)


@pytest.fixture
def engine(fakes):
    return ClipSegmenter(ForwardClip(fakes.DriftTracker(lookahead=3)), fakes.DiscSegmenter())


def test_results_come_in_order_at_the_size_asked_for(engine, make_frames):
    frames = make_frames(6)
    results = list(engine.segment(lambda: frames, [click(), click(2, 3)], (128, 96)))
    assert [result.index for result in results] == list(range(6))
    assert [sorted(result.masks) for result in results] == [[1]] * 3 + [[1, 2]] * 3
    for result in results:
        assert result.image.shape == (96, 128, 3)
        assert result.masks[1].shape == (96, 128)
        # A point stays on the same spot of the picture, whose pixels are half as large.
        assert result.points.xy[0].tolist() == [2 * (20 + result.index) + 0.5, 48.5]
        y, x = np.nonzero(result.masks[1])
        centre = (x.mean(), y.mean())
        if result.index < 3:
            assert centre == pytest.approx(result.points.xy[0].tolist(), abs=0.6)


def test_real_parts_follow_real_masks():
    clip = SyntheticClip(frames=4)
    frames = list(clip)
    objects = [
        ClipObject(object_id=int(label), frame=0, mask=clip.truth(0) == label)
        for label in np.unique(clip.truth(0))[1:]
    ]
    engine = ClipSegmenter(
        ForwardClip(create_tracker("lucas-kanade")),
        create_segmenter("grabcut"),
        rule=longest_side(240),
    )
    for result in engine.segment(lambda: frames, objects):
        for object_id, mask in result.masks.items():
            truth = clip.truth(result.index) == object_id
            assert (mask & truth).sum() > 0.8 * (mask | truth).sum()


def test_memory_does_not_grow_with_the_clip(engine):
    def peak(count):
        def frames():
            for number in range(count):
                yield np.full((120, 160, 3), number % 256, np.uint8)

        tracemalloc.start()
        for _ in engine.segment(frames, [click()]):
            pass
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    peak(5)
    # 190 frames more are 11 MB of pixels and 15 MB of logits.
    assert peak(200) - peak(10) < 500_000


@pytest.mark.parametrize(
    ("objects", "message"),
    [
        ([click(), click()], r"the objects are \[1, 1\]"),
        ([], "give at least one"),
        ([click(frame=9)], "object 1 starts in frame 9, which the clip lacks"),
    ],
)
def test_objects_that_cannot_be_followed_are_named(engine, make_frames, objects, message):
    frames = make_frames(3)
    with pytest.raises(PromptError, match=message):
        next(engine.segment(lambda: frames, objects))


def test_nothing_to_read_and_nothing_known_are_errors(engine):
    with pytest.raises(SourceError, match="no frames"):
        next(engine.segment(list, [click()]))
    with pytest.raises(PromptError, match="neither a mask nor points"):
        ClipObject(object_id=1, frame=0)


def test_the_object_itself_is_the_answer_in_its_own_frame(engine, make_frames):
    frames = make_frames(3)
    mask = np.zeros((48, 64), np.bool_)
    mask[5:15, 40:60] = True
    settings = SegmentationSettings(score_threshold=0.95)
    engine.settings = settings
    first, second, _ = engine.segment(lambda: frames, [ClipObject(object_id=4, frame=0, mask=mask)])
    assert np.array_equal(first.masks[4], mask)
    assert not second.masks[4].any()
