"""Small patches around points: cutting them out, comparing them, finding them again."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ...frame import Image

Patches = NDArray[np.float32]
"""(N, side, side, 3) float32, values as in the picture (0 to 255)."""

_ROWS_PER_REMAP = 16384
"""`cv2.remap` refuses pictures of 32768 rows or more; half of that leaves room."""

_CONTRAST_FLOOR = 20.0
"""Variance in grey levels squared that sensor noise and compression alone can cause. It keeps
the correlation of two flat patches at 1 instead of at the correlation of their noise."""

_BRIGHTNESS_SCALE = 60.0
"""Difference of mean colour, in grey levels, at which two patches count as half as alike.
Exposure changes a patch by 10 to 20 levels; another object usually by more than 60."""


def cut_patches(image: Image, xy: NDArray[np.float32], side: int) -> Patches:
    """Cut a square patch around every point, with bilinear sampling.

    Args:
        image: (H, W, 3) uint8.
        xy: (N, 2) float32, x then y in pixels; outside the picture its edge is repeated.
        side: width and height of a patch in pixels, odd.

    Returns:
        (N, side, side, 3) float32.
    """
    patches = np.empty((len(xy), side, side, 3), np.float32)
    reach = np.arange(side, dtype=np.float32) - side // 2
    height, width = image.shape[:2]
    inside = np.clip(xy, -side, np.array([width + side, height + side], np.float32))
    step = _ROWS_PER_REMAP // side
    for start in range(0, len(xy), step):
        part = inside[start : start + step]
        stack = (len(part), side, side)
        map_x = np.broadcast_to(part[:, 0, None, None] + reach[None, None, :], stack)
        map_y = np.broadcast_to(part[:, 1, None, None] + reach[None, :, None], stack)
        cut = cv2.remap(
            image,
            np.ascontiguousarray(map_x.reshape(-1, side)),
            np.ascontiguousarray(map_y.reshape(-1, side)),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        patches[start : start + step] = cut.reshape(-1, side, side, 3)
    return patches


def patch_similarity(first: Patches, second: Patches) -> NDArray[np.float32]:
    """Return how alike the patches are pairwise: (N,) float32, 1 the same, 0 or less unlike.

    Normalised correlation that stays defined for flat patches, times a factor for the
    difference of mean colour, in the manner of SSIM (Wang et al., 2004).
    """
    mean_first = first.mean(axis=(1, 2))
    mean_second = second.mean(axis=(1, 2))
    centred_first = first - mean_first[:, None, None]
    centred_second = second - mean_second[:, None, None]
    axes = (1, 2, 3)  # over the patch and its colours
    covariance = (centred_first * centred_second).mean(axis=axes)
    spread = np.sqrt((centred_first**2).mean(axis=axes) * (centred_second**2).mean(axis=axes))
    correlation = (covariance + _CONTRAST_FLOOR) / (spread + _CONTRAST_FLOOR)
    shift = np.abs(mean_first - mean_second).max(axis=1) / _BRIGHTNESS_SCALE
    return np.asarray(correlation / (1 + shift**2), np.float32)


def find_patch(
    image: Image, patch: NDArray[np.float32], centre: NDArray[np.float32], radius: int
) -> tuple[NDArray[np.float32], float] | None:
    """Look for a patch around a place.

    Args:
        image: (H, W, 3) uint8.
        patch: (side, side, 3) float32.
        centre: (2,) float32, x then y of the place in pixels.
        radius: how far from it the patch's centre may lie, in pixels.

    Returns:
        (2,) float32 with the best place to a fraction of a pixel and its normalised correlation,
        or None if no whole patch fits into the part of the picture that is searched.
    """
    side = patch.shape[0]
    height, width = image.shape[:2]
    middle = np.round(centre).astype(int)
    low = np.maximum(middle - radius - side // 2, 0)
    high = np.minimum(middle + radius + side // 2 + 1, (width, height))
    if np.any(high - low < side):
        return None
    window = image[low[1] : high[1], low[0] : high[0]].astype(np.float32)
    scores = np.asarray(cv2.matchTemplate(window, patch, cv2.TM_CCOEFF_NORMED), np.float32)
    _, best, _, (x, y) = cv2.minMaxLoc(scores)
    place = low + np.array([x, y]) + _sub_pixel(scores, x, y) + side // 2
    return place.astype(np.float32), float(best)


def _sub_pixel(scores: NDArray[np.float32], x: int, y: int) -> NDArray[np.float32]:
    """Return the offset of a peak from its pixel: a parabola through it and its neighbours."""
    height, width = scores.shape
    offset = np.zeros(2, np.float32)
    if 0 < x < width - 1:
        offset[0] = _vertex(scores[y, x - 1], scores[y, x], scores[y, x + 1])
    if 0 < y < height - 1:
        offset[1] = _vertex(scores[y - 1, x], scores[y, x], scores[y + 1, x])
    return offset


def _vertex(before: float, peak: float, after: float) -> float:
    bend = before - 2 * peak + after
    return 0.0 if bend >= 0 else float(np.clip(0.5 * (before - after) / bend, -0.5, 0.5))
