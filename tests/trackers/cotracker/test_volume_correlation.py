"""Correlation volumes: the same as sampling every neighbour, whatever the places and maps."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from rvsam_video.trackers.cotracker import correlation as volume_correlation
from rvsam_video.trackers.cotracker.correlation import CellTable, supports, volumes


def _random(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def _neighbourhoods(level: Tensor, xy: Tensor) -> Tensor:
    """Sample (S, C, h, w) maps at the 7x7 neighbours of (S, N, 2) cells: (S, N, 49, C)."""
    steps = torch.arange(-3.0, 4.0)
    offsets = torch.stack(torch.meshgrid(steps, steps, indexing="ij"), -1).flatten(0, 1)
    size = torch.tensor([level.shape[3] - 1, level.shape[2] - 1]).clamp(min=1)
    grid = 2 * (xy[:, :, None] + offsets) / size - 1
    found = F.grid_sample(level, grid, align_corners=True, padding_mode="border")
    return found.permute(0, 2, 3, 1)


def _all_volumes(levels: tuple[Tensor, ...], features: Tensor, xy: Tensor) -> Tensor:
    tables = tuple(CellTable.of(level) for level in levels)
    return torch.cat(list(volumes(tables, features, xy)))


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    height=st.integers(1, 12),
    width=st.integers(1, 12),
    places=st.lists(
        st.tuples(st.floats(-60, 60, width=32), st.floats(-60, 60, width=32)),
        min_size=1,
        max_size=5,
    ),
    channels_last=st.booleans(),
)
def test_volumes_compare_all_neighbours_with_all_supports(
    seed, height, width, places, channels_last
):
    level = _random(seed, 2, 4, height, width)
    if channels_last:
        level = level.contiguous(memory_format=torch.channels_last)
    known = _random(seed + 1, len(places), 1, 49, 4)
    xy = torch.tensor(places)[:, None] + torch.tensor([[0.0, 0.0], [0.25, -0.5]])
    found = _all_volumes((level,), known, xy)
    around = _neighbourhoods(level, xy.transpose(0, 1)).transpose(0, 1)
    expected = around @ known.transpose(-1, -2)
    assert found.shape == (len(places), 2, 1, 49 * 49)
    torch.testing.assert_close(found[:, :, 0], expected.flatten(2), atol=2e-4, rtol=0)


def test_every_level_is_read_at_its_own_scale():
    levels = (_random(0, 1, 4, 16, 24), _random(1, 1, 4, 8, 12))
    xy = torch.tensor([[3.5, 9.25], [20.75, 2.0]])
    found = supports(levels, xy)
    for depth, level in enumerate(levels):
        expected = _neighbourhoods(level, xy[None] / 2**depth)[0]
        torch.testing.assert_close(found[:, depth], expected, atol=1e-5, rtol=0)
    volume = _all_volumes(levels, found, xy[:, None]).unflatten(-1, (49, 49))
    torch.testing.assert_close(volume[:, 0], found @ found.transpose(-1, -2))


def test_the_first_index_of_a_neighbourhood_goes_along_x():
    columns = torch.arange(20.0).expand(1, 1, 10, 20)
    rows = torch.arange(10.0)[:, None].expand(1, 1, 10, 20)
    found = supports((torch.cat([columns, rows], 1),), torch.tensor([[8.0, 5.0]]))[0, 0]
    assert found[1].tolist() == [5, 3]
    assert found[7].tolist() == [6, 2]
    assert found[48].tolist() == [11, 8]


def test_points_that_wait_correlate_with_nothing():
    levels = (_random(0, 3, 4, 9, 9),)
    known = torch.cat([torch.zeros(1, 1, 49, 4), _random(1, 1, 1, 49, 4)])
    found = _all_volumes(levels, known, torch.full((2, 3, 2), 4.5))
    assert not found[0].any()
    assert found[1].all()


def test_places_far_away_or_not_a_number_read_the_border_and_harm_nobody():
    level = _random(0, 1, 4, 6, 6)
    known = _random(1, 3, 1, 49, 4)
    xy = torch.tensor([[[1e30, -1e30]], [[torch.nan, 2.0]], [[2.0, 2.0]]])
    found = _all_volumes((level,), known, xy)
    corner = level[0, :, 0, 5].expand(49, 4) @ known[0, 0].T
    torch.testing.assert_close(found[0, 0, 0], corner.flatten())
    torch.testing.assert_close(found[2:], _all_volumes((level,), known[2:], xy[2:]))


@pytest.mark.parametrize("points", [3, 8, 9])
def test_groups_of_points_bound_memory_and_change_no_number(monkeypatch, points):
    levels = (_random(0, 2, 4, 12, 12), _random(1, 2, 4, 6, 6))
    known, xy = _random(2, points, 2, 49, 4), 12 * torch.rand(points, 2, 2)
    tables = tuple(CellTable.of(level) for level in levels)
    together = list(volumes(tables, known, xy))
    assert len(together) == 1
    # One point gathers 2 frames x 64 cells x 4 channels of 4 bytes.
    monkeypatch.setattr(volume_correlation, "CACHED_BYTES", 4 * 2048)
    apart = list(volumes(tables, known, xy))
    assert [len(part) for part in apart] == [4] * (points // 4) + [points % 4] * (points % 4 > 0)
    torch.testing.assert_close(torch.cat(apart), together[0], atol=1e-5, rtol=0)
    monkeypatch.setattr(volume_correlation, "CACHED_BYTES", 1)
    assert all(len(part) == 1 for part in volumes(tables, known, xy))


def test_no_points_have_supports_of_the_right_shape():
    assert supports((_random(0, 1, 4, 6, 6),) * 2, torch.zeros(0, 2)).shape == (0, 2, 49, 4)
