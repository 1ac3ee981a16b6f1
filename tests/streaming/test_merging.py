"""Merging: each pixel belongs to the object with the largest logit above zero."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rvsam_video.segmenters.base import MaskPrediction
from rvsam_video.streaming.merging import full_size_logits, mask_alone, merge

LOGITS = arrays(np.float32, (3, 5, 7), elements=st.floats(-10, 10, width=32))


def predictions(logits, scores=(1.0, 1.0, 1.0)):
    return [MaskPrediction(item, score) for item, score in zip(logits, scores, strict=True)]


@given(LOGITS)
def test_masks_are_the_argmax_against_a_zero_background(logits):
    masks = merge(predictions(logits), (7, 5), score_threshold=0, overlap=False)
    owner = np.argmax(np.concatenate([np.zeros((1, 5, 7), np.float32), logits]), axis=0)
    for number, mask in enumerate(masks, start=1):
        assert np.array_equal(mask, owner == number)


@given(LOGITS)
def test_overlapping_masks_are_all_positive_logits(logits):
    masks = merge(predictions(logits), (7, 5), score_threshold=0, overlap=True)
    assert np.array_equal(np.stack(masks), logits > 0)


def test_a_mask_below_the_threshold_leaves_its_pixels_to_the_others():
    logits = np.stack([np.full((5, 7), 3, np.float32), np.full((5, 7), 2, np.float32)])
    masks = merge(predictions(logits, (0.4, 0.9)), (7, 5), score_threshold=0.5, overlap=False)
    assert not masks[0].any()
    assert masks[1].all()


def test_a_pixel_needs_more_than_nothing_and_a_score_no_more_than_the_threshold():
    logits = np.zeros((1, 5, 7), np.float32)
    logits[0, 2, 3] = 1
    (mask,) = merge(predictions(logits, (0.5,)), (7, 5), score_threshold=0.5, overlap=False)
    assert np.array_equal(mask, logits[0] > 0)
    assert np.array_equal(mask_alone(MaskPrediction(logits[0], 0.1), (7, 5)), mask)


def test_no_objects_no_masks():
    assert merge([], (7, 5), score_threshold=0, overlap=False) == []


def test_low_resolution_logits_are_enlarged_around_pixel_centres():
    logits = np.array([[-1, 1]], np.float32)
    full = full_size_logits(logits, (8, 4))
    assert full.shape == (4, 8)
    assert np.allclose(full, -full[:, ::-1])
    assert np.allclose(full[0], [-1, -1, -0.75, -0.25, 0.25, 0.75, 1, 1])
