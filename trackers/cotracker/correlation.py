"""Correlation of points with the maps around them: of vectors (1, 2), of neighbourhoods (3).

Versions 1 and 2 compare one feature vector per point and frame with the cells around it. The
public code multiplies every vector with every cell of every level and samples the 7x7
neighbourhood from the products. Here only the 8x8 cells around a place are multiplied, and their
64 products interpolated: the same values without the volumes. Only of small levels all cells are.

Version 3 compares the 7x7 neighbourhood of feature vectors around every place with the 7x7
neighbourhood of the query, its support: 49 x 49 products a level (Karaev et al., "CoTracker3",
2024; facebookresearch/co-tracker, cotracker/models/core/cotracker/cotracker3_*.py). The 49 vectors
of a place would be interpolated from the same 8x8 cells, with the same two fractions. As products
are linear in the vectors, the cells themselves are compared with the support and the 64 x 49
products are interpolated: fewer numbers than the 64 x 128 of the vectors, and no interpolated
vectors in memory. Points go through in groups that fit the processor's cache.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the name all torch code uses

from .maps import LEVELS
from .network import Levels

# 7x7 places: the weights behind a correlation fix its width.
RADIUS = 3
CELLS = 2 * RADIUS + 2
"""Side of the block of cells that a neighbourhood is interpolated from."""

NEIGHBOURS = (2 * RADIUS + 1) ** 2
"""Places of a neighbourhood: entry k lies at (x + k // 7 - 3, y + k % 7 - 3)."""

CACHED_BYTES = 4 << 20
"""Feature vectors gathered at once on a processor: what stays in its cache until it is used."""

DEVICE_BYTES = 256 << 20
"""The same elsewhere: enough to keep a graphics card busy."""


@dataclass(frozen=True, slots=True, eq=False)
class CellTable:
    """The feature vectors of all cells of one level, as rows.

    Attributes:
        rows: (frames * height * width, C), row by row of frame after frame.
        frames: frames of the level.
        height: cells from top to bottom.
        width: cells from left to right.
    """

    rows: Tensor
    frames: int
    height: int
    width: int

    @classmethod
    def of(cls, level: Tensor) -> CellTable:
        """Lay out a (frames, C, h, w) level; no copy if its memory is channels-last."""
        frames, channels, height, width = level.shape
        return cls(level.permute(0, 2, 3, 1).reshape(-1, channels), frames, height, width)

    def cells(self, xy: Tensor) -> Tensor:
        """Number the 8x8 cells around places within their frame, x slow and y fast.

        Cells outside repeat the nearest one inside, which is what sampling with border padding
        comes to.

        Args:
            xy: (N, frames, 2) places in cells of this level.

        Returns:
            (N, frames, 64) int64.
        """
        x, y = _reached(xy[..., 0], self.width), _reached(xy[..., 1], self.height)
        # x slow and y fast as in the public code, which the next layer's weights were trained with.
        return (y[..., None, :] * self.width + x[..., :, None]).flatten(2)

    def blocks(self, xy: Tensor) -> Tensor:
        """Gather the (N, frames, 64, C) vectors of the cells around (N, frames, 2) places."""
        # The tables of all frames are one matrix, so that a single look-up serves them all.
        frame = torch.arange(self.frames, device=xy.device) * (self.height * self.width)
        return F.embedding(self.cells(xy) + frame[:, None], self.rows)


def _reached(places: Tensor, size: int) -> Tensor:
    """Return the 8 cells of an axis around each place: (...) to (..., 8)."""
    reach = torch.arange(-RADIUS, CELLS - RADIUS, device=places.device)
    # Clamped twice: the first time because integers end long before floating-point numbers do.
    below = places.floor().clamp(-CELLS, size + CELLS).long()
    return (below[..., None] + reach).clamp(0, size - 1)


def interpolate(blocks: Tensor, xy: Tensor) -> Tensor:
    """Interpolate values at 8x8 cells to the 7x7 neighbourhood of each place.

    Args:
        blocks: (N, frames, 64, D) values at the cells, as `CellTable.blocks` orders them.
        xy: (N, frames, 2) places in cells of that level.

    Returns:
        (N, frames, 49, D).
    """
    points, frames, _, width = blocks.shape
    # Of the places in single precision: half precision has no fraction left at cell 100 of a map.
    fraction = (xy - xy.floor()).to(blocks.dtype)[..., None, None, None]
    cells = blocks.view(points, frames, CELLS, CELLS, width)
    # x is the slow axis: (N, S, 8, 8, D) to (N, S, 7, 8, D), then along y to (N, S, 7, 7, D).
    columns = torch.lerp(cells[:, :, :-1], cells[:, :, 1:], fraction[:, :, 0])
    places = torch.lerp(columns[:, :, :, :-1], columns[:, :, :, 1:], fraction[:, :, 1])
    return places.flatten(2, 3)


def supports(levels: Levels, xy: Tensor) -> Tensor:
    """Sample the neighbourhoods of query points on all levels of their frame.

    Args:
        levels: pyramid of one frame, L tensors (1, C, h_l, w_l).
        xy: (N, 2) places in cells of level 0.

    Returns:
        (N, L, 49, C).
    """
    found = []
    for depth, level in enumerate(levels):
        # No shift by half a cell, although averages lie between cells: the public code has none.
        places = (xy / 2**depth)[:, None]
        found.append(interpolate(CellTable.of(level).blocks(places), places))
    return torch.cat(found, 1)


def volumes(tables: tuple[CellTable, ...], features: Tensor, xy: Tensor) -> Iterator[Tensor]:
    """Correlate the neighbourhoods of places with supports, a group of points at a time.

    Args:
        tables: the L levels of S frames.
        features: (N, L, 49, C) supports of the points.
        xy: (N, S, 2) places in cells of level 0.

    Yields:
        (points, S, L, 2401) products of the next points, neighbourhood slow and support fast.
    """
    group = _points_at_once(tables[0], xy)
    for places, known in zip(torch.split(xy, group), torch.split(features, group), strict=True):
        levels = [
            _products(table, known[:, depth], places / 2**depth)
            for depth, table in enumerate(tables)
        ]
        yield torch.stack(levels, 2)


def _points_at_once(table: CellTable, xy: Tensor) -> int:
    """Return how many points of all frames to gather at once; at least one."""
    budget = CACHED_BYTES if xy.device.type == "cpu" else DEVICE_BYTES
    each = table.frames * CELLS * CELLS * table.rows.shape[1] * table.rows.element_size()
    return max(1, budget // each)


def _products(table: CellTable, known: Tensor, xy: Tensor) -> Tensor:
    """Return the (N, S, 2401) products of one level with (N, 49, C) supports."""
    blocks = table.blocks(xy)
    # (N, S * 64, C) by (N, C, 49). Not divided by sqrt(C) as in versions 1 and 2: these features
    # have length one.
    products = torch.bmm(blocks.flatten(1, 2), known.transpose(1, 2))
    return interpolate(products.view(*blocks.shape[:3], NEIGHBOURS), xy).flatten(2)


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
    # Divided once, instead of the products of every level.
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
        # Before the interpolation, as padding with zeros would have it: a place half outside counts
        # half.
        products = products * _inside(table, xy)
    return interpolate(products[..., None], xy)[..., 0]


def _chosen(table: CellTable, features: Tensor, xy: Tensor) -> Tensor:
    """Gather the cells around places and multiply them: (N, S, 64)."""
    return (table.blocks(xy) @ features[..., None])[..., 0]


def _chosen_of_all(table: CellTable, features: Tensor, xy: Tensor) -> Tensor:
    """Multiply with all cells and gather the products around places: (N, S, 64)."""
    cells = table.rows.view(table.frames, -1, features.shape[-1])
    # (S, N, C) by (S, C, h * w): every frame has its own cells.
    products = torch.bmm(features.transpose(0, 1), cells.transpose(1, 2))
    return products.gather(2, table.cells(xy).transpose(0, 1)).transpose(0, 1)


def _inside(table: CellTable, xy: Tensor) -> Tensor:
    """Tell which of the (N, S, 64) cells around places exist, in the order of `CellTable`."""
    reach = torch.arange(-RADIUS, CELLS - RADIUS, device=xy.device)
    # From the places again: `CellTable.cells` has already moved those outside to the border.
    cells = xy.floor()[..., None] + reach
    limits = xy.new_tensor([table.width, table.height])[:, None]
    x, y = ((cells >= 0) & (cells < limits)).unbind(-2)
    return (x[..., :, None] & y[..., None, :]).flatten(-2)
