"""SAM's real prompt encoder and mask decoder; skipped where their file is not.

RVSAM_REAL_DECODER names the file; `tests/support/real_decoder.py` says where it is from.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import real_decoder
import torch
from torch import nn

from rvsam_video.segmenters.sam.decoder import BatchedDecoder
from rvsam_video.segmenters.sam.geometry import Geometry
from rvsam_video.segmenters.sam.model import sam_around
from rvsam_video.segmenters.sam.prompts import DecodeRequest
from rvsam_video.training.decoding import PromptBatch, decoder_from

FILE = os.environ.get("RVSAM_REAL_DECODER", "")

pytestmark = pytest.mark.skipif(not Path(FILE).is_file(), reason="RVSAM_REAL_DECODER names no file")


@pytest.fixture(scope="module")
def sam():
    made = sam_around(nn.Identity())
    made.load_state_dict(real_decoder.official_names(Path(FILE)), strict=True)
    return made


@pytest.fixture(scope="module")
def image():
    return real_decoder.embeddings()[0]


def test_every_tensor_has_its_place(sam):
    assert len(sam.state_dict()) == len(real_decoder.official_names(Path(FILE)))


def test_the_batched_decoder_gives_the_real_masks(sam, image):
    decoder = BatchedDecoder(sam.prompt_encoder, sam.mask_decoder)
    prepared = decoder.prepare(image, Geometry(1024, 1024))
    points, boxes = real_decoder.prompts()
    requests = [
        *(DecodeRequest(point.numpy(), np.ones(1, np.int64)) for point in points.points),
        *(DecodeRequest(box=box.numpy()) for box in boxes.boxes),
    ]
    one, three = (decoder.decode(prepared, requests, multimask=many) for many in (False, True))
    plain = decoder_from(sam.state_dict(), 1024, FILE)
    with torch.inference_mode():
        wanted = [plain(image, asked) for asked in (points, boxes)]
    logits, iou = (torch.cat(values) for values in zip(*wanted, strict=True))
    for found, part in ((one, slice(1)), (three, slice(1, 4))):
        torch.testing.assert_close(found.low_res_logits, logits[:, part], rtol=1e-3, atol=2e-3)
        torch.testing.assert_close(found.iou, iou[:, part], rtol=1e-4, atol=1e-4)


def test_three_masks_are_of_growing_size(sam, image):
    """Trained to be part, whole and more: made-up weights have no such order."""
    plain = decoder_from(sam.state_dict(), 1024, FILE)
    points, _ = real_decoder.prompts()
    areas = []
    with torch.inference_mode():
        for embedding in real_decoder.embeddings():
            logits, _ = plain(embedding, PromptBatch(points.points, points.labels))
            areas.append((logits[:, 1:] > 0).flatten(2).sum(2).float())
    mean = torch.cat(areas).mean(0)
    assert mean.argsort().tolist() == [0, 1, 2]


@pytest.mark.slow
def test_lower_precision_flips_few_pixels():
    shares = real_decoder.measure(Path(FILE))
    assert 0 < shares["float16"] < 0.003
    assert shares["float16"] < shares["bfloat16"] < 0.02
    assert shares["float16"] < shares["int8"] < 0.1


def test_the_exported_decoder_computes_the_same(tmp_path):
    pytest.importorskip("onnxruntime")
    assert real_decoder.export(Path(FILE), tmp_path / "decoder.onnx") < 0.05
