"""A SAM network as the engine's segmenter: what it makes of each kind of prompt."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rvsam_video.segmenters import ObjectPrompt
from rvsam_video.segmenters.sam.prompts import DecodeRequest

BOX = np.array([20, 10, 150, 100], np.float32)
XY = np.array([[60, 50], [90, 70], [10, 110]], np.float32)


def prompt(labels=(), box=None, mask=None) -> ObjectPrompt:
    labels = np.array(labels, np.int8)
    return ObjectPrompt(1, XY[: len(labels)], labels, np.arange(len(labels)), box, mask)


def enlarged(tiny, result, column=0):
    return tiny.segmenter.full_size(tiny.image, result.low_res_logits[:, column])[0]


def decode(tiny, *arguments, multimask=False):
    request = DecodeRequest(*arguments)
    return tiny.segmenter.decoder.decode(tiny.image, [request], multimask=multimask)


def one(tiny, item: ObjectPrompt):
    (prediction,) = tiny.segmenter.predict(tiny.image, [item])
    assert prediction.logits.shape == tiny.picture.shape[:2]
    assert prediction.logits.dtype == np.float32
    assert prediction.memory is None
    assert 0 <= prediction.score <= 1
    return prediction


def test_one_click_takes_the_best_of_three_masks(tiny):
    found = one(tiny, prompt([1]))
    three = decode(tiny, XY[:1], np.ones(1, np.int8), multimask=True)
    best = int(three.iou[0].argmax())
    np.testing.assert_allclose(found.logits, enlarged(tiny, three, best), atol=1e-4)
    assert found.score == pytest.approx(float(three.iou[0, best].clamp(0, 1)), abs=1e-6)


def test_several_clicks_take_the_mask_for_unambiguous_prompts(tiny):
    found = one(tiny, prompt([1, 1, 1]))
    expected = enlarged(tiny, decode(tiny, XY, np.ones(3, np.int8)))
    np.testing.assert_allclose(found.logits, expected, atol=1e-4)


@pytest.mark.parametrize("box", [None, BOX])
def test_negatives_come_in_with_a_second_pass(tiny, box):
    labels = np.array([1, 1, 0], np.int8)
    found = one(tiny, prompt(labels, box))
    first = decode(tiny, XY[:2], labels[:2], box)
    second = decode(tiny, XY, labels, box, first.low_res_logits[0, 0])
    np.testing.assert_allclose(found.logits, enlarged(tiny, second), atol=1e-4)
    assert found.score == pytest.approx(float(second.iou.clamp(0, 1)), abs=1e-6)


def test_a_box_alone_is_enough(tiny):
    found = one(tiny, prompt(box=BOX))
    expected = enlarged(tiny, decode(tiny, None, None, BOX))
    np.testing.assert_allclose(found.logits, expected, atol=1e-4)


def test_the_decoders_own_map_comes_along_padding_included(tiny):
    found, other = tiny.segmenter.predict(tiny.image, [prompt([1, 1, 1]), prompt(box=BOX)])
    clicks = decode(tiny, XY, np.ones(3, np.int8)).low_res_logits[0, 0]
    box = decode(tiny, None, None, BOX).low_res_logits[0, 0]
    assert found.low_res_logits.shape == (256, 256)
    np.testing.assert_allclose(found.low_res_logits, clicks, atol=1e-4)
    np.testing.assert_allclose(other.low_res_logits, box, atol=1e-4)


@pytest.mark.parametrize("labels", [(), (0,), (0, 0)])
def test_without_a_positive_point_or_a_box_nothing_is_looked_for(tiny, labels):
    found = one(tiny, prompt(labels))
    assert (found.logits < 0).all()
    assert found.score == 0


def test_the_users_own_mask_is_the_answer(tiny):
    mask = np.zeros(tiny.picture.shape[:2], np.bool_)
    mask[10:30, 20:60] = True
    found = one(tiny, prompt([1, 0], mask=mask))
    np.testing.assert_array_equal(found.logits > 0, mask)
    assert set(np.unique(found.logits)) == {-10, 10}
    assert found.score == 1


def test_all_objects_of_a_picture_are_answered_in_order(tiny):
    mask = np.ones(tiny.picture.shape[:2], np.bool_)
    prompts = [prompt([1]), prompt([0]), prompt([1, 0]), prompt(mask=mask), prompt(box=BOX)]
    together = tiny.segmenter.predict(tiny.image, prompts)
    for found, item in zip(together, prompts, strict=True):
        alone = one(tiny, item)
        np.testing.assert_allclose(found.logits, alone.logits, atol=1e-4)
        assert found.score == pytest.approx(alone.score, abs=1e-5)
    assert tiny.segmenter.predict(tiny.image, []) == []


def test_masks_fit_pictures_of_any_shape(tiny):
    for shape in ((30, 20), (17, 300), (1, 1)):
        embedding = tiny.segmenter.embed(np.full((*shape, 3), 90, np.uint8))
        item = ObjectPrompt(1, np.zeros((1, 2), np.float32), np.ones(1, np.int8), np.zeros(1, int))
        (found,) = tiny.segmenter.predict(embedding, [item])
        assert found.logits.shape == shape
        assert np.isfinite(found.logits).all()


def test_no_gradients_are_kept(tiny):
    assert not tiny.image.tokens.embedding.requires_grad
    assert not decode(tiny, None, None, BOX).low_res_logits.requires_grad
    assert torch.is_grad_enabled()
