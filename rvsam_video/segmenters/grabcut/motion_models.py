"""Motion models: does a pixel, or its look, move with an object or with what is around it?

Flow is measured over patches and bleeds out of objects. Both motions are therefore spread from
where they are sure to the whole crop, and each pixel is compared with where either would have
brought it from. That tells the two apart up to the boundary, wherever there is texture.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from rvsam_video.segmenters.grabcut.crop import Map, window_of
from rvsam_video.segmenters.grabcut.motion import Grey, Motion

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
        # Every n-th pixel and not a random choice: results must not depend on a seed.
        rows = rows[:: max(1, len(rows) // _MOST_SAMPLES)]
        x, y = (values.ravel()[rows] for values in motion.places)
        # Double precision: places reach thousands, and the fit squares them.
        basis = np.stack([x, y, np.ones_like(x)], axis=1).astype(np.float64)
        shift = np.stack([motion.back_x.ravel()[rows], motion.back_y.ravel()[rows]], axis=1)
        keep = np.ones(len(rows), np.bool_)
        for _ in range(_FITS):
            model = np.linalg.lstsq(basis[keep], shift[keep], rcond=None)[0]
            error = np.linalg.norm(shift - basis @ model, axis=1)
            # Twice the median; a pixel at least, else an exact fit would throw out good samples.
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
class MotionLayer:
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
) -> tuple[MotionLayer, MotionLayer] | None:
    """Return an object and its surroundings as layers, or None if either is too small.

    Args:
        motion: since the last picture.
        inside: (h, w) bool over the motion's grid, where the object is taken to be.
        reach: how far around the crop the surroundings go, in pixels of the picture.
        grid: x and y in the picture of the crop's pixels.
    """
    binary = inside.astype(np.uint8)
    # Without the rim, where flow is a mixture of both sides.
    core = cv2.erode(binary, np.ones((3, 3), np.uint8)) > 0
    # A thin object is all rim.
    core = core if core.sum() >= _FEWEST_SAMPLES else inside
    far = cv2.dilate(binary, np.ones((_BLEEDING, _BLEEDING), np.uint8)) == 0
    x, y = motion.places
    far &= (x > grid[0][0, 0] - reach) & (x < grid[0][0, -1] + reach)
    far &= (y > grid[1][0, 0] - reach) & (y < grid[1][-1, 0] + reach)
    own, other = AffineMotion.fit(motion, core), AffineMotion.fit(motion, far)
    if own is None or other is None:
        return None
    return MotionLayer(core, own), MotionLayer(far, other)


def motion_evidence(
    layers: tuple[MotionLayer, MotionLayer], grid: tuple[Map, Map], back: tuple[Map, Map]
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


_SURE_MISMATCH = 2.0
"""Pixels by which the way back and ahead may miss where flow is spread from."""

_SPREAD = 0.3
"""How far flow is spread before the affine motion counts instead, in sizes of the object. As far
as limbs move alike."""

_LEAST_SPREAD = 3.0
"""The same in pixels of the reduced picture."""

_DEVIATION = 3.0
"""Most that flow may deviate from the affine motion, in its typical errors."""

_LEAST_DEVIATION = 2.0
"""The same in pixels, for motion that is nearly rigid."""

_NOISE = 5.0
"""Grey levels by which a pixel differs from itself a frame before: noise and compression."""

_LARGEST_DIFFERENCE = 40.0
"""Grey levels from which more says nothing: both are wrong, or something was uncovered."""

_WINDOW = 1.5
"""Width of the window that is compared, in pixels of the reduced picture: sharper than flow."""


def layer_evidence(
    before: Grey,
    now: Grey,
    motion: Motion,
    layers: tuple[MotionLayer, MotionLayer],
    size: float,
) -> Map:
    """Return how much better each pixel goes with the object's motion than with the other.

    Args:
        before: (h, w) uint8, the earlier picture's brightness, reduced.
        now: the same of the later picture.
        motion: between them.
        layers: the object and its surroundings.
        size: of the object, in pixels of the reduced picture.

    Returns:
        (h, w) float32 over the motion's grid, log of the ratio of the squared differences; 0
        away from the layers.
    """
    # Blurs and look-ups over the whole picture would take most of the frame.
    window = window_of(layers[0].region | layers[1].region)
    reach = max(_SPREAD * size, _LEAST_SPREAD)
    own, other = (_difference(before, now, motion, layer, window, reach) for layer in layers)
    floor = np.float32(_NOISE**2)
    evidence = np.zeros(now.shape, np.float32)
    evidence[window] = np.log((other + floor) / (own + floor))
    return evidence


def _difference(
    before: Grey,
    now: Grey,
    motion: Motion,
    layer: MotionLayer,
    window: tuple[slice, slice],
    reach: float,
) -> Map:
    """Return squared grey levels by which pixels miss their origin, were they in this layer."""
    x, y = (values[window] for values in motion.places)
    sure = (layer.region[window] & (motion.mismatch[window] < _SURE_MISMATCH)).astype(np.float32)
    weight = _spread(sure, reach) + np.float32(1e-3)  # beyond its reach, nothing but affine
    # Bounds what outliers, spread around them, can do to their neighbours.
    limit = _DEVIATION * layer.motion.spread + _LEAST_DEVIATION
    affine = layer.motion.at(x, y)
    rest_x = np.clip(motion.back_x[window] - affine[0], -limit, limit) * sure
    rest_y = np.clip(motion.back_y[window] - affine[1], -limit, limit) * sure
    # A blur of values over a blur of weights: the mean of what is known nearby.
    from_x = x + affine[0] + _spread(rest_x, reach) / weight
    from_y = y + affine[1] + _spread(rest_y, reach) / weight
    then = motion.grid.sample(before.astype(np.float32), from_x, from_y)
    difference = np.square(np.minimum(np.abs(then - now[window]), np.float32(_LARGEST_DIFFERENCE)))
    return np.asarray(cv2.GaussianBlur(difference, (0, 0), _WINDOW), np.float32)


def _spread(values: Map, reach: float) -> Map:
    """Blur by about a Gaussian of this width, by two boxes: the time does not grow with it."""
    side = 2 * round(np.sqrt(6) * reach / 2) + 1  # a box's variance is side**2 / 12
    return np.asarray(cv2.blur(cv2.blur(values, (side, side)), (side, side)), np.float32)
