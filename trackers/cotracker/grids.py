"""Regular grids of points: to be tracked for themselves, or to steady the points of a user.

Points influence each other in CoTracker, and it was trained on pictures full of them; a few
support points spread over the picture make a handful of query points track better.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...frame import nearest_pixels


def regular_grid(
    count: int, size: tuple[int, int], *, whole_margin: bool = False
) -> NDArray[np.float32]:
    """Return (count * count, 2) places, x then y, row by row, evenly spread over a picture.

    Args:
        count: points on each side; 1 gives the centre of the picture, 0 none.
        size: (width, height) of the picture in pixels.
        whole_margin: round the margin, a 64th of the width on all four sides, down to whole
            pixels, as version 1 does.
    """
    width, height = size
    if count == 1:
        return np.array([[width / 2, height / 2]], np.float32)
    margin = width // 64 if whole_margin else width / 64
    x = np.linspace(margin, width - margin, count)
    y = np.linspace(margin, height - margin, count)
    return np.stack(np.meshgrid(x, y), -1).reshape(-1, 2).astype(np.float32)


@dataclass(frozen=True, slots=True)
class SupportGrid:
    """When support points are added to a group of query points.

    Attributes:
        count: points on each side of the grid.
        every: frames from one grid to the next; None adds a single grid in the first frame.
        keep: grids that stay; the oldest goes when one more comes. None keeps all, so that time
            and memory grow with the length of the video.
    """

    count: int
    every: int | None = None
    keep: int | None = None

    def due(self, age: int) -> bool:
        """Say whether a grid belongs to the frame that comes `age` frames after the first."""
        return age == 0 if self.every is None else age % self.every == 0


def points_on_mask(
    xy: NDArray[np.float32], mask: NDArray[np.bool_], size: tuple[int, int]
) -> NDArray[np.bool_]:
    """Say which points lie on a mask.

    Args:
        xy: (N, 2) places in a picture of `size`.
        mask: (H, W) bool, resized to it by taking the pixel at the scaled corner, as PyTorch's
            nearest neighbour does.
        size: (width, height) in pixels.
    """
    width, height = size
    # Halves to even, as PyTorch rounds.
    x, y = np.round(xy).astype(np.int64).T
    rows = nearest_pixels(mask.shape[0], height)[y]
    columns = nearest_pixels(mask.shape[1], width)[x]
    return np.asarray(mask[rows, columns], np.bool_)
