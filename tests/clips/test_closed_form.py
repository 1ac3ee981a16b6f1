"""Prompting, passes, rejection and scores: the public code's calls and masks, one by one."""

from __future__ import annotations

import numpy as np
import pytest
from sam_pt_cases import NotingClipSegmenter

from rvsam_video.clips.instances import MeanScores
from rvsam_video.clips.merging import ClipMerger

CASES = [
    "default",
    "refine3",
    "refine0",
    "alone_refine2",
    "positives_only_refine1",
    "positives_only_alone_refine0",
    "strict_refine2",
    "single_object",
    "half_size_frames",
    "portrait",
    "upscaled_output",
]
SCALED = ["half_size_frames_box_scaled", "portrait_box_scaled"]
LOGITS = 1e-5


class Run:
    """A golden case done by this package."""

    def __init__(self, case, segmenter, tracker, clip, **changes):
        self.case = case
        count, _, _, height, width, *target = case["settings"].tolist()
        self.settings = case.settings(overlap=True, **changes)
        self.processed, self.size = (width, height), tuple(target[::-1])
        frames = clip(count, height, width)
        engine = NotingClipSegmenter(tracker, segmenter, self.settings)
        self.segmenter, self.tracker = segmenter, tracker
        self.results = list(engine.segment(lambda: frames, case.objects(), self.size))
        self.predictions = engine.predictions

    def logits(self):
        """(K, T, H, W), object by object, rejected ones minus infinity."""
        merger = ClipMerger(self.settings, self.processed, self.size)
        for number, item in enumerate(self.case.objects()):
            for frame, predictions in enumerate(self.predictions):
                yield merger.sam_pt_logits(item, predictions[number], frame)


@pytest.fixture
def run(make_case, segmenter, scripted, closed_form):
    def build(name, **changes):
        case = make_case(f"closed_form/{name}")
        tracker = scripted(case["in_trajectories"], case["in_visibilities"])
        return Run(case, segmenter, tracker, closed_form.flat_clip, **changes)

    return build


@pytest.fixture(scope="module", params=CASES)
def done(request, make_case, make_segmenter, scripted, closed_form):
    """Each case, asked object by object like the public code."""
    case = make_case(f"closed_form/{request.param}")
    segmenter = make_segmenter()
    segmenter.one_by_one = True
    tracker = scripted(case["in_trajectories"], case["in_visibilities"])
    return Run(case, segmenter, tracker, closed_form.flat_clip)


def test_masks_scores_and_points_are_the_public_ones(done):
    case = done.case
    count, objects, _, _, _, height, width = case["settings"].tolist()
    masks = case.masks((objects, count, height, width))
    found = np.array([[item.mask for item in result.objects] for result in done.results])
    assert np.array_equal(found.swapaxes(0, 1), masks)
    scores = [[item.score for item in result.objects] for result in done.results]
    np.testing.assert_allclose(scores, case["scores_per_frame"], rtol=0, atol=1e-12)
    shape = case["out_visibilities"].shape
    states = np.array([result.points.states for result in done.results]).reshape(shape)
    assert np.array_equal(states, case["out_visibilities"])
    xy = np.array([result.points.xy for result in done.results]).reshape(*shape, 2)
    np.testing.assert_allclose(xy, case["out_trajectories"], rtol=1e-6)
    means = MeanScores(sam_pt_exact=True)
    for result in done.results:
        means.add(result)
    np.testing.assert_allclose(list(means.means().values()), case["scores"], rtol=0, atol=1e-6)


def test_logits_are_the_public_ones(done):
    case = done.case
    stride = int(case["stride"])
    logits = list(done.logits())
    expected = case["logits_strided"]
    found = np.array([item[::stride, ::stride] for item in logits]).reshape(expected.shape)
    np.testing.assert_allclose(found, expected, rtol=0, atol=LOGITS)
    nan = np.array([np.isnan(item).sum() for item in logits]).reshape(case["nan_pixels"].shape)
    assert np.array_equal(nan, case["nan_pixels"])
    rejected = np.array([np.isneginf(item[5:, 5:]).all() for item in logits])
    assert np.array_equal(rejected.reshape(case["rejected"].shape), case["rejected"])


def test_every_call_of_the_decoder_is_the_public_one(done):
    check_calls(done, done.segmenter.decoder.calls)


@pytest.mark.parametrize("name", SCALED)
def test_by_default_refinement_boxes_are_scaled(run, segmenter, name):
    segmenter.one_by_one = True
    done = run(name, sam_pt_exact=False)
    check_calls(done, segmenter.decoder.calls)
    case = done.case
    count, objects, _, _, _, height, width = case["settings"].tolist()
    found = np.array([[item.mask for item in result.objects] for result in done.results])
    assert np.array_equal(found.swapaxes(0, 1), case.masks((objects, count, height, width)))


def check_calls(done, calls):
    golden = done.case.arrays
    assert len(calls) == len(golden["call/frame"])
    assert [call.frame for call in calls] == golden["call/frame"].tolist()
    assert [len(call.labels) for call in calls] == golden["call/points"].tolist()
    labels = np.concatenate([call.labels for call in calls])
    assert np.array_equal(labels, golden["call/labels"])
    xy = np.concatenate([call.xy for call in calls])
    np.testing.assert_array_equal(xy, golden["call/xy"])
    boxes = [np.full(4, np.nan) if call.box is None else call.box for call in calls]
    np.testing.assert_allclose(boxes, golden["call/box"], rtol=1e-6)
    means = [np.nan if call.mask_mean is None else call.mask_mean for call in calls]
    np.testing.assert_allclose(means, golden["call/mask_mean"], rtol=0, atol=LOGITS)
    iou = [call.iou for call in calls]
    np.testing.assert_allclose(iou, golden["call/iou"], rtol=0, atol=1e-6)
    low = [(call.low.mean(), call.low.std()) for call in calls]
    expected = np.stack([golden["call/low_mean"], golden["call/low_std"]], 1)
    np.testing.assert_allclose(low, expected, rtol=0, atol=LOGITS)
    masks = [call.mask() for call in calls]
    assert [int(mask.sum()) for mask in masks] == golden["call/pixels"].tolist()
    assert [box_of(mask) for mask in masks] == golden["call/out_box"].tolist()


def box_of(mask):
    y, x = np.nonzero(mask)
    return [x.min(), y.min(), x.max(), y.max()] if len(x) > 1 else [-1] * 4


@pytest.mark.parametrize("name", ["refine0", "strict_refine2"])
def test_objects_share_a_pass_and_get_the_numbers_they_get_alone(run, segmenter, name):
    together = run(name, keep_logits=True).results
    batches = list(segmenter.decoder.batches)
    segmenter.one_by_one = True
    alone = run(name, keep_logits=True).results
    assert max(batches) == len(together[0].objects)
    assert set(segmenter.decoder.batches[len(batches) :]) == {1}
    for both in zip(together, alone, strict=True):
        for a, b in zip(*(result.objects for result in both), strict=True):
            assert np.array_equal(a.logits, b.logits)
            assert a.score == b.score


def test_by_default_rejected_masks_leave_no_holes_at_the_edge(run):
    exact, repaired = run("upscaled_output"), run("upscaled_output", sam_pt_exact=False)
    for a, b in zip(exact.results, repaired.results, strict=True):
        for one, other in zip(a.objects, b.objects, strict=True):
            assert np.array_equal(one.mask, other.mask)
    assert all(np.isfinite(item.score) for result in repaired.results for item in result.objects)


def test_by_default_negatives_alone_are_no_prompt_and_scores_stay_finite(run):
    exact, repaired = run("refine0"), run("refine0", sam_pt_exact=False)
    hidden = repaired.results[2].objects
    lost = [number for number, item in enumerate(hidden) if not item.prompted]
    assert lost
    assert all(exact.results[2].objects[number].prompted for number in lost)
    assert not any(hidden[number].mask.any() for number in lost)
    scores = MeanScores()
    for result in repaired.results:
        scores.add(result)
    means = list(scores.means().values())
    assert np.isfinite(means).all()
    assert min(means) > 0.7


def test_refining_until_nothing_changes_gives_what_all_passes_give(run, segmenter):
    full = run("single_object", refinements=20)
    passes = len(segmenter.decoder.calls)
    early = run("single_object", refinements=20, refine_until=1.0)
    assert len(segmenter.decoder.calls) - passes < passes
    for a, b in zip(full.results, early.results, strict=True):
        assert np.array_equal(a.objects[0].mask, b.objects[0].mask)
