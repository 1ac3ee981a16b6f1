"""Sharpening: a first mask's boundary moved onto edges by GrabCut, and which parts of it count."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from rvsam_video.frame import Image
from rvsam_video.segmenters.grabcut.crop import Crop, Map

_LARGE = 0.1
"""A part counts from this size on, in sizes of the largest part."""

_HOLE = 0.15
"""A hole up to this size is taken for a marking, in sizes of the object."""


def clicked_parts(mask: NDArray[np.bool_], on: Map) -> NDArray[np.bool_]:
    """Keep the parts of an (h, w) mask that hold one of the (N, 2) places x, y."""
    # 4: parts that touch at a corner only are two things more often than one.
    _, parts = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)
    kept = set(_at(np.asarray(parts, np.int32), on)) - {0}
    return np.isin(parts, list(kept))


def large_parts(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Keep the largest part of an (h, w) mask, and others of some size."""
    _, parts, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    areas = stats[:, cv2.CC_STAT_AREA].copy()
    # Part 0 is what is not in the mask.
    areas[0] = 0
    kept = (areas > 0) & (areas >= _LARGE * areas.max())
    return np.asarray(kept[parts], np.bool_)


def fill_holes(mask: NDArray[np.bool_], off: Map) -> NDArray[np.bool_]:
    """Fill small holes of an (h, w) mask, but none that holds one of the (M, 2) places x, y."""
    _, parts, stats, _ = cv2.connectedComponentsWithStats((~mask).astype(np.uint8), connectivity=4)
    small = stats[:, cv2.CC_STAT_AREA] < _HOLE * mask.sum()
    small[list(set(_at(np.asarray(parts, np.int32), off)))] = False
    # Part 0 is the mask itself, and what touches the border may go on outside the picture.
    rim = np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]])
    small[rim] = False
    small[0] = True
    return np.asarray(small[parts], np.bool_)


def _at(parts: NDArray[np.int32], places: Map) -> list[int]:
    last = np.array(parts.shape[::-1]) - 1
    x, y = np.clip(np.round(places).astype(int), 0, last).T
    return [int(part) for part in parts[y, x]]


_MOST_PIXELS = 20_000
"""GrabCut's time grows with the pixels; so many take about 30 ms."""

_MARGIN = 0.35
"""Surroundings that GrabCut sees, in square roots of the mask's area."""

_LEEWAY = 0.2
"""How far the mask may grow, in square roots of its area."""

_ROUNDS = 1
"""Times that GrabCut learns and cuts. More give no better masks, and drift from the grown one."""

_CLICK_RADIUS = 2
"""Pixels around a click that are certain."""

_SEED = 1
"""GrabCut starts its colour clusters at random; a fixed seed makes it repeatable."""


def sharpen(
    image: Image,
    mask: NDArray[np.bool_],
    allowed: NDArray[np.bool_],
    points: NDArray[np.float32],
    labels: NDArray[np.int8],
) -> NDArray[np.bool_]:
    """Return an (H, W) mask like the one given, cut along edges.

    Args:
        image: (H, W, 3) uint8 RGB.
        mask: (H, W), not empty.
        allowed: (H, W), where the object may be at all.
        points: (N, 2) float32, x then y in pixels; may be none.
        labels: (N,) 1 for a point on the object, 0 for a point beside it.
    """
    size = (image.shape[1], image.shape[0])
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
    side = float(np.sqrt(mask.sum()))
    box = np.array([x, y, x + width - 1, y + height - 1], np.float64)
    crop = Crop.around(box, size, max(8.0, _MARGIN * side), _MOST_PIXELS)
    places = crop.points(points)
    on, off = places[labels == 1], places[labels == 0]
    trimap = _trimap(_bits(crop, mask), _bits(crop, allowed), _LEEWAY * side * crop.scale, on, off)
    found = _cut(crop.take(image), trimap)
    found = fill_holes(clicked_parts(found, on) if len(on) else large_parts(found), off)
    return crop.paste(found.astype(np.float32), size, 0.0) > 0.5


def _bits(crop: Crop, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return crop.take_map(mask.astype(np.float32)) > 0.5


def _trimap(
    mask: NDArray[np.bool_], allowed: NDArray[np.bool_], leeway: float, on: Map, off: Map
) -> NDArray[np.uint8]:
    trimap = np.where(mask, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    beyond = cv2.distanceTransform(1 - mask.astype(np.uint8), cv2.DIST_L2, 5) > leeway
    # Certain, so that GrabCut does not wander off to other things of the same colours.
    trimap[beyond | ~allowed] = cv2.GC_BGD
    # Points on the object come second: where two discs overlap it is more likely the object.
    for places, certain in ((off, cv2.GC_BGD), (on, cv2.GC_FGD)):
        for place in np.round(places).astype(int).tolist():
            cv2.circle(trimap, place, _CLICK_RADIUS, certain, cv2.FILLED)
    for x, y in np.round(off).astype(int).tolist():
        # A point beside the object that lies next to one on it still counts for its own pixel.
        cv2.circle(trimap, (x, y), 0, cv2.GC_BGD, cv2.FILLED)
    return trimap


def _cut(image: Image, trimap: NDArray[np.uint8]) -> NDArray[np.bool_]:
    wanted = (cv2.GC_FGD, cv2.GC_PR_FGD)
    found = np.isin(trimap, wanted)
    # GrabCut fails if one of its two sides is empty.
    if not found.any() or found.all():
        return found
    cv2.setRNGSeed(_SEED)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    # The order of channels matters little to the clusters; it is what OpenCV documents.
    bgr = np.ascontiguousarray(image[..., ::-1])
    cv2.grabCut(bgr, trimap, None, *models, _ROUNDS, cv2.GC_INIT_WITH_MASK)  # type: ignore[call-overload]
    return np.isin(trimap, wanted)
