"""Both ways of following objects through a folder, and what presets make of them."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from PIL import Image

from rvsam_video import SegmentationSettings, VideoSegmenter
from rvsam_video.clips.frames import longest_side
from rvsam_video.clips.segmenter import ClipSegmenter
from rvsam_video.demos.synthetic import SyntheticClip
from rvsam_video.evals.following import Streaming, WholeClips, follower_of, restarts_of
from rvsam_video.methods import Method
from rvsam_video.segmenters.grabcut.segmenter import GrabCut
from rvsam_video.settings import RestartVariant
from rvsam_video.trackers.clips import ForwardClip
from rvsam_video.trackers.lucas_kanade.tracker import LucasKanade

FRAMES, SIZE = 3, (160, 90)


@pytest.fixture(scope="module")
def clip():
    return SyntheticClip(frames=FRAMES, size=SIZE)


@pytest.fixture(scope="module")
def pictures(clip, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    for frame in clip:
        Image.fromarray(frame.image).save(folder / f"{frame.index:05d}.png")
    return folder


@pytest.fixture(scope="module")
def objects(clip):
    numbers = clip.truth(0)
    return {number: numbers == number for number in clip.object_ids}


def test_presets_that_name_a_size_take_whole_clips():
    plain = {"tracker": "lucas-kanade", "segmenter": "grabcut"}
    assert isinstance(follower_of(Method(**plain).resolve()), Streaming)
    assert isinstance(follower_of(Method(preset="live", **plain).resolve()), Streaming)
    assert isinstance(follower_of(Method(preset="accurate", **plain).resolve()), WholeClips)


@pytest.mark.parametrize("letter", "abcd")
def test_tracking_is_restarted_as_the_preset_says(letter, pictures, objects):
    plain = {"tracker": "lucas-kanade", "segmenter": "grabcut"}
    pair = Method(preset=f"paper-reinit-{letter}", **plain).resolve()
    restarts = restarts_of(pair)
    assert restarts.variant == list(get_args(RestartVariant))["abcd".index(letter)]
    assert restarts.sam_pt_exact
    assert [item.index for item in follower_of(pair).follow(pictures, objects)] == [0, 1, 2]


@pytest.fixture(scope="module")
def followers():
    settings = SegmentationSettings(refill_below=0)
    whole = ClipSegmenter(ForwardClip(LucasKanade()), GrabCut(), settings, rule=longest_side(240))
    streaming = VideoSegmenter(LucasKanade(), GrabCut(), settings)
    return [Streaming(streaming), WholeClips(whole)]


def test_both_ways_follow_the_objects_of_the_first_frame(followers, clip, pictures, objects):
    for follower in followers:
        results = list(follower.follow(pictures, objects))
        assert [result.index for result in results] == list(range(FRAMES))
        for result in results:
            truth = clip.truth(result.index)
            for number, mask in result.masks.items():
                true = truth == number
                assert mask.shape == SIZE[::-1]
                assert (mask & true).sum() / (mask | true).sum() > 0.7


def test_without_objects_all_frames_are_background(followers, pictures):
    for follower in followers:
        results = list(follower.follow(pictures, {}))
        assert [result.index for result in results] == list(range(FRAMES))
        assert not any(np.any(result.index_map()) for result in results)
