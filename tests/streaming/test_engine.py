"""The whole engine on its default without weights, on a rendered clip with exact truth."""

from __future__ import annotations

import gc
from itertools import cycle

import numpy as np
import psutil
import pytest

import rvsam_video as rv
from rvsam_video.demos.synthetic import SyntheticClip
from rvsam_video.evals.metrics.region import region_similarity

APART = rv.SegmentationSettings(other_objects_as_negatives=False, keep_logits=True)


@pytest.fixture(scope="module")
def clip():
    return SyntheticClip(frames=30, size=(320, 180))


@pytest.fixture(scope="module")
def prompts(clip):
    truth = clip.truth(0)
    return [rv.Prompt.create(object_id=key, mask=truth == key) for key in clip.object_ids]


def same(one, other):
    return (
        np.array_equal(one.index_map(), other.index_map())
        and np.array_equal(one.points.xy, other.points.xy)
        and one.scores == other.scores
    )


def test_objects_are_followed(clip, prompts):
    overlaps = {key: [] for key in clip.object_ids}
    for result in rv.VideoSegmenter().track(clip, prompts):
        truth = clip.truth(result.index)
        for key, mask in result.masks.items():
            overlaps[key].append(region_similarity(mask, truth == key))
    assert {key: len(values) for key, values in overlaps.items()} == {1: 30, 2: 30, 3: 30}
    assert all(np.mean(values) > 0.9 for values in overlaps.values())


def test_files_folders_and_arrays_give_the_same_masks(clip, prompts, tmp_path):
    from PIL import Image

    frames = [clip.frame(index) for index in range(4)]
    for frame in frames:
        Image.fromarray(frame.image).save(tmp_path / f"{frame.index:03d}.png")
    segmenter = rv.VideoSegmenter()
    want = list(segmenter.track(frames, prompts))
    for source in (tmp_path, str(tmp_path / "*.png"), [frame.image for frame in frames]):
        got = list(segmenter.track(source, prompts))
        assert all(same(one, other) for one, other in zip(want, got, strict=True))


def test_pushing_is_the_same_as_tracking(clip, prompts):
    segmenter = rv.VideoSegmenter()
    want = list(segmenter.track(clip, prompts))
    first, second = segmenter.session(prompts), segmenter.session(prompts)
    for expected, frame in zip(want, clip, strict=True):
        # Two sessions of one segmenter side by side: nothing of a video lives outside its session.
        (one,) = first.push(frame)
        (two,) = second.push(frame)
        assert same(one, expected)
        assert same(two, expected)


def test_an_object_is_the_same_to_the_bit_whoever_comes_and_goes(clip, prompts):
    segmenter = rv.VideoSegmenter(settings=APART)
    alone = list(segmenter.track(clip, prompts[0]))
    session = segmenter.session([prompts[0]])
    for expected, frame in zip(alone, clip, strict=True):
        (result,) = session.push(frame)
        assert np.array_equal(result.masks[1], expected.masks[1])
        assert np.array_equal(result.objects[0].logits, expected.objects[0].logits)
        if frame.index == 10:
            session.add(2, mask=clip.truth(10) == 2)
        if frame.index == 20:
            session.remove(2)
    late = segmenter.session()
    for frame in clip:
        (result,) = late.push(frame)
        if frame.index == 10:
            late.add(2, mask=clip.truth(10) == 2)
    both = segmenter.session([prompts[0]])
    for frame in clip:
        (other,) = both.push(frame)
        if frame.index == 10:
            both.add(2, mask=clip.truth(10) == 2)
        if frame.index == 15:
            both.remove(1)
    assert np.array_equal(result.masks[2], other.masks[2])
    assert np.array_equal(result.objects[0].logits, other.objects[0].logits)


def test_a_killed_session_goes_on_to_the_same_masks(clip, prompts, tmp_path):
    segmenter = rv.VideoSegmenter()
    want = list(segmenter.track(clip, prompts))
    frames = list(clip)
    first = segmenter.session(prompts)
    for frame in frames[:17]:
        first.push(frame)
    np.savez(tmp_path / "state.npz", **first.snapshot())
    second = segmenter.session(prompts)
    with np.load(tmp_path / "state.npz", allow_pickle=False) as state:
        second.restore(dict(state))
    for expected, frame in zip(want[17:], frames[17:], strict=True):
        (result,) = second.push(frame)
        assert same(result, expected)


def test_memory_does_not_grow_with_the_video():
    clip = SyntheticClip(frames=20, size=(160, 90))
    session = rv.VideoSegmenter().session(clip.prompts()[:1])
    images = cycle([frame.image for frame in clip])
    process = psutil.Process()
    sizes = []
    for number in range(240):
        session.push(next(images))
        if number in (59, 239):
            gc.collect()
            sizes.append(process.memory_info().rss / 2**20)
    assert sizes[1] - sizes[0] < 20


def test_unknown_names_are_refused_with_the_known_ones():
    with pytest.raises(rv.UsageError, match="lucas-kanade"):
        rv.VideoSegmenter(tracker="optical-glow")
    with pytest.raises(rv.UsageError, match="grabcut"):
        rv.VideoSegmenter(segmenter="sam3")
    with pytest.raises(rv.UsageError, match="positive_points is 0; allowed is 1 to 1000"):
        rv.SegmentationSettings(positive_points=0)
    with pytest.raises(rv.UsageError, match="kmedoids, shi-tomasi, random, mixed"):
        rv.SegmentationSettings(point_selection="grid")
