"""CoTracker 1 through whole clips: the same as on stacked pictures, and what it is called for."""

from __future__ import annotations

import numpy as np
import pytest

from rvsam_video import Frame
from rvsam_video.trackers import clips
from rvsam_video.trackers.base import QueryPoints
from rvsam_video.trackers.clips import ForwardClip, as_sam_pt, create_clip_tracker
from rvsam_video.trackers.cotracker.network import Inference
from rvsam_video.trackers.cotracker.sam_pt import BothWays, sam_pt_settings, track_both_ways
from rvsam_video.trackers.cotracker.tracker import CoTracker
from rvsam_video.trackers.lucas_kanade.tracker import LucasKanade

FRAMES = [3, 14, 25]
XY = np.array([[20, 24], [40.5, 30], [8, 12]], np.float32)


@pytest.fixture
def tracker(fake_network):
    return CoTracker("cotracker1", fake_network(logit_channels=1))


def queries(frames):
    return QueryPoints(np.array([7, 2, 5]), np.array(frames), XY)


@pytest.mark.parametrize("step", [1, 3])
def test_it_equals_the_same_on_stacked_pictures(tracker, soft_clip, step):
    opened = []

    def frames():
        opened.append(step)
        return (Frame(step * k, float(k), image) for k, image in enumerate(soft_clip))

    found = list(BothWays(tracker).track_clip(frames, queries([step * k for k in FRAMES])))
    rows = np.column_stack([FRAMES, XY])
    expected = track_both_ways(tracker.inference, soft_clip, rows)
    assert [answer.frame_index for answer in found] == [step * k for k in range(len(soft_clip))]
    np.testing.assert_array_equal([answer.xy for answer in found], expected.xy)
    np.testing.assert_array_equal([answer.visible for answer in found], expected.visible)
    for answer in found:
        np.testing.assert_array_equal(answer.ids, [7, 2, 5])
        np.testing.assert_array_equal(answer.confidence, answer.visible)
    assert len(opened) == 2  # the clip is held whole: counted once, read once


def test_the_way_back_is_not_that_of_a_tracker_that_only_goes_forward(tracker, soft_clip):
    def frames():
        return (Frame(k, float(k), image) for k, image in enumerate(soft_clip))

    both = list(BothWays(tracker).track_clip(frames, queries([25, 25, 25])))
    forward = list(ForwardClip(tracker).track_clip(frames, queries([25, 25, 25])))
    assert np.abs(both[0].xy - XY).max() > 0.5
    np.testing.assert_array_equal(forward[0].xy, XY)


def test_a_frame_that_the_clip_lacks_is_named(tracker, soft_clip):
    frames = [Frame(2 * k, float(k), image) for k, image in enumerate(soft_clip)]
    for index in (5, 60):
        with pytest.raises(ValueError, match=f"no frame {index} in the clip"):
            next(BothWays(tracker).track_clip(lambda: frames, queries([0, index, 4])))


def test_trackers_by_name_go_the_way_that_is_theirs(tracker, fake_network, monkeypatch):
    monkeypatch.setattr(clips, "create_tracker", lambda name, *_: CoTracker(name, fake_network()))
    assert isinstance(create_clip_tracker("cotracker1"), BothWays)
    assert isinstance(create_clip_tracker("cotracker2"), ForwardClip)
    monkeypatch.undo()
    plain = create_clip_tracker("lucas-kanade")
    assert isinstance(plain, ForwardClip)
    assert plain.name == "lucas-kanade"


def test_only_the_first_version_gets_the_settings_of_sam_pt(tracker, fake_network):
    changed = as_sam_pt(tracker)
    assert isinstance(changed, CoTracker)
    assert changed.settings == sam_pt_settings()
    assert tracker.settings != sam_pt_settings()
    assert changed.inference is tracker.inference
    assert isinstance(changed.inference, Inference)
    third = CoTracker("cotracker3-online", fake_network())
    others = third, LucasKanade()
    assert all(as_sam_pt(other) is other for other in others)
