"""Networks of the family prompted as SAM-PT does: the public code's masks, pass by pass."""

from __future__ import annotations

import ast
import zlib
from functools import cache

import deterministic_weights
import numpy as np
import pytest
from golden_data import golden_part
from synthetic_picture import synthetic_picture

from rvsam_video import PointTable, SegmentationSettings
from rvsam_video.points.prompting import object_prompts
from rvsam_video.segmenters.sam.model import sam_around
from rvsam_video.segmenters.sam.segmenter import SamSegmenter

TOLERANCE = {
    "patch_encoder": (1e-3, 1e-5),
    "repvit_sam": (2e-3, 6e-4),
    "repvit_sam_refined": (1.2e-2, 6e-4),
}
"""Logits and scores: ten times what a change of the embedding in its last digits does."""

PIXELS = 40


class Noting:
    """A decoder that keeps the scores and logits of each of its passes."""

    def __init__(self, decoder):
        self._decoder = decoder
        self.prepare, self.enlarge = decoder.prepare, decoder.enlarge
        self.passes = []

    def decode(self, image, requests, *, multimask):
        return self._keep(self._decoder.decode(image, requests, multimask=multimask), requests)

    def decode_best(self, image, requests, ambiguous):
        return self._keep(self._decoder.decode_best(image, requests, ambiguous), requests)

    def _keep(self, result, requests):
        for row, request in enumerate(requests):
            strided = result.low_res_logits[row, 0, ::8, ::8].clone().numpy()
            self.passes.append((float(result.iou[row, 0]), strided, request))
        return result


class Case:
    def __init__(self, name):
        self.arrays = golden_part("sam_pt_pipeline", f"network/{name}")
        options = ast.literal_eval(str(self.arrays["options"]))
        self.settings = SegmentationSettings(
            positive_points=3,
            negative_points=2,
            refinements=options["iterative_refinement_iterations"],
            score_threshold=options["sam_iou_threshold"],
            best_of_three=False,
            sam_pt_exact=True,
        )
        count, _, _, self.height, self.width = self.arrays["settings"].tolist()
        big = synthetic_picture(self.height + 16, self.width + 16, seed=77, shapes=10)
        self.frames = np.stack(
            [big[8 * t : 8 * t + self.height, 8 * t : 8 * t + self.width] for t in range(count)]
        )
        assert zlib.crc32(self.frames.tobytes()) == self.arrays["frames_crc32"]

    def table(self, t):
        xy = self.arrays["in_trajectories"][t]
        objects, points = xy.shape[:2]
        labels = np.tile(np.array([1, 1, 1, 0, 0], np.int8), objects)
        return PointTable(
            ids=np.arange(objects * points),
            object_ids=np.repeat(np.arange(1, objects + 1), points),
            labels=labels,
            xy=xy.reshape(-1, 2),
            confidence=np.ones(len(labels), np.float32),
            states=self.arrays["in_visibilities"][t].ravel(),
        )


@cache
def segmented(name, case, segmenter):
    """Predictions by frame, and all passes object by object."""
    noting = segmenter.decoder = Noting(segmenter.decoder)
    predictions, passes = [], []
    for t, image in enumerate(case.frames):
        embedding = segmenter.embed(image)
        prompts = object_prompts(case.table(t), dict.fromkeys((1, 2)), case.settings, t)
        predictions.append(segmenter.predict(embedding, prompts))
        passes += noting.passes[0::2] + noting.passes[1::2]
        noting.passes.clear()
    segmenter.decoder = noting._decoder
    return predictions, passes


@pytest.fixture(scope="module", params=sorted(TOLERANCE))
def done(request, golden_state, patch_encoder, golden_segmenter):
    case = Case(request.param)
    if request.param == "patch_encoder":
        sam = sam_around(patch_encoder())
        deterministic_weights.fill(sam, gain=1.0)
        segmenter = SamSegmenter("tiny", sam, "cpu")
    else:
        segmenter = golden_segmenter("repvit-sam")
    return request.param, case, *segmented(request.param, case, segmenter)


def test_masks_logits_and_scores(done):
    name, case, predictions, _ = done
    limit, score_limit = TOLERANCE[name]
    logits = np.array([[item.logits for item in frame] for frame in predictions]).swapaxes(0, 1)
    stride = case.height // case.arrays["logits_strided"].shape[2]
    np.testing.assert_allclose(
        logits[..., ::stride, ::stride], case.arrays["logits_strided"], rtol=0, atol=limit
    )
    masks = np.unpackbits(case.arrays["masks_packed"], count=logits.size).reshape(logits.shape)
    assert ((logits > 0) != masks).sum() <= PIXELS
    scores = [[item.score for item in frame] for frame in predictions]
    np.testing.assert_allclose(scores, case.arrays["scores_per_frame"], rtol=0, atol=score_limit)


def test_every_pass(done):
    name, case, _, passes = done
    limit, score_limit = TOLERANCE[name]
    iou, low, requests = zip(*passes, strict=True)
    np.testing.assert_allclose(iou, case.arrays["call/iou"], rtol=0, atol=score_limit)
    np.testing.assert_allclose(low, case.arrays["call/low_res_strided"], rtol=0, atol=limit)
    points = [len(request.labels) for request in requests]
    assert points == case.arrays["call/points"].tolist()
    masks = [request.mask_input is not None for request in requests]
    assert masks == case.arrays["call/has_mask"].tolist()
    boxes = [np.full(4, np.nan) if item.box is None else item.box for item in requests]
    np.testing.assert_allclose(boxes, case.arrays["call/box"], rtol=1e-6)
