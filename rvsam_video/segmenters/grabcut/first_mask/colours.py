"""Colours of one picture as a small palette, and shares of them inside and around an object."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from rvsam_video.frame import Image

PICTURE_COLOURS = 32
"""Colours told apart. 24 to 48 give equal masks; fewer mix the object with what lies behind it."""

_SAMPLES = 2000
"""Pixels that the palette is learned from: so many of the whole picture, and so many nearby."""

_ROUNDS = 10
"""Iterations of k-means; a palette need not be the best one, only a fair one."""

_LAB_SETTLED = 0.5
"""Movement of the palette's colours, in units of Lab, that nobody sees."""

_SEED = 1
"""k-means starts at random; a fixed seed makes it repeatable."""

_RING = 0.35
"""Width of the surroundings that a mask is held against, in square roots of its area."""

PaletteMap = NDArray[np.int32]
"""(h, w) int32: which colour of the palette each pixel has."""


def palette_map(image: Image, near: NDArray[np.bool_]) -> PaletteMap:
    """Sort the pixels of an (h, w, 3) RGB picture into the colours of its own palette.

    Args:
        image: the picture.
        near: (h, w), where the object may be. Half of the palette is spent there, so that a
            small object is not lumped together with the rest.
    """
    # Lab: distances are nearer to what eyes tell apart than those of RGB.
    values = cv2.cvtColor(image, cv2.COLOR_RGB2LAB).astype(np.float32)
    return quantised(values, near, _LAB_SETTLED)


def quantised(values: NDArray[np.float32], near: NDArray[np.bool_], settled: float) -> PaletteMap:
    """Sort pixels into `PICTURE_COLOURS` kinds by whatever describes them.

    Args:
        values: (h, w, n) float32, in units that count alike.
        near: (h, w), where half of the kinds are spent.
        settled: movement of the kinds' centres, in those units, at which learning may end.
    """
    shape, values = values.shape[:2], values.reshape(-1, values.shape[2])
    rng = np.random.default_rng(_SEED)
    nearby = np.flatnonzero(near)
    # A click in the corner of a thin picture may leave nothing nearby.
    nearby = nearby if nearby.size else np.arange(len(values))
    chosen = np.concatenate(
        [rng.integers(len(values), size=_SAMPLES), rng.choice(nearby, _SAMPLES)]
    )
    cv2.setRNGSeed(_SEED)
    stop = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, _ROUNDS, settled)
    _, _, centres = cv2.kmeans(
        values[chosen], PICTURE_COLOURS, np.empty(0, np.int32), stop, 1, cv2.KMEANS_PP_CENTERS
    )
    # The squared distance without the term that is the same for all kinds.
    far = np.square(centres).sum(axis=1) - 2 * values @ centres.T
    return np.asarray(far.argmin(axis=1).reshape(shape), np.int32)


def shares(colours: PaletteMap, weights: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return how much of the weight lies on each colour, (PICTURE_COLOURS,), adding up to 1."""
    counts = np.bincount(colours.ravel(), weights.ravel(), PICTURE_COLOURS)
    return np.asarray(counts / max(counts.sum(), 1e-6), np.float64)


def difference_from_ring(colours: PaletteMap, mask: NDArray[np.bool_]) -> float:
    """Return how much the colours in a mask differ from those around it, 0 to 1.

    It is 1 minus the Bhattacharyya coefficient of the two histograms, so 1 if no colour is shared;
    0 of a mask that fills the grid.
    """
    # The coarse 3x3 mask: the ring's width matters to a pixel or two at most.
    outside = cv2.distanceTransform(1 - mask.astype(np.uint8), cv2.DIST_L2, 3)
    width = max(2.0, _RING * float(np.sqrt(mask.sum())))
    ring = (outside > 0) & (outside < width)
    if not ring.any():
        # All of the grid: nothing is around it that it could differ from.
        return 0.0
    inner, outer = (shares(colours, part.astype(np.float32)) for part in (mask, ring))
    return 1.0 - float(np.sqrt(inner * outer).sum())
