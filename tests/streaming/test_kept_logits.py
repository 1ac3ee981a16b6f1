"""Logits in results: none unless asked for, and then no larger than a network's own maps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rvsam_video import Prompt, SegmentationSettings, Session
from rvsam_video.clips.segmenter import ClipObject, ClipSegmenter
from rvsam_video.trackers.clips import ForwardClip

PLAIN = SegmentationSettings(add_points_to_clicks=False, refill_below=0)
KEPT = replace(PLAIN, keep_logits=True)
CLICK = Prompt.create(points=[[300, 100]])


@pytest.fixture
def low_res_segmenter(fakes):
    """One with a low-resolution map of its own, as networks have it, told apart by its mean."""

    class LowRes(fakes.DiscSegmenter):
        def predict(self, embedding, prompts):
            return [
                replace(item, low_res_logits=np.full((256, 256), item.logits.mean(), np.float32))
                for item in super().predict(embedding, prompts)
            ]

    return LowRes()


def test_results_carry_no_logits(fakes, make_frames):
    session = Session(fakes.DriftTracker(), fakes.DiscSegmenter(), PLAIN, [CLICK])
    (result,) = session.push(make_frames(1, (640, 200))[0])
    assert result.objects[0].logits is None
    shown = session.add(2, points=[[20, 30]])
    assert shown is not None
    assert shown.logits is None


def test_a_large_map_is_reduced_to_its_mean_by_area(fakes, make_frames):
    session = Session(fakes.DriftTracker(), fakes.DiscSegmenter(radius=30), KEPT, [CLICK])
    (result,) = session.push(make_frames(1, (640, 200))[0])
    y, x = np.mgrid[:200, :640]
    full = 30 - np.hypot(x - 300, y - 100)
    for logits in (result.objects[0].logits, session.add(2, points=[[300, 100]]).logits):
        assert (logits.shape, logits.dtype) == ((80, 256), np.float32)
        # Two and a half pixels a side, so that every second cell covers five rows by five columns.
        pairs = logits.reshape(40, 2, 128, 2).mean(axis=(1, 3))
        areas = full.reshape(40, 5, 128, 5).mean(axis=(1, 3))
        np.testing.assert_allclose(pairs, areas, atol=1e-3)


@pytest.mark.parametrize("size", [(64, 48), (256, 100)])
def test_a_small_map_stays_as_it_is(fakes, make_frames, size):
    click = Prompt.create(points=[[20, 24]])
    session = Session(fakes.DriftTracker(), fakes.DiscSegmenter(), KEPT, [click])
    (result,) = session.push(make_frames(1, size)[0])
    y, x = np.mgrid[: size[1], : size[0]]
    expected = (6 - np.hypot(x - 20, y - 24)).astype(np.float32)
    assert np.array_equal(result.objects[0].logits, expected)


@pytest.mark.parametrize(("size", "shape"), [((2, 1024), (256, 1)), ((1024, 2), (1, 256))])
def test_the_longest_side_decides_whichever_it_is(fakes, make_frames, size, shape):
    click = Prompt.create(points=[[1, 1]])
    session = Session(fakes.DriftTracker(), fakes.DiscSegmenter(), KEPT, [click])
    (result,) = session.push(make_frames(1, size)[0])
    assert result.objects[0].logits.shape == shape


def test_a_networks_own_map_is_kept_as_it_is(low_res_segmenter, fakes, make_frames):
    frames = make_frames(3, (640, 200))
    session = Session(fakes.DriftTracker(step=(9, 0)), low_res_segmenter, KEPT, [CLICK])
    logits = [session.push(frame)[0].objects[0].logits for frame in frames]
    assert [item.shape for item in logits] == [(256, 256)] * 3
    assert len({float(item[0, 0]) for item in logits}) == 3


def test_a_restored_session_has_them_too(low_res_segmenter, fakes, make_frames):
    frames = make_frames(6, (640, 200))
    prompts = [CLICK, Prompt.create(object_id=2, frame=2, points=[[50, 60]])]

    def begin(given):
        return Session(fakes.DriftTracker(3), low_res_segmenter, KEPT, given)

    whole, first = begin(prompts), begin(prompts)
    want = [result for frame in frames for result in whole.push(frame)] + whole.flush()
    for frame in frames[:4]:
        first.push(frame)
    second = begin(prompts)
    second.restore(first.snapshot())
    got = [result for frame in frames[4:] for result in second.push(frame)] + second.flush()
    for a, b in zip(want[1:], got, strict=True):
        assert [item.object_id for item in a.objects] == [item.object_id for item in b.objects]
        for one, other in zip(a.objects, b.objects, strict=True):
            assert np.array_equal(one.logits, other.logits)


@pytest.mark.parametrize("settings", [PLAIN, KEPT])
def test_whole_clips_keep_them_by_the_same_rule(fakes, make_frames, settings):
    frames = make_frames(2, (640, 200))
    item = ClipObject(object_id=1, frame=0, points=CLICK.points, labels=np.ones(1, np.int8))
    engine = ClipSegmenter(ForwardClip(fakes.DriftTracker()), fakes.DiscSegmenter(), settings)
    for result in engine.segment(lambda: frames, [item]):
        logits = result.objects[0].logits
        assert (logits is None) == (settings is PLAIN)
        assert logits is None or logits.shape == (80, 256)
