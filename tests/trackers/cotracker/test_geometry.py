"""Sizes, places and grids: what goes into a CoTracker network and what comes back."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given
from hypothesis import strategies as st

from rvsam_video.trackers.cotracker.geometry import FrameGeometry
from rvsam_video.trackers.cotracker.grids import SupportGrid, points_on_mask, regular_grid

sizes = st.tuples(st.integers(2, 2000), st.integers(2, 2000))


@given(
    frame=sizes,
    network=sizes,
    aligned=st.booleans(),
    at=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_places_come_back(frame, network, aligned, at):
    geometry = FrameGeometry(frame, network, aligned)
    xy = np.array([at], np.float32) * frame
    back = geometry.to_frame(geometry.to_network(xy))
    np.testing.assert_allclose(back, xy, rtol=1e-5, atol=1e-3)


def test_corners_meet_corners_or_edges_meet_edges():
    last = np.array([[63, 47]], np.float32)
    corners = FrameGeometry((64, 48), (512, 384), aligned_corners=True)
    np.testing.assert_allclose(corners.to_network(last), [[511, 383]])
    edges = FrameGeometry((64, 48), (512, 384), aligned_corners=False)
    np.testing.assert_allclose(edges.to_network(last), [[504, 376]])


@pytest.mark.parametrize("aligned", [True, False])
def test_pictures_are_resized_by_the_same_convention(aligned):
    """A ramp stays a ramp: with aligned corners its ends keep their values."""
    ramp = np.arange(0, 128, 2, dtype=np.uint8)
    image = np.broadcast_to(ramp[None, :, None], (48, 64, 3))
    picture = FrameGeometry((64, 48), (190, 96), aligned).picture(image)
    assert picture.shape == (1, 3, 96, 190)
    assert picture.dtype == torch.float32
    row = picture[0, 1, 50].numpy()
    if aligned:
        np.testing.assert_allclose(row, np.linspace(0, 126, 190), atol=1e-4)
    else:
        expected = np.clip(2 * ((np.arange(190) + 0.5) * 64 / 190 - 0.5), 0, 126)
        np.testing.assert_allclose(row, expected, atol=1e-4)


@pytest.mark.parametrize("aligned", [True, False])
def test_frames_of_the_networks_size_are_left_alone(aligned):
    image = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    geometry = FrameGeometry((64, 48), (64, 48), aligned)
    np.testing.assert_array_equal(geometry.picture(image)[0].numpy(), image.transpose(2, 0, 1))
    xy = np.array([[3.25, 7.5]], np.float32)
    np.testing.assert_array_equal(geometry.to_network(xy), xy)


def test_grids_run_row_by_row_between_their_margins():
    grid = regular_grid(2, (512, 384))
    np.testing.assert_array_equal(grid, [[8, 8], [504, 8], [8, 376], [504, 376]])
    np.testing.assert_array_equal(regular_grid(1, (512, 384)), [[256, 192]])
    assert regular_grid(0, (512, 384)).shape == (0, 2)


def test_version_1_takes_whole_pixels_as_margin():
    assert regular_grid(2, (112, 80))[0].tolist() == [1.75, 1.75]
    assert regular_grid(2, (112, 80), whole_margin=True)[0].tolist() == [1, 1]


def test_support_grids_come_at_their_time():
    once, often = SupportGrid(6), SupportGrid(2, every=12)
    assert [age for age in range(30) if once.due(age)] == [0]
    assert [age for age in range(30) if often.due(age)] == [0, 12, 24]


def test_a_mask_of_another_size_chooses_points():
    mask = np.zeros((40, 56), np.bool_)
    mask[10:20, 28:] = True
    xy = np.array([[56, 20], [55.4, 20], [100, 39.4], [100, 40], [2, 30]], np.float32)
    np.testing.assert_array_equal(
        points_on_mask(xy, mask, (112, 80)), [True, False, True, False, False]
    )


@pytest.mark.parametrize("length", [160, 200, 320, 333, 400, 520, 640, 700, 800, 999])
def test_masks_of_any_size_choose_the_points_that_pytorch_chooses(length):
    """At these heights, and one in six others, double precision hits the row above."""
    mask = np.random.default_rng(length).random((length, length + 7)) > 0.5
    xy = regular_grid(24, (512, 384))
    small = F.interpolate(torch.from_numpy(mask)[None, None].float(), (384, 512), mode="nearest")
    x, y = np.round(xy).astype(int).T
    expected = small[0, 0].numpy()[y, x] > 0
    np.testing.assert_array_equal(points_on_mask(xy, mask, (512, 384)), expected)
