"""TinyViT against the numbers of the official code, and what its windows and biases do."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest
import torch
from golden_encoders import encoder_golden, golden_picture, stage_summaries
from hypothesis import given
from hypothesis import strategies as st

from rvsam_video.segmenters.sam.tiny_vit import Attention, from_windows, to_windows

LIMIT = 1e-4


@pytest.fixture(scope="module")
def golden():
    return encoder_golden("mobile_sam")


@pytest.fixture(scope="module")
def run(golden):
    return stage_summaries(golden.encoder, golden_picture(), golden.stages("shape"))


def test_names_and_shapes_are_those_of_the_official_checkpoint(golden):
    found = {name: tuple(t.shape) for name, t in golden.encoder.state_dict().items()}
    assert found == golden.manifest
    assert len(found) == 302
    assert list(found) == list(golden.manifest)
    assert sum(p.numel() for p in golden.encoder.parameters()) == 6_065_532


def test_every_stage_gives_the_official_numbers(golden, run):
    _, stages = run
    assert len(stages) == 15
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


def test_biases_come_from_the_table_that_is_loaded_now(golden):
    encoder = deepcopy(golden.encoder)
    x = torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        before = encoder(x)
        state = encoder.state_dict()
        tables = {k: v + torch.arange(v.shape[1]) for k, v in state.items() if "biases" in k}
        encoder.load_state_dict(state | tables)
        after = encoder(x)
    assert len(tables) == 10
    assert (after - before).abs().max() > 1e-3


def test_a_bias_belongs_to_a_head_and_an_absolute_offset():
    attention = Attention(width=64, window=3)
    with torch.no_grad():
        attention.attention_biases.copy_(torch.arange(18.0).reshape(2, 9))
    bias = attention.bias()
    assert bias.shape == (2, 9, 9)
    # From row 0, column 2 to row 1, column 0: offset |1| * 3 + |-2| = 5, in either direction.
    assert bias[0, 2, 3] == bias[0, 3, 2] == 5
    assert bias[1, 2, 3] == 14


@given(
    shape=st.tuples(st.integers(1, 2), st.integers(1, 17), st.integers(1, 17), st.just(2)),
    window=st.sampled_from([2, 7, 14]),
)
def test_windows_go_back_to_the_map_they_were_cut_from(shape, window):
    x = torch.arange(1.0, 1 + np.prod(shape)).reshape(shape)
    windows = to_windows(x, window)
    assert windows.shape[1:] == (window**2, 2)
    assert torch.equal(from_windows(windows, window, *shape[1:3]), x)
    assert windows.sum() == x.sum()  # the padding is zero
    corner = windows[0].reshape(window, window, 2)[: shape[1], : shape[2]]
    assert torch.equal(corner, x[0, :window, :window])
