"""The first mask of an object from clicks or a box alone, by GrabCut."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from rvsam_video.frame import Image
from rvsam_video.segmenters.crop import Crop

_ROUNDS = 5
"""Times that GrabCut learns colours and cuts; the mask hardly changes after the fifth."""

_MOST_PIXELS = 160 * 160
"""GrabCut's time grows with the pixels; at this size a first mask takes about 0.1 seconds."""

_CLICK_RADIUS = 3
"""Pixels around a click that certainly belong to what was clicked."""

_SCALES = (0.06, 0.12, 0.24, 0.45)
"""Guesses of an object's radius around a single click, in shorter sides of the picture."""

_SEED = 1
"""GrabCut starts its colour clusters at random; a fixed seed makes it repeatable."""


def mask_from_box(
    image: Image, box: NDArray[np.float32], points: NDArray[np.float32], labels: NDArray[np.int8]
) -> NDArray[np.bool_]:
    """Return the (H, W) mask of the object in a box (x0, y0, x1, y1), with optional clicks."""
    size = (image.shape[1], image.shape[0])
    extent = box[2:] - box[:2]
    crop = Crop.around(
        box.astype(np.float64), size, float(max(extent.max() * 0.3, 8)), _MOST_PIXELS
    )
    corners = crop.points(box.reshape(2, 2))
    trimap = np.full((crop.height, crop.width), cv2.GC_BGD, np.uint8)
    (x0, y0), (x1, y1) = np.floor(corners[0]).astype(int), np.ceil(corners[1]).astype(int)
    trimap[max(y0, 0) : y1 + 1, max(x0, 0) : x1 + 1] = cv2.GC_PR_FGD
    return _grab(image, crop, trimap, points, labels)


def mask_from_clicks(
    image: Image, points: NDArray[np.float32], labels: NDArray[np.int8]
) -> NDArray[np.bool_]:
    """Return the (H, W) mask of the object that the points with label 1 lie on."""
    size = (image.shape[1], image.shape[0])
    on = points[labels == 1]
    best, best_score = np.zeros(size[::-1], np.bool_), -np.inf
    for scale in _SCALES:
        radius = scale * min(size)
        box = np.concatenate([on.min(0) - radius, on.max(0) + radius])
        crop = Crop.around(box.astype(np.float64), size, radius, _MOST_PIXELS)
        trimap = np.full((crop.height, crop.width), cv2.GC_PR_BGD, np.uint8)
        x, y = crop.grid()
        near = np.min([np.hypot(x - px, y - py) for px, py in on], axis=0)
        trimap[near < radius] = cv2.GC_PR_FGD
        trimap[near > 2 * radius] = cv2.GC_BGD
        mask = _grab(image, crop, trimap, points, labels)
        score = _merit(image, mask, crop)
        if score > best_score:
            best, best_score = mask, score
    return best


def _merit(image: Image, mask: NDArray[np.bool_], crop: Crop) -> float:
    """How well the boundary of a mask runs along edges, and how little of it the crop cuts."""
    part = mask[crop.y0 : crop.y1, crop.x0 : crop.x1].astype(np.uint8)
    if not part.any():
        return -1.0
    lab = cv2.cvtColor(image[crop.y0 : crop.y1, crop.x0 : crop.x1], cv2.COLOR_RGB2LAB)
    smooth = cv2.GaussianBlur(lab.astype(np.float32), (0, 0), 1.0)
    across, down = (cv2.Sobel(smooth, cv2.CV_32F, dx, 1 - dx) for dx in (1, 0))
    gradient = np.sqrt((np.square(across) + np.square(down)).sum(axis=2))
    edge = cv2.morphologyEx(part, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    if not edge.any():
        return -1.0
    inner = cv2.erode(part, np.ones((3, 3), np.uint8)) > 0
    strength = float(gradient[edge].mean())
    noise = float(gradient[inner].mean()) if inner.any() else float(gradient.mean())
    frame = np.concatenate([part[0], part[-1], part[:, 0], part[:, -1]]).mean()
    return strength / (strength + noise + 1.0) - float(frame)


def _grab(
    image: Image,
    crop: Crop,
    trimap: NDArray[np.uint8],
    points: NDArray[np.float32],
    labels: NDArray[np.int8],
) -> NDArray[np.bool_]:
    part = np.ascontiguousarray(crop.take(image)[..., ::-1])
    places = np.round(crop.points(points)).astype(int)
    for (x, y), label in zip(places.tolist(), labels.tolist(), strict=True):
        cv2.circle(trimap, (x, y), _CLICK_RADIUS, cv2.GC_FGD if label == 1 else cv2.GC_BGD, -1)
    found = np.isin(trimap, (cv2.GC_FGD, cv2.GC_PR_FGD))
    if found.any() and not found.all():
        cv2.setRNGSeed(_SEED)
        models = np.zeros((1, 65)), np.zeros((1, 65))
        cv2.grabCut(part, trimap, None, *models, _ROUNDS, cv2.GC_INIT_WITH_MASK)  # type: ignore[call-overload]
        found = np.isin(trimap, (cv2.GC_FGD, cv2.GC_PR_FGD))
    found = _connected(found, places[labels == 1])
    return crop.paste(found.astype(np.float32), (image.shape[1], image.shape[0]), 0.0) > 0.5


def _connected(mask: NDArray[np.bool_], places: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Keep the parts that were clicked; without a click, the parts of some size."""
    count, parts, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    if count < 2:
        return mask
    height, width = mask.shape
    inside = [p for p in places.tolist() if 0 <= p[0] < width and 0 <= p[1] < height]
    kept = {int(parts[y, x]) for x, y in inside} - {0}
    if not kept:
        areas = stats[1:, cv2.CC_STAT_AREA]
        kept = set((np.flatnonzero(areas >= 0.1 * areas.max()) + 1).tolist())
    return np.isin(parts, list(kept))
