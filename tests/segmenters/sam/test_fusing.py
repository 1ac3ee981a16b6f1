"""The inference form computes what the trained form computes."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from golden_encoders import encoder_golden, golden_picture
from torch import nn

from rvsam_video.segmenters.sam.fusing import fuse

LIMITS = {"repvit_sam": 5e-4, "mobile_sam": 1e-4}

BIAS_TABLES = 7_252
"""Entries of TinyViT's attention bias tables, which fusing gathers into buffers."""

FUSED_PARAMETERS = {"repvit_sam": 23_040_480, "mobile_sam": 6_060_604 - BIAS_TABLES}


@pytest.fixture(scope="module", params=sorted(LIMITS))
def model(request):
    return request.param, encoder_golden(request.param)


@pytest.fixture(scope="module")
def fused(model):
    return fuse(model[1].encoder)


def small_picture(batch=1, height=64, width=48, dtype=torch.float32):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(batch, 3, height, width, generator=generator, dtype=dtype)


def test_the_fused_embedding_is_the_official_one(model, fused):
    name, golden = model
    with torch.inference_mode():
        embedding = fused(golden_picture())
    golden.check_embedding(embedding, "embedding_fused", LIMITS[name])
    exact = torch.tensor(golden.arrays["embedding_float64/strided"])
    assert (embedding[0, ::4, ::4, ::4] - exact).abs().max() < LIMITS[name]


def test_folding_is_exact_where_rounding_is_not_in_the_way(model):
    _, golden = model
    encoder = deepcopy(golden.encoder).double()
    x = small_picture(height=32, width=48, dtype=torch.float64)
    with torch.inference_mode():
        torch.testing.assert_close(fuse(encoder)(x), encoder(x), rtol=0, atol=1e-11)


def test_a_batch_gives_each_picture_its_own_result(model, fused):
    x = small_picture(batch=2)
    with torch.inference_mode():
        batch, single = fused(x), fused(x[1:])
    torch.testing.assert_close(batch[1:], single, rtol=0, atol=LIMITS[model[0]])
    assert (batch[0] - batch[1]).abs().max() > 0.1


def test_no_batch_norm_is_left(model, fused):
    modules = list(fused.modules())
    assert not any(isinstance(module, nn.BatchNorm2d) for module in modules)
    assert sum(p.numel() for p in fused.parameters()) == FUSED_PARAMETERS[model[0]]


def test_the_loaded_encoder_and_the_picture_stay_as_they_are(model):
    _, golden = model
    before = {name: t.clone() for name, t in golden.encoder.state_dict().items()}
    x = small_picture()
    kept = x.clone()
    fused = fuse(golden.encoder)
    with torch.inference_mode():
        first, second = fused(x), fused(x)
    assert torch.equal(first, second)
    assert torch.equal(x, kept)
    after = golden.encoder.state_dict()
    assert list(before) == list(after)
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_maps_are_channels_last_whatever_the_picture_is(fused):
    seen = []
    stem = fused.features[0] if hasattr(fused, "features") else fused.patch_embed
    handle = stem.register_forward_hook(lambda *call: seen.append(call[-1]))
    with torch.inference_mode():
        fused(small_picture())
    handle.remove()
    assert seen[0].is_contiguous(memory_format=torch.channels_last)


def test_autocast_gives_a_finite_float32_embedding_near_the_exact_one(fused):
    x = small_picture()
    with torch.inference_mode():
        exact = fused(x)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            narrow = fused(x)
    assert narrow.dtype == torch.float32
    assert (narrow - exact).norm() / exact.norm() < 0.05


def test_the_fused_form_takes_no_gradients(fused):
    assert not any(p.requires_grad for p in fused.parameters())
    assert fused(small_picture(height=32, width=32)).grad_fn is None
