"""What the public code answered to every kind of prompt, asked anew."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch

from rvsam_video.segmenters.sam.decoder import PromptTokenizer
from rvsam_video.segmenters.sam.geometry import resize_longest_side
from rvsam_video.segmenters.sam.prompts import DecodeRequest, DecodeResult

LOGITS, IOU, PIXELS = 1e-3, 1e-4, 2
"""Largest differences: from float32 in another order, with weights folded in the encoder."""

ON, BOTH = np.array([[210.0, 150.0]]), np.array([[210.0, 150.0], [60.5, 240.25]])
BOX = np.array([50.0, 60.0, 300.5, 280.0])
SINGLE_CALLS = [
    "pos1_multi",
    "pos1_single",
    "neg1_single",
    "pos1_neg1_multi",
    "pos1_neg1_single",
    "pos3_neg2_single",
    "box_single",
    "box_multi",
    "box_pos1_neg1_single",
]


def ask(golden, requests, *, multimask):
    return golden.segmenter.decoder.decode(golden.image, requests, multimask=multimask)


def check(golden, case: str, result: DecodeResult) -> None:
    """Compare logits, scores and masks; `result` has the case's objects in its first dimension."""
    arrays = golden.arrays
    strided = arrays[f"{case}/low_res_strided"]
    found = result.low_res_logits[..., ::4, ::4].reshape(strided.shape)
    np.testing.assert_allclose(found, strided, rtol=0, atol=LOGITS)
    iou = arrays[f"{case}/iou"]
    np.testing.assert_allclose(result.iou.reshape(iou.shape), iou, rtol=0, atol=IOU)
    shape = tuple(arrays[f"{case}/masks_shape"])
    packed = arrays[f"{case}/masks_packed"]
    expected = np.unpackbits(packed, count=int(np.prod(shape))).reshape(-1, *shape[-2:])
    logits = golden.segmenter.full_size(golden.image, result.low_res_logits.flatten(0, 1))
    assert ((logits > 0) != expected).sum() <= PIXELS


def stored_request(golden, case: str) -> DecodeRequest:
    given = (golden.arrays.get(f"{case}/{key}") for key in ("point_coords", "point_labels", "box"))
    return DecodeRequest(*given)


def test_the_picture_is_resized_like_the_public_code_does(golden):
    resized = resize_longest_side(golden.picture)
    assert resized.shape == tuple(golden.arrays["resized_shape"])
    np.testing.assert_array_equal(resized[360:366, 500:508], golden.arrays["resized_crop"])
    np.testing.assert_allclose(resized.mean((0, 1)), golden.arrays["resized_mean"], atol=1e-3)


def test_the_embedding_is_the_public_one(golden):
    strided = golden.arrays["embedding/strided"]
    embedding = golden.image.tokens.embedding[0].T.reshape(256, 64, 64)
    np.testing.assert_allclose(embedding[::4, ::4, ::4], strided, rtol=1e-4, atol=5e-4)


@pytest.mark.parametrize("case", SINGLE_CALLS)
def test_points_and_boxes(golden, case):
    multimask = bool(golden.arrays[f"{case}/multimask_output"])
    check(golden, case, ask(golden, [stored_request(golden, case)], multimask=multimask))


@pytest.mark.parametrize("multimask", [False, True])
def test_all_prompts_together_are_answered_like_each_alone(golden, multimask):
    cases = [
        case
        for case in SINGLE_CALLS
        if bool(golden.arrays[f"{case}/multimask_output"]) == multimask
    ]
    requests = [stored_request(golden, case) for case in cases]
    together = ask(golden, requests, multimask=multimask)
    for row, case in enumerate(cases):
        part = DecodeResult(together.low_res_logits[row : row + 1], together.iou[row : row + 1])
        check(golden, case, part)


def test_the_logits_of_a_whole_map_and_at_the_pictures_size(golden):
    result = ask(golden, [stored_request(golden, "pos1_multi")], multimask=True)
    expected = golden.arrays["pos1_multi/low_res"]
    np.testing.assert_allclose(result.low_res_logits[0], expected, rtol=0, atol=LOGITS)
    result = ask(golden, [stored_request(golden, "pos1_single")], multimask=False)
    full = golden.segmenter.full_size(golden.image, result.low_res_logits[0])
    expected = golden.arrays["pos1_single/full_logits_strided"]
    np.testing.assert_allclose(full[:, ::4, ::4], expected, rtol=0, atol=LOGITS)


@cache
def refinements(golden) -> dict[str, DecodeResult]:
    """Passes that take the logits of the pass before as mask input."""
    both = np.array([1, 0])
    first = ask(golden, [DecodeRequest(ON, both[:1])], multimask=True)
    chosen = int(first.iou[0].argmax())
    assert chosen == int(golden.arrays["refine1/chosen"])
    before = first.low_res_logits[0, chosen]
    one = ask(golden, [DecodeRequest(ON, both[:1], None, before)], multimask=False)
    before = one.low_res_logits[0, 0]
    two = ask(golden, [DecodeRequest(BOTH, both, None, before)], multimask=False)
    request = DecodeRequest(BOTH, both, BOX, two.low_res_logits[0, 0])
    three = ask(golden, [request], multimask=True)
    mask_only = ask(golden, [DecodeRequest(mask_input=before)], multimask=True)
    return {"refine1": one, "refine2": two, "refine3": three, "mask_only_multi": mask_only}


@pytest.mark.parametrize("case", ["refine1", "refine2", "refine3", "mask_only_multi"])
def test_earlier_logits_as_mask_input(golden, case):
    check(golden, case, refinements(golden)[case])


def test_five_points_and_three_boxes_in_one_batch(golden):
    on = np.ones(1, np.int64)
    points = golden.arrays["batch5/point_coords"]
    requests = [DecodeRequest(point, on) for point in points]
    check(golden, "batch5", ask(golden, requests, multimask=True))
    requests = [DecodeRequest(box=box) for box in golden.arrays["boxes3/boxes"]]
    check(golden, "boxes3", ask(golden, requests, multimask=False))


def test_coordinates_are_scaled_like_the_public_code_does(golden):
    to_network = golden.image.geometry.to_network
    points, boxes = golden.arrays["batch5/point_coords"], golden.arrays["boxes3/boxes"]
    np.testing.assert_array_equal(to_network(points), golden.arrays["batch5/model_coords"])
    scaled = to_network(boxes.reshape(-1, 2, 2)).reshape(-1, 4)
    # Boxes were scaled in float32 when the golden file was made.
    np.testing.assert_allclose(scaled, golden.arrays["boxes3/model_boxes"], rtol=1e-6)


def test_prompt_tokens_are_the_public_ones(golden):
    tokenize: PromptTokenizer = golden.segmenter.decoder._tokenize
    whole = golden.image.geometry.__class__(1024, 1024)
    points = DecodeRequest(np.array([[512.0, 366.0], [100.0, 200.0]]), np.array([1, 0]))
    box = DecodeRequest(box=np.array([100.0, 120.0, 700.0, 650.0]))
    with torch.inference_mode():
        found = tokenize([points, box], whole)
    assert found.filler.tolist() == [[False, False, False], [False, False, True]]
    expected = golden.arrays["prompt/sparse_points"]
    np.testing.assert_allclose(found.tokens[:1], expected, rtol=0, atol=1e-5)
    expected = golden.arrays["prompt/sparse_box"]
    np.testing.assert_allclose(found.tokens[1:, :2], expected, rtol=0, atol=1e-5)


def test_dense_prompts_are_the_public_ones(golden):
    two_way = golden.segmenter.decoder._two_way
    expected = golden.arrays["prompt/dense_no_mask"]
    np.testing.assert_array_equal(two_way._no_mask[0], expected)
    positions = two_way._positions[0].T.reshape(256, 64, 64)[::4, ::8, ::8]
    expected = golden.arrays["prompt/dense_pe_strided"]
    np.testing.assert_allclose(positions, expected, rtol=0, atol=1e-6)
