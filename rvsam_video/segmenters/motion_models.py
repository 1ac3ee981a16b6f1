"""Motion models: does a pixel move with an object, or with what is around it?"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from rvsam_video.segmenters.crop import Map
from rvsam_video.segmenters.dense_motion import Motion

_FITS = 3
"""Least squares and again without what did not fit; the third time changes little."""

_MOST_SAMPLES = 1500
"""Pixels that a fit uses at most: 6 numbers need no more."""

_FEWEST_SAMPLES = 12
"""Two per number of the model; with fewer, noise would be fitted."""

_FLOW_ERROR = 1.5
"""Pixels by which dense flow errs anyway, so that smaller differences say nothing."""

_BLEEDING = 9
"""Pixels of the reduced picture: flow is measured with patches of 8, so that this close to the
object the surroundings seem to move with it."""


@dataclass(frozen=True, slots=True, eq=False)
class AffineMotion:
    """Motion that depends linearly on the place.

    Attributes:
        model: (3, 2) float64, from (x, y, 1) to the motion in pixels.
        spread: typical error in pixels.
    """

    model: NDArray[np.float64]
    spread: float

    @classmethod
    def fit(cls, motion: Motion, region: NDArray[np.bool_]) -> AffineMotion | None:
        """Fit the way back of a region, (h, w) bool over the motion's grid; None if too small."""
        rows = np.flatnonzero(region.ravel())
        if len(rows) < _FEWEST_SAMPLES:
            return None
        rows = rows[:: max(1, len(rows) // _MOST_SAMPLES)]
        x, y = (values.ravel()[rows] for values in motion.places)
        basis = np.stack([x, y, np.ones_like(x)], axis=1).astype(np.float64)
        shift = np.stack([motion.back_x.ravel()[rows], motion.back_y.ravel()[rows]], axis=1)
        keep = np.ones(len(rows), np.bool_)
        for _ in range(_FITS):
            model = np.linalg.lstsq(basis[keep], shift[keep], rcond=None)[0]
            error = np.linalg.norm(shift - basis @ model, axis=1)
            keep = error <= max(1.0, 2.0 * float(np.median(error)))
        return cls(np.asarray(model, np.float64), float(np.median(error[keep])))

    def at(self, x: Map, y: Map) -> tuple[Map, Map]:
        """Return the motion at places x, y of the picture, (h, w) float32 each."""
        first, second = (
            np.float32(a) * x + np.float32(b) * y + np.float32(c) for a, b, c in self.model.T
        )
        return first, second

    def fitness(self, grid: tuple[Map, Map], back: tuple[Map, Map]) -> Map:
        """Return (h, w) float32: log likelihood of motions `back` at the places `grid`.

        The likelihood has heavy tails (Cauchy), since flow errs grossly in places.
        """
        expected = self.at(*grid)
        error = np.square(back[0] - expected[0]) + np.square(back[1] - expected[1])
        scale = np.float32((self.spread + _FLOW_ERROR) ** 2)
        return np.asarray(-np.log1p(error / scale), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """A part of the picture that moves by itself.

    Attributes:
        region: (h, w) bool over the motion's grid, where it is for certain.
        motion: fitted there.
    """

    region: NDArray[np.bool_]
    motion: AffineMotion


def layers_of(
    motion: Motion,
    inside: NDArray[np.bool_],
    reach: float,
    grid: tuple[Map, Map],
) -> tuple[Layer, Layer] | None:
    """Return an object and its surroundings as layers, or None if either is too small.

    Args:
        motion: since the last picture.
        inside: (h, w) bool over the motion's grid, where the object is taken to be.
        reach: how far around the crop the surroundings go, in pixels of the picture.
        grid: x and y in the picture of the crop's pixels.
    """
    binary = inside.astype(np.uint8)
    core = cv2.erode(binary, np.ones((3, 3), np.uint8)) > 0
    core = core if core.sum() >= _FEWEST_SAMPLES else inside
    far = cv2.dilate(binary, np.ones((_BLEEDING, _BLEEDING), np.uint8)) == 0
    x, y = motion.places
    far &= (x > grid[0][0, 0] - reach) & (x < grid[0][0, -1] + reach)
    far &= (y > grid[1][0, 0] - reach) & (y < grid[1][-1, 0] + reach)
    own, other = AffineMotion.fit(motion, core), AffineMotion.fit(motion, far)
    if own is None or other is None:
        return None
    return Layer(core, own), Layer(far, other)


def motion_evidence(
    layers: tuple[Layer, Layer], grid: tuple[Map, Map], back: tuple[Map, Map]
) -> Map:
    """Return how much likelier pixels move with the first layer than with the second.

    Args:
        layers: an object and its surroundings.
        grid: x and y in the picture of the pixels asked for.
        back: their way back, as from `Motion.back`.

    Returns:
        (height, width) float32, log of the ratio.
    """
    return layers[0].motion.fitness(grid, back) - layers[1].motion.fitness(grid, back)
