"""Everything in a clip: the public code's scores and masks, and what is done better by default."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rvsam_video import Frame, SegmentationSettings, UsageError
from rvsam_video.clips.frames import longest_side, shortest_side
from rvsam_video.clips.instances import (
    InstanceOptions,
    InstanceSegmenter,
    automatic_proposals,
    instance_settings,
)
from rvsam_video.settings import RestartSettings
from rvsam_video.trackers.clips import ForwardClip
from rvsam_video.trackers.lucas_kanade.tracker import LucasKanade

CASES = ["default", "with_negatives_of_others"]


@pytest.fixture
def run(make_case, segmenter, scripted, closed_form):
    def build(name, **changes):
        golden = make_case("vis")
        count, height, width, most, offered, batch, out_height, out_width = golden[
            "settings"
        ].tolist()
        frames = closed_form.flat_clip(count, height, width)
        proposals = [np.eye(height, width, k, dtype=np.bool_) for k in range(offered)]
        tracker = scripted(golden["in_trajectories"], golden["in_visibilities"])
        base = SegmentationSettings(
            positive_points=3,
            negative_points=2,
            score_threshold=0.7,
            border=0.01,
            best_of_three=False,
        )
        values = {
            "sam_pt_exact": True,
            "other_objects_as_negatives": name == "with_negatives_of_others",
        }
        options = InstanceOptions(shortest_side=height, most=most, batch_size=batch)
        engine = InstanceSegmenter(
            tracker,
            segmenter,
            lambda _: iter(proposals),
            replace(instance_settings(base), **(values | changes)),
            options,
        )
        found = engine.segment(lambda: frames, (out_width, out_height))
        return make_case(f"vis/{name}"), found, tracker, count

    return build


@pytest.mark.parametrize("name", CASES)
def test_masks_and_scores_are_the_public_ones(run, segmenter, name):
    case, found, tracker, count = run(name)
    scores = [item.score for item in found]
    np.testing.assert_allclose(scores, case["pred_scores"], rtol=0, atol=1e-6)
    height, width = case["image_size"].tolist()
    masks = np.array([[item.mask(t) for t in range(count)] for item in found])
    assert np.array_equal(masks, case.masks((len(found), count, height, width)))
    per_object = 5
    groups = [group // per_object for group in tracker.groups]
    assert groups == case["tracker_batches"].tolist()
    # The public code encodes every picture once per batch, and asks batch by batch.
    assert segmenter.embeds * len(groups) == case["sam_frames"]
    calls = sorted((call.iou, len(call.labels)) for call in segmenter.decoder.calls)
    expected = sorted(zip(case["call/iou"].tolist(), case["call/points"].tolist(), strict=True))
    np.testing.assert_allclose(calls, expected, rtol=0, atol=1e-6)


def test_by_default_one_hidden_frame_does_not_cost_the_score(run):
    exact, repaired = run("default")[1], run("default", sam_pt_exact=False)[1]
    assert np.isneginf(exact[1].score)
    assert repaired[1].score > 0.7
    entry = repaired[1].to_dict(video_id=7)
    assert (entry["video_id"], entry["category_id"], len(entry["segmentations"])) == (7, 1, 4)


def blobs(image):
    """Proposals for pictures of bright squares on black."""
    import cv2

    count, labels = cv2.connectedComponents((image[..., 0] > 100).astype(np.uint8))
    return (labels == number for number in range(1, count))


def squares(frames, late):
    """One square from the start, one from frame `late` on."""
    clip = np.zeros((frames, 48, 64, 3), np.uint8)
    clip[:, 10:22, 10:22] = 255
    clip[late:, 30:42, 40:52] = 255
    return clip


@pytest.mark.parametrize(("every", "expected"), [(0, [0]), (4, [0, 4])])
def test_objects_that_appear_later_are_found_once_when_asked_for(fakes, every, expected):
    clip = squares(8, late=3)
    engine = InstanceSegmenter(
        ForwardClip(fakes.DriftTracker(step=(0, 0))),
        fakes.DiscSegmenter(),
        blobs,
        instance_settings(SegmentationSettings()),
        InstanceOptions(shortest_side=48, propose_every=every, duplicate_iou=0.3),
    )
    found = engine.segment(lambda: clip)
    assert [item.frame for item in found] == expected
    assert [item.object_id for item in found] == list(range(1, len(expected) + 1))
    assert all(len(item.counts) == 8 for item in found)
    if every:
        assert not found[1].mask(3).any()
        assert found[1].mask(5)[36, 46]


def test_a_clip_with_nothing_in_it_has_no_instances(fakes):
    engine = InstanceSegmenter(ForwardClip(fakes.DriftTracker()), fakes.DiscSegmenter(), blobs)
    assert engine.segment(lambda: np.zeros((3, 20, 30, 3), np.uint8)) == []


def test_what_makes_no_sense_is_refused(fakes):
    with pytest.raises(UsageError, match="disc has no everything mode"):
        automatic_proposals(fakes.DiscSegmenter())
    with pytest.raises(UsageError, match="most is 0"):
        InstanceOptions(most=0)
    with pytest.raises(UsageError, match="duplicate_iou 2"):
        InstanceOptions(duplicate_iou=2)


@given(st.integers(1, 3000), st.integers(1, 3000))
@settings(max_examples=200, deadline=None)
def test_sizes_keep_the_aspect_ratio_within_half_a_pixel(width, height):
    size = longest_side(1024)((width, height))
    assert max(size) == 1024
    assert abs(min(size) - max(1, min(width, height) * 1024 / max(width, height))) <= 0.5
    small = shortest_side(360, 1333)((width, height))
    assert min(small) <= 360
    assert max(small) <= 1333
    assert min(small) == 360 or max(small) == 1333


def moving_squares():
    """Eight frames of a bright square, and a second one from frame 4 on."""
    texture = np.random.default_rng(0).integers(0, 60, (72, 96, 3), np.uint8)
    frames = []
    for index in range(8):
        picture = texture.copy()
        picture[10:30, 10:30] += 150
        if index >= 4:
            picture[40:60, 60:80] += 150
        frames.append(Frame(index, index / 10, picture))
    return frames


def bright(image):
    """Propose each bright part of a picture."""
    count, labels = cv2.connectedComponents((image[..., 0] > 110).astype(np.uint8))
    masks = (labels == number for number in range(1, count))
    return (mask for mask in masks if mask.sum() > 100)


@pytest.mark.parametrize("restarts", [None, RestartSettings(horizon=3, tracker_horizon=3)])
def test_an_object_found_late_has_a_code_for_every_frame(fakes, restarts):
    """Whichever engine follows it, its masks stand at their own frames."""
    frames = moving_squares()
    engine = InstanceSegmenter(
        ForwardClip(LucasKanade()),
        fakes.DiscSegmenter(radius=75),
        bright,
        options=InstanceOptions(propose_every=4),
        restarts=restarts,
    )
    found = engine.segment(lambda: iter(frames))
    (late,) = [item for item in found if item.frame == 4]
    assert all(len(item.counts) == len(frames) for item in found)
    assert late.mask(4)[40:60, 60:80].mean() > 0.9
    assert late.mask(7)[40:60, 60:80].mean() > 0.9
    if restarts is not None:
        assert not any(late.mask(position).any() for position in range(4))
