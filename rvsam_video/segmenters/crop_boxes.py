"""Where everything mode looks: crops of a picture, grids of points, and cut-off boxes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import ceil

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
