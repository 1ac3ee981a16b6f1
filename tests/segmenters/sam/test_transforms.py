"""Sizes, coordinates, pixels and logits, held against the public package."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from segment_anything.utils.transforms import ResizeLongestSide

from rvsam_video.segmenters.sam.geometry import Geometry, resize_longest_side
from rvsam_video.segmenters.sam.transforms import network_input, to_picture_size

SIZES = [(120, 200), (1024, 1024), (2000, 7), (33, 1920), (481, 854)]
sides = st.integers(1, 5000)


@given(width=sides, height=sides)
def test_sizes_are_rounded_like_the_public_code_does(width, height):
    expected = ResizeLongestSide.get_preprocess_shape(height, width, 1024)
    assert Geometry(width, height).resized == (max(expected[1], 1), max(expected[0], 1))


@given(width=sides, height=sides, x=st.floats(-10, 5000), y=st.floats(-10, 5000))
def test_coordinates_are_scaled_in_double_precision(width, height, x, y):
    if min(Geometry(width, height).resized) * max(width, height) < 1024:
        return
    xy = np.array([[x, y]])
    expected = ResizeLongestSide(1024).apply_coords(xy, (height, width)).astype(np.float32)
    found = Geometry(width, height).to_network(xy)
    assert found.dtype == np.float32
    if min(ResizeLongestSide.get_preprocess_shape(height, width, 1024)) > 0:
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("size", SIZES)
def test_pixels_are_normalised_and_then_padded_with_zeros(tiny, size):
    picture = np.random.default_rng(0).integers(0, 255, (*size, 3), np.uint8)
    resized = resize_longest_side(picture)
    public = torch.from_numpy(resized.copy()).permute(2, 0, 1)[None]
    found = network_input(picture, torch.device("cpu"))
    torch.testing.assert_close(found, tiny.official.model.preprocess(public), rtol=0, atol=1e-6)
    assert torch.all(found[..., resized.shape[0] :, :] == 0)
    assert torch.all(found[..., resized.shape[1] :] == 0)


def test_a_picture_may_be_a_view_of_another(tiny):
    mirrored = tiny.picture[:, ::-1]
    expected = resize_longest_side(np.ascontiguousarray(mirrored))
    np.testing.assert_array_equal(resize_longest_side(mirrored), expected)


@pytest.mark.parametrize("size", [*SIZES, (7, 2000), (1000, 1022), (1023, 1024)])
def test_leaving_out_the_padding_changes_no_enlarged_logit(tiny, size):
    logits = torch.randn(2, 256, 256, generator=torch.Generator().manual_seed(1))
    geometry = Geometry(size[1], size[0])
    resized = geometry.resized[::-1]
    expected = tiny.official.model.postprocess_masks(logits[:, None], resized, size)[:, 0]
    found = to_picture_size(logits, geometry)
    assert found.shape == (2, *size)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)
