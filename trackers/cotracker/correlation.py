"""Correlation of one feature vector per point and frame with the cells around it (versions 1, 2).

The public code multiplies every vector with every cell of every level and samples the 7x7
neighbourhood from the products. Here only the 8x8 cells around a place are multiplied, and their
64 products interpolated: the same values without the volumes. Only of small levels all cells are.
"""

from __future__ import annotations

import torch
from torch import Tensor

from rvsam_video.trackers.cotracker.network import Levels
from rvsam_video.trackers.cotracker.pyramid import LEVELS
from rvsam_video.trackers.cotracker.volume_correlation import (
    CELLS,
    NEIGHBOURS,
    RADIUS,
    CellTable,
    interpolate,
)

CORRELATION_WIDTH = LEVELS * NEIGHBOURS

GATHERED_BYTES = 16 << 20
"""Feature vectors gathered at once, so that memory does not grow with the number of points."""

_SMALL_LEVEL = 16 * CELLS**2
"""Cells of a level up to which a product with all of them costs less than gathering 64."""


def correlate(levels: Levels, features: Tensor, xy: Tensor, *, zeros: bool) -> Tensor:
    """Correlate points with their neighbourhoods on all levels.

    Args:
        levels: pyramid of S frames.
        features: (N, S, C).
        xy: (N, S, 2) places in cells of level 0.
        zeros: cells outside a level count as 0 (version 1), not as the nearest inside (version 2).

    Returns:
        (N, S, L * 49), level slow, then the offset along x, then the one along y.
    """
    tables = [CellTable.of(level) for level in levels]
    each = features.shape[1] * CELLS**2 * features.shape[2] * features.element_size()
    group = max(1, GATHERED_BYTES // each)
    scaled = features / features.shape[-1] ** 0.5
    found = [
        torch.cat([_one_level(table, f, c / 2**i, zeros) for i, table in enumerate(tables)], -1)
        for f, c in zip(torch.split(scaled, group), torch.split(xy, group), strict=True)
    ]
    return torch.cat(found)


def _one_level(table: CellTable, features: Tensor, xy: Tensor, zeros: bool) -> Tensor:
    """Return the (N, S, 49) correlations with one level."""
    small = table.height * table.width <= _SMALL_LEVEL
    products = _chosen_of_all(table, features, xy) if small else _chosen(table, features, xy)
    if zeros:
        products = products * _inside(table, xy)
    return interpolate(products[..., None], xy)[..., 0]


def _chosen(table: CellTable, features: Tensor, xy: Tensor) -> Tensor:
    """Gather the cells around places and multiply them: (N, S, 64)."""
    return (table.blocks(xy) @ features[..., None])[..., 0]


def _chosen_of_all(table: CellTable, features: Tensor, xy: Tensor) -> Tensor:
    """Multiply with all cells and gather the products around places: (N, S, 64)."""
    cells = table.rows.view(table.frames, -1, features.shape[-1])
    products = torch.bmm(features.transpose(0, 1), cells.transpose(1, 2))
    return products.gather(2, table.cells(xy).transpose(0, 1)).transpose(0, 1)


def _inside(table: CellTable, xy: Tensor) -> Tensor:
    """Tell which of the (N, S, 64) cells around places exist, in the order of `CellTable`."""
    reach = torch.arange(-RADIUS, CELLS - RADIUS, device=xy.device)
    cells = xy.floor()[..., None] + reach
    limits = xy.new_tensor([table.width, table.height])[:, None]
    x, y = ((cells >= 0) & (cells < limits)).unbind(-2)
    return (x[..., :, None] & y[..., None, :]).flatten(-2)
