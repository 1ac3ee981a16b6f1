"""RepViT against the numbers of the official code, and the family against the published sizes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from golden_encoders import encoder_golden, golden_picture, stage_summaries

from rvsam_video.segmenters.sam.repvit import REPVIT_CONFIGS, RepViTEncoder

LIMIT = 5e-4


@pytest.fixture(scope="module")
def golden():
    return encoder_golden("repvit_sam")


@pytest.fixture(scope="module")
def run(golden):
    return stage_summaries(golden.encoder, golden_picture(), golden.stages("shape"))


def test_names_and_shapes_are_those_of_the_official_checkpoint(golden):
    found = {name: tuple(t.shape) for name, t in golden.encoder.state_dict().items()}
    assert found == golden.manifest
    assert len(found) == 1461
    assert list(found) == list(golden.manifest)


def test_every_stage_gives_the_official_numbers(golden, run):
    _, stages = run
    assert len(stages) == 23
    for name, found in stages.items():
        assert tuple(found["shape"]) == tuple(golden.arrays[f"stage/{name}/shape"]), name
        for part in ("stats", "crops"):
            expected = golden.arrays[f"stage/{name}/{part}"]
            np.testing.assert_allclose(found[part], expected, rtol=1e-5, atol=LIMIT, err_msg=name)


def test_the_embedding_is_the_official_one(golden, run):
    embedding, _ = run
    assert embedding.shape == (1, 256, 64, 64)
    golden.check_embedding(embedding, "embedding", LIMIT)


def test_the_embedding_is_as_exact_as_float32_allows(golden, run):
    embedding, _ = run
    exact = golden.arrays["embedding_float64/strided"]
    np.testing.assert_allclose(embedding[0, ::4, ::4, ::4], exact, rtol=0, atol=LIMIT)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("m0.6", 2_165_652),
        ("m0.9", 4_717_792),
        ("m1.0", 6_403_004),
        ("m1.1", 7_774_864),
        ("m1.5", 13_616_384),
        ("m2.3", 22_404_232),
    ],
)
def test_every_size_has_its_published_parameters_and_sams_output(name, parameters):
    with torch.device("meta"):
        encoder = RepViTEncoder(REPVIT_CONFIGS[name])
        embedding = encoder(torch.zeros(2, 3, 96, 160))
    assert sum(p.numel() for p in encoder.features.parameters()) == parameters
    assert embedding.shape == (2, 256, 6, 10)


def test_the_encoder_is_ready_for_sams_preprocessing():
    with torch.device("meta"):
        encoder = RepViTEncoder()
    assert encoder.img_size == 1024
    assert not any(module.training for module in encoder.modules())
