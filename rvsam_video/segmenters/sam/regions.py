"""Where everything mode looks, and what it cleans: crops, grids, small holes and islands."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import ceil

import cv2
import numpy as np
from numpy.typing import NDArray

Box = tuple[int, int, int, int]

_NEAR = 20
"""Pixels within which a box counts as touching an edge, as in the public generator."""


def crop_boxes(size: tuple[int, int], layers: int, overlap: float) -> Iterator[tuple[int, Box]]:
    """Yield (layer, crop): the whole picture as layer 0, then 4, 16, ... crops.

    Args:
        size: (width, height) of the picture.
        layers: number of further layers.
        overlap: pixels that neighbours share in layer 1, as a share of the shorter side; half as
            many in each further layer.

    Yields:
        Crops as x0, y0, x1, y1 in pixels, x1 and y1 exclusive.
    """
    width, height = size
    yield 0, (0, 0, width, height)
    for layer in range(1, layers + 1):
        count = 2**layer
        shared = int(overlap * min(size) * (2 / count))
        wide, high = (ceil((shared * (count - 1) + side) / count) for side in size)
        for column, row in product(range(count), repeat=2):
            x0, y0 = (wide - shared) * column, (high - shared) * row
            yield layer, (x0, y0, min(x0 + wide, width), min(y0 + high, height))


def point_grid(side: int) -> NDArray[np.float64]:
    """Return (side * side, 2) points, x then y in [0, 1], row by row in the middle of their cells.

    Args:
        side: points along each side; less than 1 counts as 1.
    """
    side = max(side, 1)
    middles = np.linspace(1 / (2 * side), 1 - 1 / (2 * side), side)
    return np.stack(np.meshgrid(middles, middles), -1).reshape(-1, 2)


def touches_cut(box: Box, crop: Box, size: tuple[int, int]) -> bool:
    """Whether a box ends near an edge of its crop that is not near the picture's own edge.

    Args:
        box: x0, y0, x1, y1 in pixels of the picture.
        crop: likewise.
        size: (width, height) of the picture.
    """
    picture = (0, 0, *size)
    return any(
        abs(value - cut) <= _NEAR and not abs(value - edge) <= _NEAR
        for value, cut, edge in zip(box, crop, picture, strict=True)
    )


def without_small_regions(mask: NDArray[np.bool_], smallest: int) -> tuple[NDArray[np.bool_], bool]:
    """Fill small holes of a mask, then drop its small islands; the largest island always stays.

    Args:
        mask: (H, W) bool.
        smallest: regions of fewer pixels, connected along sides or corners, are small.

    Returns:
        The mask, and whether there was any small region. As in the public code a mask whose only
        island is small stays as it is, but counts as changed.
    """
    holes, any_hole = _small(~mask, smallest, keep_largest=False)
    filled = mask | holes
    islands, any_island = _small(filled, smallest, keep_largest=True)
    return filled & ~islands, any_hole or any_island


def _small(
    mask: NDArray[np.bool_], smallest: int, *, keep_largest: bool
) -> tuple[NDArray[np.bool_], bool]:
    """Return the pixels of a mask in small regions that go, and whether any region is small."""
    _, regions, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    areas = stats[1:, cv2.CC_STAT_AREA]
    small = areas < smallest
    found = bool(small.any())
    if keep_largest and len(areas) and small.all():
        small[int(np.argmax(areas))] = False
    return np.asarray(np.concatenate([[False], small])[regions]), found
