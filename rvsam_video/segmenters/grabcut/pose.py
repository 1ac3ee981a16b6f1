"""`Pose`: where an object is and how large, apart from which parts of it are seen."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rvsam_video.segmenters.grabcut.crop import Map

_VELOCITY_MEMORY = 0.7
"""Share of the old velocity kept in each frame: about 3 frames long."""

_VELOCITY_DECAY = 0.9
"""What is left of the velocity after a frame in which the object was not seen: standing still
becomes the best guess after about 10."""

_MOST_GROWTH = 1.07
"""Largest change of size in a frame: doubling within 10 frames. More is an error of the flow."""


@dataclass(frozen=True, slots=True)
class Pose:
    """Place, size and motion of an object.

    Attributes:
        x: of its centre, in pixels of the picture.
        y: the same downwards.
        size: square root of its area when all of it is seen, in pixels.
        dx: smoothed motion in pixels per frame.
        dy: the same downwards.
    """

    x: float
    y: float
    size: float
    dx: float = 0.0
    dy: float = 0.0

    @classmethod
    def of(cls, inside: NDArray[np.bool_], grid: tuple[Map, Map], scale: float) -> Pose:
        """Return the pose of a mask over a crop with `scale` grid pixels per picture pixel."""
        size = float(np.sqrt(inside.sum())) / scale
        return cls(float(grid[0][inside].mean()), float(grid[1][inside].mean()), size)

    def array(self) -> NDArray[np.float64]:
        """Return the pose as (5,) float64; `Pose(*array)` is the way back."""
        return np.array([self.x, self.y, self.size, self.dx, self.dy])

    def box(self, sizes: float) -> NDArray[np.float64]:
        """Return (4,) x0, y0, x1, y1 of the square that reaches so many sizes to each side."""
        half = sizes * self.size
        return np.array([self.x - half, self.y - half, self.x + half, self.y + half])

    def moved(self, shift: NDArray[np.float64], growth: float) -> Pose:
        """Return the pose after a measured (2,) motion of the centre and a factor of growth."""
        keep = _VELOCITY_MEMORY
        return Pose(
            x=self.x + float(shift[0]),
            y=self.y + float(shift[1]),
            size=self.size * growth,
            dx=keep * self.dx + (1 - keep) * float(shift[0]),
            dy=keep * self.dy + (1 - keep) * float(shift[1]),
        )

    def drifted(self) -> Pose:
        """Return the pose after a frame in which nothing was measured."""
        return Pose(
            x=self.x + self.dx,
            y=self.y + self.dy,
            size=self.size,
            dx=self.dx * _VELOCITY_DECAY,
            dy=self.dy * _VELOCITY_DECAY,
        )

    def towards(self, other: Pose, rate: float) -> Pose:
        """Return the pose corrected towards another by a share of `rate`, motion kept."""
        return replace(
            self,
            x=self.x + rate * (other.x - self.x),
            y=self.y + rate * (other.y - self.y),
            # Sizes blend by ratio: half and double cancel out.
            size=self.size * (other.size / self.size) ** rate,
        )

    def place(self, grid: tuple[Map, Map], cell: float, shape: tuple[int, int]) -> tuple[Map, Map]:
        """Return columns and rows, in a grid of cells that moves with the object.

        Args:
            grid: x and y in the picture.
            cell: side of a cell, in sizes of the object.
            shape: rows and columns of cells; the object is in their middle.
        """
        unit = np.float32(1 / (cell * self.size))
        return (
            (grid[0] - np.float32(self.x)) * unit + np.float32((shape[1] - 1) / 2),
            (grid[1] - np.float32(self.y)) * unit + np.float32((shape[0] - 1) / 2),
        )


def shift_and_growth(
    places: NDArray[np.float64],
    shifts: NDArray[np.float64],
    centre: tuple[float, float],
) -> tuple[NDArray[np.float64], float]:
    """Fit a shift and a growth to the motion of an object's pixels, without the outliers.

    Args:
        places: (N, 2) x, y before, N > 0.
        shifts: (N, 2) by how much each moved.
        centre: x and y that the growth goes out from.

    Returns:
        (2,) the shift of the centre, and the factor of growth.
    """
    # The median stands firm against the half of the pixels that may be wrong.
    error = np.linalg.norm(shifts - np.median(shifts, axis=0), axis=1)
    near = error <= max(2.0, 2 * float(np.median(error)))
    # From the centre, so that growth alone does not move it.
    levers, shifts = places[near] - np.array(centre), shifts[near]
    lever, shift = levers.mean(axis=0), shifts.mean(axis=0)
    spread = float(np.square(levers - lever).sum())
    # Least squares of shift = (growth - 1) * lever + constant; 1 keeps a single pixel finite.
    growth = 1 + float(((shifts - shift) * (levers - lever)).sum()) / max(spread, 1.0)
    growth = min(max(growth, 1 / _MOST_GROWTH), _MOST_GROWTH)
    return shift - (growth - 1) * lever, growth
