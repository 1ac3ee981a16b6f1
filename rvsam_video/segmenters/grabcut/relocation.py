"""Looking for an object that was lost: by its colours and shape, near where it went."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from rvsam_video.segmenters.grabcut.appearance import EVIDENCE_LIMIT, Colours
from rvsam_video.segmenters.grabcut.crop import Crop, Map
from rvsam_video.segmenters.grabcut.memory import ObjectMemory
from rvsam_video.segmenters.grabcut.motion import Picture
from rvsam_video.segmenters.grabcut.pose import Pose

_SEARCH_SIZE = 16.0
"""Pixels across an object in the picture that is searched: enough to tell its shape."""

_REACH = 24
"""Half the side of the shape that is searched for, in the same pixels: long objects fit in."""

_SCALES = (0.8, 1.0, 1.25)
"""Sizes tried, of that when it was lost; the cut makes up for what lies between."""

_RING_WIDTH = 0.4
"""Width of the surroundings that must not look like the object, in sizes of it."""

_RING_GAP = 2.0
"""Pixels between the object and its surroundings: the outline may be slightly off."""

_RING_WEIGHT = 0.5
"""Weight of the surroundings. The object may come back in front of other things like it."""

_FREE_REACH = 1.0
_FREE_GROWTH = 0.1
"""How far from the predicted place an object may be found at no cost, in sizes of it, at first
and more in each further frame; as a walking person starts and stops."""

_POINTS_BONUS = 0.5
"""Bonus near a tracked point that is seen again, of the object's typical likeness."""


def find_again(
    picture: Picture,
    memory: ObjectMemory,
    points: NDArray[np.float32],
    *,
    recent: float,
    least: float,
) -> Pose | None:
    """Look for a lost object.

    Args:
        picture: where to look.
        memory: of the object.
        points: (N, 2) x, y of its points that are seen.
        recent: share of the recent colours against those of the user's frame.
        least: the likeness needed, of that when the object was prompted.

    Returns:
        where it is, or None.
    """
    full = memory.full.pose
    # The whole picture, so small: the filter's time grows with the square of this factor.
    factor = min(1.0, _SEARCH_SIZE / full.size)
    width, height = (max(1, round(side * factor)) for side in picture.size)
    whole = Crop(0, 0, *picture.size, width, height)
    model = memory.anchor.blend(memory.recent, recent)
    evidence = model.evidence()[Colours.of(picture.image, whole).fine]
    evidence = np.clip(evidence, -EVIDENCE_LIMIT, EVIDENCE_LIMIT)
    bonus = _bonus(whole.grid(), memory, points)
    # Relative to how well the object ever matched: plain colours match worse than rare ones.
    best, found = least * memory.typical, None
    for scale in _SCALES:
        kernel = _kernel(memory, factor * scale)
        if kernel is None:
            continue
        # Beyond the picture nothing looks like the object.
        merit = cv2.filter2D(evidence, cv2.CV_32F, kernel, borderType=cv2.BORDER_CONSTANT) + bonus
        _, value, _, (x, y) = cv2.minMaxLoc(merit)
        if value > best:
            grid_x, grid_y = whole.grid()
            best = value
            found = Pose(float(grid_x[y, x]), float(grid_y[y, x]), full.size * scale)
    return found


def _kernel(memory: ObjectMemory, factor: float) -> Map | None:
    """Return weights that average the object and subtract its surroundings."""
    pose = memory.full.pose
    steps = np.arange(-_REACH, _REACH + 1, dtype=np.float32) / np.float32(factor)
    grid_x, grid_y = np.meshgrid(steps + np.float32(pose.x), steps + np.float32(pose.y))
    signed = memory.full.at(pose, (grid_x, grid_y))
    inside = signed > 0
    ring = (signed < -_RING_GAP) & (signed > -_RING_GAP - _RING_WIDTH * pose.size)
    if not inside.any() or not ring.any():
        return None
    # Means of both, so that the merit is a likeness and does not grow with the size.
    weights = inside / inside.sum() - _RING_WEIGHT * ring / ring.sum()
    return np.asarray(weights, np.float32)


def _bonus(grid: tuple[Map, Map], memory: ObjectMemory, points: NDArray[np.float32]) -> Map:
    """Return what speaks for a place besides its looks: nearness to the prediction and points."""
    pose = memory.pose
    free = pose.size * (_FREE_REACH + _FREE_GROWTH * memory.lost)
    beyond = np.maximum(np.hypot(grid[0] - pose.x, grid[1] - pose.y) - free, 0)
    bonus = -beyond / pose.size
    for x, y in points.tolist():
        nearness = np.exp(-np.square(np.hypot(grid[0] - x, grid[1] - y) / pose.size))
        bonus = bonus + _POINTS_BONUS * memory.typical * nearness / len(points)
    return np.asarray(bonus, np.float32)
