"""Prompts, annotations and the decoder for learning."""

from __future__ import annotations

import json

import deterministic_weights
import numpy as np
import pytest
import torch
from PIL import Image
from segment_anything import SamPredictor
from torch import nn

from rvsam_video.errors import SourceError
from rvsam_video.mask_rle import encode_mask
from rvsam_video.segmenters.sam.model import sam_around
from rvsam_video.training.decoding import (
    PromptBatch,
    boxes_around,
    decoder_from,
    picture_part,
)
from rvsam_video.training.mask_prompts import aims_of, truth_of
from rvsam_video.training.objectives import mask_loss
from rvsam_video.training.pictures import find_pictures
from rvsam_video.training.scoring import mask_overlaps


@pytest.fixture
def annotated(tmp_path):
    """A picture of 80 x 40 with two rectangles, in the form of SA-1B."""
    Image.new("RGB", (80, 40)).save(tmp_path / "sa_1.png")
    entries = []
    for x0, y0, x1, y1 in ((10, 10, 30, 20), (40, 0, 80, 40)):
        mask = np.zeros((40, 80), bool)
        mask[y0:y1, x0:x1] = True
        entries.append(
            {
                "segmentation": {"size": [40, 80], "counts": encode_mask(mask)},
                "bbox": [x0, y0, x1 - x0, y1 - y0],
                "point_coords": [[x0 + 2.0, y0 + 1.0]],
            }
        )
    (tmp_path / "sa_1.json").write_text(json.dumps({"annotations": entries}))
    return find_pictures([tmp_path])[0]


def test_annotations_are_asked_for_in_the_square(annotated):
    aims = aims_of(annotated, (128, 64), 2, np.random.default_rng(0))
    assert sorted(map(tuple, aims.boxes)) == [(16, 16, 48, 32), (64, 0, 128, 64)]
    inside = (aims.points >= aims.boxes[:, :2]) & (aims.points <= aims.boxes[:, 2:])
    assert inside.all()
    truth = truth_of(aims, 32, 16)
    for mask, box in zip(truth, aims.boxes / 4, strict=True):
        x0, y0, x1, y1 = box.astype(int)
        wanted = np.zeros((16, 32), bool)
        wanted[y0:y1, x0:x1] = True
        np.testing.assert_array_equal(mask, wanted)


def test_few_annotations_come_again_until_there_are_enough(annotated):
    aims = aims_of(annotated, (128, 64), 5, np.random.default_rng(0))
    assert len(aims.points) == len(aims.boxes) == len(aims.entries) == 5
    assert len(np.unique(aims.boxes, axis=0)) == 2


def test_without_annotations_points_are_anywhere_in_the_picture(annotated):
    annotated.annotations.path.unlink()
    (bare,) = find_pictures([annotated.pixels.path.parent])
    aims = aims_of(bare, (128, 64), 500, np.random.default_rng(0))
    assert np.isnan(aims.boxes).all()
    assert aims.points.min(0).max() < 2
    np.testing.assert_allclose(aims.points.max(0), (128, 64), atol=2)
    assert truth_of(aims, 32, 16) is None


def test_annotations_of_another_form_are_refused(annotated):
    annotated.annotations.path.write_text(json.dumps({"annotations": [{"bbox": [1, 2]}]}))
    with pytest.raises(SourceError, match=r"annotations of sa_1\.png are not in the form"):
        aims_of(annotated, (128, 64), 2, np.random.default_rng(0))


@pytest.fixture(scope="module")
def sam():
    class Patches(nn.Module):
        img_size = 1024

        def __init__(self):
            super().__init__()
            self.proj = nn.Conv2d(3, 256, 16, 16)

        def forward(self, x):
            return self.proj(x)

    made = sam_around(Patches())
    deterministic_weights.fill(made, gain=1.3)
    return made


@pytest.mark.parametrize("kind", ["point", "points", "box", "both"])
def test_masks_are_those_of_the_public_predictor(sam, kind):
    state = {
        name: value for name, value in sam.state_dict().items() if not name.startswith("image_")
    }
    decoder = decoder_from(state, 1024, "test")
    picture = np.random.default_rng(1).integers(0, 256, (1024, 1024, 3), np.uint8)
    predictor = SamPredictor(sam)
    predictor.set_image(picture)
    points = np.array([[200.0, 300.0], [640.0, 90.0]])
    box = np.array([100.0, 50.0, 700.0, 900.0])
    few = points[:1] if kind == "point" else points
    given = {} if kind == "box" else {"point_coords": few, "point_labels": np.ones(len(few))}
    given |= {"box": box} if kind in ("box", "both") else {}
    _, scores, logits = predictor.predict(**given, multimask_output=kind == "point")
    asked = PromptBatch() if kind == "box" else PromptBatch(
        torch.tensor(few, dtype=torch.float32)[None], torch.ones(1, len(few))
    )  # fmt: skip
    if kind in ("box", "both"):
        asked = PromptBatch(
            asked.points, asked.labels, torch.tensor(box, dtype=torch.float32)[None]
        )
    with torch.inference_mode():
        found = decoder.best(predictor.features, asked)[0]
    np.testing.assert_allclose(found, logits[scores.argmax()], atol=1e-3)


def test_boxes_go_around_masks_and_padding_is_cut_off():
    masks = torch.zeros(1, 32, 32, dtype=torch.bool)
    masks[0, 3:5, 10:20] = True
    assert boxes_around(masks).tolist() == [[40.0, 12.0, 80.0, 20.0]]
    assert boxes_around(masks[:0]).shape == (0, 4)
    assert picture_part(masks, torch.tensor([81, 40])).shape == (1, 10, 21)


def test_the_loss_of_masks_is_small_for_the_right_ones_only():
    masks = torch.zeros(2, 8, 8, dtype=torch.bool)
    masks[:, 2:5, 2:6] = True
    logits = torch.where(masks, 20.0, -20.0)
    assert mask_loss(logits, masks) < 1e-3
    # All wrong: cross-entropy 20, and Dice 1 but for the ones that keep it from 0 / 0.
    wanted = 5 * 20 + 5 * (1 - 1 / (64 + 1))
    assert float(mask_loss(-logits, masks)) == pytest.approx(wanted, rel=1e-4)


def test_overlaps_count_two_empty_masks_as_equal():
    masks = torch.zeros(3, 4, 4, dtype=torch.bool)
    other = masks.clone()
    masks[1, :2], other[1, 1:3] = True, True
    masks[2, 0, 0] = True
    assert mask_overlaps(masks, other) == [1.0, pytest.approx(1 / 3), 0.0]
