"""Many objects in one pass: the same numbers as one by one in the public code."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rvsam_video.errors import PromptError
from rvsam_video.segmenters.sam import attention as sam_attention
from rvsam_video.segmenters.sam import decoder as sam_decoder
from rvsam_video.segmenters.sam.prompts import DecodeRequest

SHARE = 1e-5
"""Largest difference as a share of the logits' scale: float32 sums in another order."""


def logits_map(seed: int) -> torch.Tensor:
    return 3 * torch.randn(256, 256, generator=torch.Generator().manual_seed(seed))


@st.composite
def decode_requests(draw: st.DrawFn) -> DecodeRequest:
    count = draw(st.one_of(st.none(), st.integers(0, 3), st.integers(17, 30)))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    points = None if count is None else rng.uniform((0, 0), (200, 120), (count, 2))
    labels = None if count is None else rng.integers(0, 2, count)
    corners = np.sort(rng.uniform(0, 120, (2, 2)), axis=0).ravel()
    box = corners if draw(st.booleans()) else None
    mask = logits_map(count or 0) if draw(st.booleans()) else None
    if points is None and box is None and mask is None:
        mask = logits_map(1)
    return DecodeRequest(points, labels, box, mask)


@torch.inference_mode()
def one_by_one(tiny, request, *, multimask):
    """What the public predictor's modules give for one object."""
    geometry, model = tiny.image.geometry, tiny.official.model
    points = boxes = masks = None
    if request.points is not None:
        xy = torch.from_numpy(geometry.to_network(request.points))[None]
        points = (xy, torch.from_numpy(request.labels)[None])
    if request.box is not None:
        boxes = torch.from_numpy(geometry.to_network(request.box.reshape(2, 2))).reshape(1, 4)
    if request.mask_input is not None:
        masks = request.mask_input[None, None]
    sparse, dense = model.prompt_encoder(points=points, boxes=boxes, masks=masks)
    position = model.prompt_encoder.get_dense_pe()
    features = tiny.official.features
    logits, iou = model.mask_decoder(features, position, sparse, dense, multimask)
    return logits[0], iou[0]


def compare(tiny, requests, *, multimask):
    result = tiny.segmenter.decoder.decode(tiny.image, requests, multimask=multimask)
    for row, request in enumerate(requests):
        logits, iou = one_by_one(tiny, request, multimask=multimask)
        limit = SHARE * float(logits.abs().max())
        torch.testing.assert_close(result.low_res_logits[row], logits, rtol=0, atol=limit)
        torch.testing.assert_close(result.iou[row], iou, rtol=0, atol=SHARE)


@pytest.fixture(params=["few at a time", "all at once"])
def at_once(request, tiny, monkeypatch):
    """How many objects share the layers, and so how much filler there is."""
    count = 2 if request.param == "few at a time" else 16
    monkeypatch.setattr(tiny.segmenter.decoder, "_at_once", count)


def mixed_requests() -> list[DecodeRequest]:
    rng = np.random.default_rng(3)
    xy, labels = rng.uniform(0, 120, (30, 2)), rng.integers(0, 2, 30)
    box = np.array([20.0, 10.0, 150.0, 100.0])
    return [
        DecodeRequest(xy[:1], labels[:1]),
        DecodeRequest(xy, labels, None, logits_map(0)),
        DecodeRequest(box=box),
        DecodeRequest(xy[:5], labels[:5], box),
        DecodeRequest(mask_input=logits_map(1)),
        DecodeRequest(xy[:0], labels[:0]),
        DecodeRequest(xy[:12], labels[:12], box, logits_map(2)),
    ]


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("multimask", [False, True])
@pytest.mark.parametrize("limit", [0, 100])
def test_mixed_prompts_are_answered_like_one_by_one(tiny, monkeypatch, multimask, limit):
    """Both ways of grouping the products give the public numbers, for short and long prompts."""
    monkeypatch.setattr(sam_attention, "FOLD_LIMIT", limit)
    compare(tiny, mixed_requests(), multimask=multimask)


@given(requests=st.lists(decode_requests(), min_size=1, max_size=3), multimask=st.booleans())
@settings(max_examples=6, deadline=None, derandomize=True)
def test_any_prompts_are_answered_like_one_by_one(tiny, requests, multimask):
    compare(tiny, requests, multimask=multimask)


@pytest.mark.usefixtures("at_once")
def test_who_else_is_asked_changes_no_objects_answer(tiny):
    requests = mixed_requests()
    decode = tiny.segmenter.decoder.decode
    together = decode(tiny.image, requests, multimask=False).low_res_logits
    limit = SHARE * float(together.abs().max())
    for row, request in enumerate(requests):
        alone = decode(tiny.image, [request], multimask=False).low_res_logits[0]
        torch.testing.assert_close(together[row], alone, rtol=0, atol=limit)


def test_the_best_mask_is_chosen_for_ambiguous_prompts_only(tiny):
    requests = mixed_requests()[:4]
    decoder = tiny.segmenter.decoder
    best = decoder.decode_best(tiny.image, requests, [True, False, True, False])
    three = decoder.decode(tiny.image, requests, multimask=True)
    single = decoder.decode(tiny.image, requests, multimask=False)
    for row in (0, 2):
        column = int(three.iou[row].argmax())
        assert best.iou[row, 0] == three.iou[row, column]
        expected = three.low_res_logits[row, column]
        torch.testing.assert_close(best.low_res_logits[row, 0], expected, rtol=0, atol=1e-5)
    for row in (1, 3):
        assert best.iou[row] == single.iou[row]


def test_no_objects_give_empty_arrays(tiny):
    for multimask, masks in ((False, 1), (True, 3)):
        result = tiny.segmenter.decoder.decode(tiny.image, [], multimask=multimask)
        assert result.low_res_logits.shape == (0, masks, 256, 256)
        assert result.iou.shape == (0, masks)
    assert tiny.segmenter.decoder.decode_best(tiny.image, [], []).iou.shape == (0, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "give points, a box or a mask"),
        ({"points": np.zeros((2, 2))}, "give both or neither"),
        ({"points": np.zeros((2, 2)), "labels": np.ones(3)}, r"\(2, 2\) and labels \(3,\)"),
        ({"points": np.full((1, 2), np.nan), "labels": np.ones(1)}, "must be finite"),
        ({"points": np.zeros((1, 2)), "labels": np.full(1, -1)}, "labels 0 or 1"),
        ({"box": np.zeros(3)}, "four finite numbers"),
        ({"mask_input": torch.zeros(1, 256, 256)}, r"shape \(1, 256, 256\)"),
    ],
)
def test_requests_that_make_no_sense_are_refused(arguments, message):
    with pytest.raises(PromptError, match=message):
        DecodeRequest(**arguments)


def test_marks_go_with_requests(tiny):
    with pytest.raises(PromptError, match="7 requests have 1 marks"):
        tiny.segmenter.decoder.decode_best(tiny.image, mixed_requests(), [True])


def test_upsampling_in_slices_changes_nothing(tiny, monkeypatch):
    requests = mixed_requests()[:2]
    sliced = tiny.segmenter.decoder.decode(tiny.image, requests, multimask=False)
    monkeypatch.setattr(sam_decoder, "_POSITIONS_ON_CPU", 4096)
    whole = tiny.segmenter.decoder.decode(tiny.image, requests, multimask=False)
    torch.testing.assert_close(sliced.low_res_logits, whole.low_res_logits, rtol=0, atol=1e-5)
