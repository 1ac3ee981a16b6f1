"""`Crop`: the part of a picture that one object is worked on in, maybe at reduced resolution."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from rvsam_video.frame import Image

Map = NDArray[np.float32]
"""(h, w) float32, one value per pixel of a crop's grid."""


def window_of(region: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Return rows and columns of the smallest rectangle around a region; empty without any."""
    rows, columns = (np.flatnonzero(region.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return slice(0), slice(0)
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


@dataclass(frozen=True, slots=True)
class Crop:
    """A rectangle of the picture and the grid of pixels that stands for it.

    Attributes:
        x0: left edge in pixels of the picture.
        y0: upper edge.
        x1: right edge, not included.
        y1: lower edge, not included.
        width: columns of the grid; fewer than the rectangle's for large objects.
        height: rows of the grid.
    """

    x0: int
    y0: int
    x1: int
    y1: int
    width: int
    height: int

    @classmethod
    def around(
        cls,
        box: NDArray[np.float64],
        size: tuple[int, int],
        margin: float,
        most_pixels: int,
    ) -> Crop:
        """Return the crop that holds a box and a margin, as far as the picture reaches.

        Args:
            box: (4,) x0, y0, x1, y1 in pixels, corners included.
            size: (width, height) of the picture.
            margin: pixels to add on every side.
            most_pixels: about how many pixels the grid has at most.
        """
        low = np.floor(box[:2] - margin)
        # Corners of the box are included, those of the crop are not.
        high = np.ceil(box[2:] + margin) + 1
        x0, y0 = np.clip(low, 0, np.array(size) - 1).astype(int)
        x1, y1 = np.clip(high, np.array([x0, y0]) + 1, size).astype(int)
        # Never enlarged: there is nothing between the pixels.
        scale = min(1.0, float(np.sqrt(most_pixels / ((x1 - x0) * (y1 - y0)))))
        width, height = (max(1, round((b - a) * scale)) for a, b in ((x0, x1), (y0, y1)))
        return cls(int(x0), int(y0), int(x1), int(y1), width, height)

    @property
    def scale(self) -> float:
        """Grid pixels per picture pixel, at most 1."""
        area = (self.x1 - self.x0) * (self.y1 - self.y0)
        return float(np.sqrt(self.width * self.height / area))

    def take(self, image: Image) -> Image:
        """Return the (height, width, 3) part of an (H, W, 3) picture."""
        part = image[self.y0 : self.y1, self.x0 : self.x1]
        return np.asarray(
            # Averages: bilinear would skip pixels when it shrinks.
            cv2.resize(part, (self.width, self.height), interpolation=cv2.INTER_AREA),
            np.uint8,
        )

    def take_map(self, values: Map) -> Map:
        """Return the (height, width) part of an (H, W) map."""
        part = values[self.y0 : self.y1, self.x0 : self.x1]
        return np.asarray(
            cv2.resize(part, (self.width, self.height), interpolation=cv2.INTER_AREA),
            np.float32,
        )

    def grid(self) -> tuple[Map, Map]:
        """Return where the grid's pixel centres lie in the picture: x and y, (height, width)."""
        x, y = np.meshgrid(
            # Half a pixel on either side of the scaling: centres lie at whole numbers in both.
            (np.arange(self.width, dtype=np.float32) + 0.5) * (self.x1 - self.x0) / self.width,
            (np.arange(self.height, dtype=np.float32) + 0.5) * (self.y1 - self.y0) / self.height,
        )
        return (
            (x + (self.x0 - 0.5)).astype(np.float32),
            (y + (self.y0 - 0.5)).astype(np.float32),
        )

    def points(self, xy: NDArray[np.float32]) -> NDArray[np.float32]:
        """Turn (N, 2) places in the picture into places in the grid."""
        factor = np.array([self.width, self.height]) / (
            self.x1 - self.x0,
            self.y1 - self.y0,
        )
        return np.asarray((xy + 0.5 - (self.x0, self.y0)) * factor - 0.5, np.float32)

    def sample(self, values: Map, x: Map, y: Map, outside: float | None = None) -> Map:
        """Read a map of the grid at places x, y of the picture.

        Args:
            values: (height, width) float32.
            x: places in pixels of the picture, any shape (h, w).
            y: the same.
            outside: value of places beyond the grid; `None` repeats its edge.
        """
        across = self.width / (self.x1 - self.x0)
        down = self.height / (self.y1 - self.y0)
        column = (x + np.float32(0.5 - self.x0)) * np.float32(across) - np.float32(0.5)
        row = (y + np.float32(0.5 - self.y0)) * np.float32(down) - np.float32(0.5)
        border = cv2.BORDER_REPLICATE if outside is None else cv2.BORDER_CONSTANT
        colour = (outside or 0.0,) * 4
        read = cv2.remap(values, column, row, cv2.INTER_LINEAR, None, border, colour)
        return np.asarray(read, np.float32)

    def paste(self, values: Map, size: tuple[int, int], outside: float) -> Map:
        """Return a map of the whole (width, height) picture with `values` in the rectangle."""
        whole = np.full(size[::-1], outside, np.float32)
        extent = (self.x1 - self.x0, self.y1 - self.y0)
        part = cv2.resize(values, extent, interpolation=cv2.INTER_LINEAR)
        whole[self.y0 : self.y1, self.x0 : self.x1] = part
        return whole

    def array(self) -> NDArray[np.int64]:
        """Return the crop as (6,) int64, to be kept; `Crop(*array)` is the way back."""
        sides = (self.x0, self.y0, self.x1, self.y1, self.width, self.height)
        return np.array(sides, np.int64)
