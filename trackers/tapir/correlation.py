"""How like a point its surroundings are: 7x7 inner products around a place, per pyramid level.

The 49 samples of a level lie one cell apart, so all of them are at the same place between cells.
Interpolating is linear: it can be done with the 64 inner products of the 8x8 cells around, instead
of with 196 feature vectors.
"""

from __future__ import annotations

import torch
from torch import Tensor

_RADIUS = 3
SAMPLES = (2 * _RADIUS + 1) ** 2

_CELLS = 2 * _RADIUS + 2


def compare_around(grid: Tensor, queries: Tensor, xy: Tensor) -> Tensor:
    """Compare points with what is around a place.

    Args:
        grid: (h, w, C) feature vectors.
        queries: (M, C), what to compare with.
        xy: (M, 2) places in cells, x then y; the centre of the first cell is at (0.5, 0.5).

    Returns:
        (M, 49), row by row from the upper left; what lies outside the grid counts as zeros.
    """
    height, width, channels = grid.shape
    corner = xy - 0.5
    whole = corner.floor()
    offsets = torch.arange(-_RADIUS, _RADIUS + 2, device=grid.device)
    # A place may be anywhere; far outside it is outside, whatever whole number can hold it.
    columns, rows = (
        whole[:, axis, None].clamp(-_CELLS, side + _CELLS).long() + offsets
        for axis, side in enumerate((width, height))
    )
    within_rows, within_columns = (
        (cells >= 0) & (cells < side) for cells, side in ((rows, height), (columns, width))
    )
    inside = within_rows[:, :, None] & within_columns[:, None]
    cells = rows.clamp(0, height - 1)[:, :, None] * width + columns.clamp(0, width - 1)[:, None]
    vectors = grid.reshape(-1, channels)[cells.flatten()]
    products = torch.bmm(vectors.view(-1, _CELLS * _CELLS, channels), queries[:, :, None])
    products = products.view(-1, _CELLS, _CELLS).masked_fill(~inside, 0)
    return _between(products, corner - whole)


def _between(products: Tensor, part: Tensor) -> Tensor:
    """Interpolate (M, 8, 8) to (M, 49); `part` is (M, 2) in cells, x then y, from 0 to 1."""
    x, y = part[:, 0, None, None], part[:, 1, None, None]
    across = products[:, :, :-1] * (1 - x) + products[:, :, 1:] * x
    return (across[:, :-1] * (1 - y) + across[:, 1:] * y).flatten(1)


def read_between(grid: Tensor, xy: Tensor) -> Tensor:
    """Read feature vectors between cells, as queries are described.

    Args:
        grid: (1, h, w, C).
        xy: (N, 2) places in cells, x then y; the centre of the first cell is at (0.5, 0.5).

    Returns:
        (N, C); beyond the outermost centres lies what is on them.
    """
    height, width, channels = grid.shape[1:]
    corner = xy - 0.5
    limit = corner.new_tensor([width - 1, height - 1])
    corner = torch.minimum(corner.clamp_min(0), limit)
    whole = torch.minimum(corner.floor(), (limit - 1).clamp_min(0))
    part = corner - whole
    first = whole[:, 1].long() * width + whole[:, 0].long()
    cells = grid.reshape(-1, channels)
    x, y = part[:, :1], part[:, 1:]
    above = cells[first] * (1 - x) + cells[first + 1] * x
    below = cells[first + width] * (1 - x) + cells[first + width + 1] * x
    return above * (1 - y) + below * y
