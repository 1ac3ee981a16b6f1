"""Shortcuts in the feature encoder and the correlation against the plain way to compute them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F  # noqa: N812

from rvsam_video.errors import UsageError
from rvsam_video.trackers.cotracker import correlation
from rvsam_video.trackers.cotracker.correlation import correlate
from rvsam_video.trackers.cotracker.encoder import FeatureEncoder, join_resized
from rvsam_video.trackers.cotracker.maps import feature_pyramid, sample

SIDES = st.integers(1, 9)


def _plain(encoder: FeatureEncoder, images: torch.Tensor) -> torch.Tensor:
    """Compute the encoder's features layer by layer, as its authors describe it."""
    maps = F.relu(F.instance_norm(encoder.conv1(2 * (images / 255) - 1)))
    stages = []
    for stage in (encoder.layer1, encoder.layer2, encoder.layer3, encoder.layer4):
        for block in stage:
            inner = F.relu(F.instance_norm(block.conv1(maps)))
            inner = F.relu(F.instance_norm(block.conv2(inner)))
            if block.downsample is not None:
                maps = F.instance_norm(block.downsample(maps))
            maps = F.relu(maps + inner)
        stages.append(maps)
    size = [side // encoder.stride for side in images.shape[2:]]
    joined = [F.interpolate(m, size, mode="bilinear", align_corners=True) for m in stages]
    return encoder.conv3(F.relu(F.instance_norm(encoder.conv2(torch.cat(joined, 1)))))


@pytest.mark.parametrize("stride", [4, 8])
@pytest.mark.parametrize("size", [(64, 96), (75, 101)])
def test_features_are_those_of_the_plain_encoder(stride, size):
    torch.manual_seed(stride + size[0])
    encoder = FeatureEncoder(stride).eval()
    images = 255 * torch.rand(2, 3, *size)
    with torch.inference_mode():
        found, expected = encoder(images), _plain(encoder, images)
    torch.testing.assert_close(found, expected, rtol=0, atol=2e-5)


def test_frames_are_encoded_independently_and_not_changed():
    torch.manual_seed(0)
    encoder = FeatureEncoder().eval()
    images = 255 * torch.rand(3, 3, 64, 64)
    before = images.clone()
    with torch.inference_mode():
        together, alone = encoder(images), encoder(images[1:2])
    assert torch.equal(together[1:2], alone)
    assert together.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(images, before)


@settings(max_examples=40, deadline=None)
@given(
    sizes=st.lists(st.tuples(SIDES, SIDES), min_size=0, max_size=3),
    size=st.tuples(SIDES, SIDES),
    frames=st.integers(1, 2),
    seed=st.integers(0, 99),
)
def test_joining_is_a_convolution_of_resized_maps(sizes, size, frames, seed):
    generator = torch.Generator().manual_seed(seed)
    # One map at least as wide as the result, as the encoder has.
    maps = [torch.randn(frames, 2 + i, *s, generator=generator) for i, s in enumerate(sizes)]
    maps.append(torch.randn(frames, 3, *size, generator=generator))
    channels = sum(part.shape[1] for part in maps)
    weight = torch.randn(5, channels, 3, 3, generator=generator)
    bias = torch.randn(5, generator=generator)
    resized = [F.interpolate(m, size, mode="bilinear", align_corners=True) for m in maps]
    expected = F.conv2d(torch.cat(resized, 1), weight, bias, padding=1)
    found = join_resized(maps, weight, bias, size)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_a_map_that_is_too_small_for_the_pyramid_is_refused():
    assert [tuple(m.shape[2:]) for m in feature_pyramid(torch.zeros(1, 2, 8, 19))] == [
        (8, 19),
        (4, 9),
        (2, 4),
        (1, 2),
    ]
    with pytest.raises(UsageError, match=r"19x7 cells .* needs 8x8"):
        feature_pyramid(torch.zeros(1, 2, 7, 19))


def _grid_sample(maps: torch.Tensor, xy: torch.Tensor, padding: str) -> torch.Tensor:
    """Sample (S, C, h, w) maps at (S, P, 2) cells: (S, P, C)."""
    size = torch.tensor([maps.shape[3], maps.shape[2]])
    grid = 2 * xy / (size - 1) - 1
    found = F.grid_sample(maps, grid[:, None], align_corners=True, padding_mode=padding)
    return found[:, :, 0].transpose(1, 2)


@pytest.mark.parametrize("zeros", [True, False])
def test_correlations_are_samples_of_full_products(zeros):
    torch.manual_seed(3)
    levels = feature_pyramid(torch.randn(4, 8, 33, 47))
    features, xy = torch.randn(6, 4, 8), 80 * torch.rand(6, 4, 2) - 15
    xy[0], xy[1] = torch.tensor([46.0, 32.0]), torch.tensor([-500.0, 7.5])
    found = correlate(levels, features, xy, zeros=zeros).view(6, 4, 4, 49)
    offsets = torch.tensor([[k // 7 - 3.0, k % 7 - 3.0] for k in range(49)])
    padding = "zeros" if zeros else "border"
    for depth, level in enumerate(levels):
        products = torch.einsum("nsc,schw->snhw", features, level) / 8**0.5
        for point in range(6):
            places = xy[point][:, None] / 2**depth + offsets
            expected = _grid_sample(products[:, point : point + 1], places, padding)[..., 0]
            torch.testing.assert_close(found[point, :, depth], expected, rtol=0, atol=2e-5)


def test_correlations_do_not_depend_on_how_many_are_gathered_at_once(monkeypatch):
    torch.manual_seed(4)
    levels = feature_pyramid(torch.randn(2, 8, 16, 16))
    features, xy = torch.randn(5, 2, 8), 16 * torch.rand(5, 2, 2)
    together = correlate(levels, features, xy, zeros=True)
    monkeypatch.setattr(correlation, "GATHERED_BYTES", 1)
    apart = correlate(levels, features, xy, zeros=True)
    torch.testing.assert_close(together, apart, rtol=0, atol=1e-6)
    assert correlate(levels, features[:0], xy[:0], zeros=True).shape == (0, 2, 196)


@given(
    x=st.floats(-20, 30, width=32),
    y=st.floats(-20, 30, width=32),
    size=st.tuples(st.integers(2, 9), st.integers(2, 9)),
)
@settings(max_examples=60, deadline=None)
def test_samples_outside_read_the_border(x, y, size):
    maps = torch.arange(2.0 * size[0] * size[1]).view(2, *size).sin()
    xy = torch.tensor([[x, y]])
    expected = _grid_sample(maps[None], xy[None], "border")[0]
    torch.testing.assert_close(sample(maps, xy), expected, rtol=0, atol=1e-4)


def test_samples_at_cells_are_exact():
    maps = torch.randn(3, 4, 5)
    xy = torch.tensor([[x, y] for y in range(4) for x in range(5)], dtype=torch.float32)
    np.testing.assert_array_equal(sample(maps, xy).T.reshape(3, 4, 5), maps)
