"""What benchmarks run: names and settings, and both ways of following objects through a folder."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from rvsam_video import SegmentationSettings, UsageError, VideoSegmenter
from rvsam_video.clips.frames import longest_side
from rvsam_video.clips.segmenter import ClipSegmenter
from rvsam_video.demos.synthetic import SyntheticClip
from rvsam_video.evals.building import Method, Streaming, WholeClips, build
from rvsam_video.part_devices import part_devices
from rvsam_video.presets import PRESETS
from rvsam_video.segmenters.grabcut.segmenter import GrabCut
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


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_brings_its_parts_and_names_replace_them(name):
    assert Method(preset=name).parts() == PRESETS[name]
    given = Method(preset=name, tracker="cotracker2", segmenter="grabcut", seed=5).parts()
    settings = replace(PRESETS[name].settings, seed=5)
    assert given == replace(
        PRESETS[name], tracker="cotracker2", segmenter="grabcut", settings=settings
    )


def test_the_default_needs_no_weights():
    parts = Method().parts()
    assert (parts.tracker, parts.segmenter) == ("lucas-kanade", "grabcut")
    assert parts.settings == SegmentationSettings()
    identity = Method().identity()
    assert identity["preset"] == "default"
    assert identity["weights"] is None
    assert identity["tracker_weights"] is None


@pytest.mark.parametrize("part", ["preset", "tracker", "segmenter"])
def test_unknown_names_are_told_with_those_there_are(part):
    with pytest.raises(UsageError, match=f"no {part} named 'nobody'; choose one of: "):
        Method(**{part: "nobody"}).parts()


def test_a_device_is_for_the_parts_with_a_network():
    assert part_devices("cotracker1", "grabcut", "cuda") == ("cuda", "auto")
    assert part_devices("lucas-kanade", "repvit-sam", "cuda") == ("auto", "cuda")
    assert part_devices("cotracker1", "repvit-sam", "cuda") == ("cuda", "cuda")
    assert part_devices("lucas-kanade", "grabcut", "cuda") == ("cuda", "cuda")
    with pytest.raises(UsageError, match="runs on the CPU"):
        build(Method(device="cuda"))


def test_presets_that_name_a_size_take_whole_clips():
    plain = {"tracker": "lucas-kanade", "segmenter": "grabcut"}
    assert isinstance(build(Method()), Streaming)
    assert isinstance(build(Method(preset="live", **plain)), Streaming)
    assert isinstance(build(Method(preset="accurate", **plain)), WholeClips)


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
