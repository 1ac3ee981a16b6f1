"""Guesses of where an object is: discs of many sizes around clicks, ellipses in a box."""

from __future__ import annotations

import cv2
import numpy as np

from rvsam_video.segmenters.grabcut.crop import Map
from rvsam_video.segmenters.grabcut.first_mask.growth import Guess

_RADII = (0.03, 0.045, 0.067, 0.1, 0.15, 0.22, 0.33, 0.47)
"""Radii of the discs, in shorter sides of the picture; each about 1.5 times the one before."""

_ELLIPSES = (0.5, 0.7, 0.9, 1.1)
"""Sizes of the ellipses, in the box's own; the last one reaches into its corners."""

_FOR, _AGAINST = 1.0, -2.5
"""Leaning in the middle of a guess, and far away from it."""

_BETWEEN = 0.3
"""How much a place counts as clicked that lies between clicks: 0 not at all, 1 in full."""

_CLICK_RADIUS = 2.0
"""Pixels around a click that are certain."""

_DENIED_RADIUS = 4.0
"""Pixels around a click beside the object whose colours speak against it."""

_CERTAIN = 8.0
"""Leaning where it is certain, more than any colour can say."""

_REPEL = 4.0
"""How fast the leaning falls from the middle between two unlike clicks to the unwanted one."""

_MOST_REPELLED = -3.0
"""Where that fall ends. Much farther down, places beside a far-away click would be lost."""

_NOWHERE = 1e6
"""Pixels to the nearest click if there is none."""


def clicked_guesses(shape: tuple[int, int], on: Map, off: Map) -> list[Guess]:
    """Return discs around the places clicked, from small to large.

    Args:
        shape: (height, width) of the grid.
        on: (N, 2) x, y of the grid, on the object; at least one.
        off: (M, 2), not on the object.
    """
    apart = distance_to(shape, on)
    if len(on) > 1:
        # What lies between clicks belongs to the object more likely than what lies as far outside.
        apart = (1 - _BETWEEN) * apart + _BETWEEN * _distance_to_hull(shape, on)
    reaches = [apart / (radius * min(shape)) for radius in _RADII]
    denied = _denied(shape, off)
    return [Guess(reach, _lean(reach, on, off), denied) for reach in reaches]


def boxed_guesses(shape: tuple[int, int], box: Map, on: Map, off: Map) -> list[Guess]:
    """Return ellipses in a box ((x0, y0), (x1, y1)) of the grid, from small to large."""
    height, width = shape
    # At least half a pixel: a box may be a single line.
    middle, half = box.mean(axis=0), np.maximum((box[1] - box[0]) / 2, 0.5)
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    across, down = np.abs(x - middle[0]) / half[0], np.abs(y - middle[1]) / half[1]
    # A pixel of leeway, since corners are rounded to the grid.
    outside = np.maximum(across - 1 / half[0], down - 1 / half[1]) > 1
    round_ = np.hypot(across, down).astype(np.float32)
    guesses = []
    for size in _ELLIPSES:
        reach = np.asarray(round_ / size, np.float32)
        lean = _lean(reach, on, off)
        lean[outside] = -_CERTAIN
        guesses.append(Guess(reach, lean, _denied(shape, off)))
    return guesses


def distance_to(shape: tuple[int, int], places: Map) -> Map:
    """Return the distance of each pixel of the grid from the nearest of (N, 2) places.

    Without any place, all are farther away than a picture is wide.
    """
    if not len(places):
        return np.full(shape, _NOWHERE, np.float32)
    missed = np.ones(shape, np.uint8)
    # Clicks on the last row or column round beyond the reduced grid.
    x, y = np.clip(np.round(places).astype(int), 0, np.array(shape[::-1]) - 1).T
    missed[y, x] = 0
    return np.asarray(cv2.distanceTransform(missed, cv2.DIST_L2, 5), np.float32)


def _distance_to_hull(shape: tuple[int, int], places: Map) -> Map:
    missed = np.ones(shape, np.uint8)
    hull = cv2.convexHull(np.round(places).astype(np.int32))
    cv2.fillConvexPoly(missed, hull, 0)
    return np.asarray(cv2.distanceTransform(missed, cv2.DIST_L2, 5), np.float32)


def _denied(shape: tuple[int, int], off: Map) -> Map:
    return np.asarray(distance_to(shape, off) <= _DENIED_RADIUS, np.float32)


def _lean(reach: Map, on: Map, off: Map) -> Map:
    # 1 in the middle, 0 on the rim, and no lower than a colour can make up for.
    lean = np.asarray(np.clip(_FOR * (1 - reach), _AGAINST, _FOR), np.float32)
    to_on, to_off = distance_to(reach.shape, on), distance_to(reach.shape, off)
    if len(on) and len(off):
        # From -1 at a click beside the object to 1 at one on it; + 1 keeps the quotient finite.
        nearer = (to_off - to_on) / (to_off + to_on + 1)
        lean += np.clip(_REPEL * nearer, _MOST_REPELLED, 0)
    # Where both are close, the nearer click decides.
    lean[(to_off <= _CLICK_RADIUS) & (to_off < to_on)] = -_CERTAIN
    lean[(to_on <= _CLICK_RADIUS) & (to_on <= to_off)] = _CERTAIN
    return lean
