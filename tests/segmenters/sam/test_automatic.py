"""Everything mode, held against golden files and against the public generator itself."""

from __future__ import annotations

import dataclasses
import operator

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from segment_anything import SamAutomaticMaskGenerator, automatic_mask_generator
from segment_anything.utils import amg

from rvsam_video.errors import UsageError
from rvsam_video.segmenters.sam import automatic
from rvsam_video.segmenters.sam.automatic import (
    AutomaticSettings,
    automatic_candidates,
    automatic_masks,
    mask_box,
)
from rvsam_video.segmenters.sam.regions import (
    crop_boxes,
    point_grid,
    touches_cut,
    without_small_regions,
)

AREA, SHARE = 5, 1e-3
"""Largest differences in pixels and in scores: float32 in another order near the thresholds."""

EVERYTHING = AutomaticSettings(
    points_per_side=4,
    points_per_batch=8,
    iou_threshold=0,
    stability_threshold=0,
    box_overlap=1.0,
)


@pytest.fixture
def encoded(golden, monkeypatch):
    """The whole picture is encoded already; there are no crops in the golden files."""
    monkeypatch.setattr(golden.segmenter, "embed", lambda _: golden.image)
    return golden


def test_all_masks_of_the_golden_picture(encoded):
    golden = encoded
    masks = automatic_masks(golden.segmenter, golden.picture, EVERYTHING)
    expected = {key[5:]: value for key, value in golden.arrays.items() if key.startswith("auto/")}
    assert len(masks) == expected["count"]
    boxes = np.array([(*mask.box[:2], *np.subtract(mask.box[2:], mask.box[:2])) for mask in masks])
    np.testing.assert_allclose(boxes, expected["bbox"], atol=1)
    areas = [mask.mask.sum() for mask in masks]
    np.testing.assert_allclose(areas, expected["area"], atol=AREA)
    ious = [mask.predicted_iou for mask in masks]
    np.testing.assert_allclose(ious, expected["predicted_iou"], atol=1e-4)
    stability = [mask.stability for mask in masks]
    np.testing.assert_allclose(stability, expected["stability_score"], atol=SHARE)
    points = [[mask.point] for mask in masks]
    np.testing.assert_array_equal(points, expected["point_coords"])
    shape = tuple(expected["first4_masks_shape"])
    first = np.unpackbits(expected["first4_masks_packed"], count=int(np.prod(shape)))
    found = np.array([mask.mask for mask in masks[:4]])
    assert (found != first.reshape(shape)).sum() <= 4 * AREA


def test_only_good_masks_of_the_golden_picture(encoded):
    golden = encoded
    strict = dataclasses.replace(EVERYTHING, iou_threshold=0.3, stability_threshold=0.165)
    masks = automatic_masks(golden.segmenter, golden.picture, strict)
    assert len(masks) == golden.arrays["auto_filtered/count"]
    ious = [mask.predicted_iou for mask in masks]
    np.testing.assert_allclose(ious, golden.arrays["auto_filtered/predicted_iou"], atol=1e-4)
    areas = [mask.mask.sum() for mask in masks]
    np.testing.assert_allclose(areas, golden.arrays["auto_filtered/area"], atol=AREA)


@pytest.mark.parametrize(("iou", "overlap"), [(0.0, 0.99), (0.1, 1.0)])
def test_crops_and_small_regions_like_the_public_generator(tiny, monkeypatch, iou, overlap):
    """Made-up weights give masks that reach every edge, so none is dropped for that here."""
    monkeypatch.setattr(automatic, "touches_cut", lambda *_: False)
    none = lambda boxes, *_: torch.zeros(len(boxes), dtype=torch.bool)  # noqa: E731
    monkeypatch.setattr(automatic_mask_generator, "is_box_near_crop_edge", none)
    generator = SamAutomaticMaskGenerator(
        tiny.official.model,
        points_per_side=3,
        points_per_batch=5,
        pred_iou_thresh=iou,
        stability_score_thresh=0.1,
        box_nms_thresh=overlap,
        crop_nms_thresh=overlap,
        crop_n_layers=1,
        crop_n_points_downscale_factor=2,
        min_mask_region_area=5,
    )
    settings = AutomaticSettings(
        points_per_side=3,
        points_per_batch=5,
        iou_threshold=iou,
        stability_threshold=0.1,
        box_overlap=overlap,
        crop_box_overlap=overlap,
        crop_layers=1,
        crop_grid_divisor=2,
        smallest_region=5,
    )
    expected = generator.generate(tiny.picture)
    masks = automatic_masks(tiny.segmenter, tiny.picture, settings)
    assert len(masks) == len(expected) > 5
    assert len({mask.crop for mask in masks}) > 2
    for found, item in zip(masks, expected, strict=True):
        assert (found.mask != item["segmentation"]).sum() <= AREA
        assert found.predicted_iou == pytest.approx(item["predicted_iou"], abs=SHARE)
        assert [list(found.point)] == item["point_coords"]
        x0, y0, x1, y1 = found.crop
        assert [x0, y0, x1 - x0, y1 - y0] == item["crop_box"]


def test_candidates_are_the_masks_before_they_are_encoded(tiny):
    settings = dataclasses.replace(EVERYTHING, stability_threshold=0.1)
    masks = automatic_masks(tiny.segmenter, tiny.picture, settings)
    candidates = automatic_candidates(tiny.segmenter, tiny.picture, settings)
    assert len(masks) == len(candidates) > 1
    for mask, candidate in zip(masks, candidates, strict=True):
        assert candidate.low_res_logits.shape == (256, 256)
        np.testing.assert_array_equal(mask.mask, candidate.logits() > 0)
        assert (mask.box, mask.stability) == (candidate.box, candidate.stability)


def test_masks_of_a_batch_of_points_can_be_suppressed_before_they_meet_others(encoded):
    """With a batch of all points, the first round does what the second one would have done."""
    once = dataclasses.replace(EVERYTHING, box_overlap=0.7)
    twice = dataclasses.replace(once, points_per_batch=16, batch_overlap=0.7)
    apart = dataclasses.replace(once, points_per_batch=1, batch_overlap=0.7, box_overlap=1.0)
    found = {
        key: [
            (mask.point, mask.box)
            for mask in automatic_candidates(encoded.segmenter, encoded.picture, settings)
        ]
        for key, settings in {"once": once, "twice": twice, "apart": apart}.items()
    }
    assert found["once"] == found["twice"]
    assert len({point for point, _ in found["apart"]}) == EVERYTHING.points_per_side**2
    assert len(found["once"]) < len(found["apart"]) < 3 * EVERYTHING.points_per_side**2


def test_half_precision_gives_nearly_the_same_masks(encoded):
    half = dataclasses.replace(EVERYTHING, precision="float16")
    found, expected = (
        automatic_candidates(encoded.segmenter, encoded.picture, settings)
        for settings in (half, EVERYTHING)
    )
    assert {mask.low_res_logits.dtype for mask in found} == {torch.float16}
    assert len(found) == len(expected)
    key = operator.attrgetter("point", "predicted_iou")
    for mask, twin in zip(sorted(found, key=key), sorted(expected, key=key), strict=True):
        assert mask.point == twin.point
        assert mask.predicted_iou == pytest.approx(twin.predicted_iou, abs=0.01)
        assert np.mean((mask.logits() > 0) != (twin.logits() > 0)) < 0.01


boxes = st.tuples(*[st.integers(0, 200)] * 4)


@given(box=boxes, crop=boxes)
def test_boxes_cut_off_by_a_crop_are_those_of_the_public_code(box, crop):
    size = (200, 150)
    inside = torch.from_numpy(np.subtract(box, (*crop[:2], *crop[:2]))[None])
    expected = amg.is_box_near_crop_edge(inside, list(crop), [0, 0, *size])
    assert touches_cut(box, crop, size) == bool(expected)


def test_nothing_good_enough_gives_an_empty_list(tiny):
    settings = dataclasses.replace(EVERYTHING, iou_threshold=100, smallest_region=5)
    assert automatic_masks(tiny.segmenter, tiny.picture, settings) == []


@given(width=st.integers(8, 3000), height=st.integers(8, 3000), layers=st.integers(0, 3))
def test_crops_are_those_of_the_public_code(width, height, layers):
    boxes, numbers = amg.generate_crop_boxes((height, width), layers, 512 / 1500)
    found = list(crop_boxes((width, height), layers, 512 / 1500))
    assert [layer for layer, _ in found] == numbers
    assert [list(box) for _, box in found] == boxes


def test_points_stand_in_the_middle_of_their_cells():
    np.testing.assert_allclose(
        point_grid(2), [[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75]]
    )
    np.testing.assert_allclose(point_grid(0), [[0.5, 0.5]])


@given(seed=st.integers(0, 10_000), share=st.floats(0, 1), smallest=st.integers(0, 12))
def test_small_regions_are_those_of_the_public_code(seed, share, smallest):
    mask = np.random.default_rng(seed).random((9, 12)) < share
    filled, changed = amg.remove_small_regions(mask, smallest, "holes")
    expected, again = amg.remove_small_regions(filled, smallest, "islands")
    found, touched = without_small_regions(mask, smallest)
    np.testing.assert_array_equal(found, expected)
    assert touched == (changed or again)


def test_the_box_of_an_empty_mask_is_zero():
    mask = np.zeros((4, 5), np.bool_)
    assert mask_box(mask) == (0, 0, 0, 0)
    mask[1, 2:4] = True
    assert mask_box(mask) == (2, 1, 3, 1)


@pytest.mark.parametrize(
    "change",
    [{"points_per_side": 0}, {"points_per_batch": 0}, {"crop_layers": -1}, {"precision": "half"}],
)
def test_settings_that_make_no_sense_are_refused(change):
    (name,) = change
    with pytest.raises(UsageError, match=name):
        AutomaticSettings(**change)
