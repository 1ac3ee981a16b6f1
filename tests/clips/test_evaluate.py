"""The evaluation of video object segmentation: index maps as the public loop saves them."""

from __future__ import annotations

import numpy as np
import pytest
from sam_pt_cases import NotingClipSegmenter

from rvsam_video import SegmentationSettings
from rvsam_video.clips.frames import longest_side
from rvsam_video.clips.merging import ClipMerger
from rvsam_video.clips.segmenter import ClipObject, ClipSegmenter
from rvsam_video.segmenters.base import MaskPrediction

CASES = ["late_object", "overlap", "enlarged"]
LOGITS = 1e-5


class Run:
    def __init__(self, case, segmenter, scripted, clip, **changes):
        self.case = case
        count, height, width, _, _ = case["settings"].tolist()
        self.frames = clip(count, height, width)
        self.objects = list(objects_of(case))
        self.settings = case.settings(**changes)
        self.tracker = scripted(case["in_trajectories"], case["in_visibilities"])
        self.readings = 0
        self.segmenter = segmenter
        engine = NotingClipSegmenter(
            self.tracker, segmenter, self.settings, rule=longest_side(1024)
        )
        self.results = list(engine.segment(self.read, self.objects))
        self.predictions = engine.predictions

    def read(self):
        self.readings += 1
        yield from self.frames

    def index_maps(self):
        return np.stack([result.index_map() for result in self.results])


def objects_of(case):
    """Each label in the first annotation that shows it, in order of appearance."""
    seen = set()
    for frame, indices in zip(case["annotation_frames"], case["annotations"], strict=True):
        for label in sorted(set(np.unique(indices).tolist()) - {0} - seen):
            seen.add(label)
            yield ClipObject(object_id=label, frame=int(frame), mask=indices == label)


@pytest.fixture
def run(make_case, segmenter, scripted, closed_form):
    def build(name, **changes):
        case = make_case(f"evaluate/{name}")
        return Run(case, segmenter, scripted, closed_form.ramp_clip, **changes)

    return build


@pytest.fixture(scope="module", params=CASES)
def done(request, make_case, make_segmenter, scripted, closed_form):
    """Each case, asked object by object like the public code."""
    segmenter = make_segmenter()
    segmenter.one_by_one = True
    case = make_case(f"evaluate/{request.param}")
    return Run(case, segmenter, scripted, closed_form.ramp_clip)


def test_index_maps_and_calls_are_the_public_ones(done):
    case, calls = done.case, done.segmenter.decoder.calls
    assert np.array_equal(done.index_maps(), case["index_masks"])
    assert [call.frame for call in calls] == case["call/frame"].tolist()
    assert [len(call.labels) for call in calls] == case["call/points"].tolist()
    iou = [call.iou for call in calls]
    np.testing.assert_allclose(iou, case["call/iou"], rtol=0, atol=1e-6)
    per_object = case["settings"][-1]
    assert [count // per_object for count in done.tracker.groups] == case[
        "tracker_batches"
    ].tolist()
    starts = [group[::per_object] for group in done.tracker.query_frames]
    assert [frame for group in starts for frame in group] == case["tracker_query_frames"].tolist()
    shape = case["tracker_video_shape"]
    assert set(done.tracker.sizes) == {(shape[4], shape[3])}


def test_logits_are_the_public_ones(done):
    _, height, width, _, _ = done.case["settings"].tolist()
    merger = ClipMerger(done.settings, (1024, 576), (width, height))
    nan = np.zeros_like(done.case["nan_pixels"])
    assert len(done.predictions) == len(done.results)
    for t, predictions in enumerate(done.predictions):
        for k, (item, found) in enumerate(zip(done.objects, predictions, strict=True)):
            logits = merger.sam_pt_logits(item, found, t)
            expected = done.case["logits_strided"][t, k]
            np.testing.assert_allclose(logits[::16, ::16], expected, rtol=0, atol=LOGITS)
            nan[t, k + 1] = np.isnan(logits).sum()
    assert np.array_equal(nan, done.case["nan_pixels"])


@pytest.mark.parametrize("name", CASES)
def test_by_default_the_truth_is_kept_to_the_pixel_and_nothing_comes_before_it(run, name):
    done = run(name, sam_pt_exact=False)
    maps = done.index_maps()
    for item in done.objects:
        rows = maps[item.frame] == item.object_id
        assert np.array_equal(rows, item.mask)
        assert not (maps[: item.frame] == item.object_id).any()


@pytest.mark.parametrize("exact", [True, False])
def test_a_rejected_mask_makes_the_edge_background_in_the_public_code_only(exact):
    settings = SegmentationSettings(score_threshold=0.7, sam_pt_exact=exact)
    objects = [
        ClipObject(object_id=key, frame=0, mask=np.ones((10, 20), np.bool_)) for key in (1, 2)
    ]
    good = MaskPrediction(np.full((8, 16), 3, np.float32), 0.9)
    bad = MaskPrediction(np.full((8, 16), 9, np.float32), 0.3)
    masks = ClipMerger(settings, (16, 8), (20, 10)).masks(objects, [bad, good], 1)
    assert not masks[0].any()
    assert masks[1][1:, 1:].all()
    assert masks[1][0].any() == masks[1][:, 0].any() == (not exact)


def test_by_default_an_object_that_starts_later_does_not_change_the_others_before(run):
    done = run("late_object", sam_pt_exact=False)
    assert [sorted(result.masks) for result in done.results] == [[2, 5]] * 2 + [[2, 5, 7]] * 4
    engine = ClipSegmenter(done.tracker, done.segmenter, done.settings, rule=longest_side(1024))
    alone = list(engine.segment(done.read, done.objects[:2]))
    for t in (1, 4):
        same = np.array_equal(alone[t].index_map(), done.index_maps()[t])
        assert same == (t < 2)


def test_the_clip_is_read_again_instead_of_kept(run):
    done = run("late_object")
    # The size, the query points, two groups of objects, the segmentation.
    assert done.readings == 5
